/*
 * hooks: how a module takes part in a request. The life of one request, in order (flow.c):
 *
 *   1. The connection (h1, h2) has parsed a head and made a request_t with its fiber and pool.
 *   2. The server is found by address and Host (site.c).
 *   3. PHASE_POST_READ: who is the client really (realip).
 *   4. PHASE_SERVER_REWRITE: rewrite directives of the server.
 *   5. The location is found by the URI; its structs are in r->conf from now on.
 *   6. PHASE_REWRITE: rewrite directives of the location; a changed URI goes back to 5.
 *   7. PHASE_LIMIT, PHASE_ACCESS: may this request be served now, and to this client.
 *   8. PHASE_PRECONTENT: try_files and the like; may go back to 5.
 *   9. PHASE_CONTENT: somebody replies. The head hooks of all modules run when the reply starts,
 *      its body goes down the filters that they pushed, to the connection. PHASE_FILES: what nobody
 *      took is a matter of files.
 *  10. A refusal on the way becomes an error page (error_page may go back to 5), or an aborted
 *      connection when the head is out already.
 *  11. PHASE_LOG: always, once.
 *
 * Handlers run in the request's fiber and may suspend, so waiting needs no verdict.
 */
#ifndef HTTP_HOOKS_H
#define HTTP_HOOKS_H

#include "core/base/buf.h"
#include "core/config/module.h"
#include "http/negotiate.h"
#include "http/var.h"

typedef struct request request_t;

/* Contexts of http directives. */
enum {
    CONF_HTTP = 1u << CONF_USER_SHIFT,
    CONF_SERVER = 1u << (CONF_USER_SHIFT + 1),
    CONF_LOCATION = 1u << (CONF_USER_SHIFT + 2),
    CONF_SERVER_IF = 1u << (CONF_USER_SHIFT + 3),   /* if in server */
    CONF_LOCATION_IF = 1u << (CONF_USER_SHIFT + 4), /* if in location */
    CONF_LIMIT_EXCEPT = 1u << (CONF_USER_SHIFT + 5),
    CONF_UPSTREAM = 1u << (CONF_USER_SHIFT + 6),
    CONF_ACME_ISSUER = 1u << (CONF_USER_SHIFT + 7),
    CONF_HTTP_ALL = CONF_HTTP | CONF_SERVER | CONF_LOCATION,
};

typedef enum phase {
    PHASE_POST_READ,
    PHASE_SERVER_REWRITE,
    PHASE_REWRITE,
    PHASE_LIMIT,
    PHASE_ACCESS,
    PHASE_PRECONTENT,
    PHASE_CONTENT,
    PHASE_FILES,
    PHASE_LOG,
    PHASE_COUNT
} phase_t;

typedef enum verdict_kind {
    VERDICT_NEXT,    /* not my business, or fine with me */
    VERDICT_REPLIED, /* the reply has been sent whole, or was aborted */
    VERDICT_REFUSE,  /* answer with this status; the reason is logged once at `level` */
    VERDICT_REROUTE, /* the URI or the named location has been changed: find the location again */
    VERDICT_GRANT,   /* PHASE_ACCESS only: let in by me (below) */
} verdict_kind_t;

/*
 * The same in every phase. In PHASE_ACCESS a handler that has checked the client and lets it in
 * says GRANT, one that has nothing to check says NEXT. With `satisfy all` both go on to the next
 * handler. With `satisfy any` GRANT ends the phase, and a 401 or 403 is kept until no handler has
 * granted; of several the 401 counts, which the client can do something about.
 */
typedef struct verdict {
    verdict_kind_t kind;
    int status;
    int level;          /* LOG_ERR and so on; with reason NULL nothing is logged */
    const char *reason; /* static or in the request's pool */
} verdict_t;

#define VERDICT(k) ((verdict_t){.kind = VERDICT_##k})

static inline verdict_t verdict_refuse(int status, int level, const char *reason)
{
    return (verdict_t){VERDICT_REFUSE, status, level, reason};
}

typedef verdict_t (*hook_fn)(request_t *r);

/*
 * How a body that is at hand whole is packed once, to be sent often: for a cache. One module may be
 * that. All are called when the reply's head is made and not yet started.
 */
typedef struct hooks_packer {
    coding_t (*coding)(const request_t *r); /* what this client gets; CODING_IDENTITY: plain */
    buf_t *(*pack)(const request_t *r, coding_t coding, str_t content); /* the caller returns it */
    /* The reply's head is made to fit; CODING_IDENTITY: it could have come in another one. Its body
       is not packed on its way. */
    void (*head)(request_t *r, coding_t coding);
    /* The same of a longer body, piece by piece, with nothing of the request: takes from *in what
       it can; false: out is full, call again in the same way. */
    void *(*begin)(const request_t *r, coding_t coding, int64_t length);
    bool (*feed)(void *stream, str_t *in, bool last, buf_t *out);
    void (*end)(void *stream);
} hooks_packer_t;

/* What a module's `hooks` points to. Everything may be NULL. */
typedef struct http_hooks {
    hook_fn phase[PHASE_COUNT];
    /* The reply's head is made (r->reply), as whoever replies has it: may look, not edit. */
    void (*made)(request_t *r);
    /* The same, not yet sent: may edit it, push a filter (filter.h). 0, or a negative errno that
       aborts the request. */
    int (*head)(request_t *r);
    const var_def_t *variables; /* ends with name NULL */
    const hooks_packer_t *packer;
    /* Whether the module's PHASE_CONTENT would ask an origin, so that a cache pays. */
    bool (*asks_origin)(const request_t *r);
    /* When an http block begins, in the scope around it: what all of the block shares. */
    bool (*begin)(conf_t *cf, const tree_node_t *http);
    /* When the http block has been read whole, in the block's scope. False: said with
       conf_error. */
    bool (*finish)(conf_t *cf);
} http_hooks_t;

/*
 * What runs per request: the handlers of each phase and the head hooks, of all modules in order,
 * NULL at the end. Made once by hooks_make.
 */
enum { HOOKS_MAX = 64 };

typedef struct hooks {
    const http_hooks_t *all[HOOKS_MAX];
    hook_fn phase[PHASE_COUNT][HOOKS_MAX];
    void (*made[HOOKS_MAX])(request_t *r);
    int (*head[HOOKS_MAX])(request_t *r);
    bool (*asks_origin[HOOKS_MAX])(const request_t *r);
    const hooks_packer_t *packer; /* NULL: there is none */
} hooks_t;

extern hooks_t hooks_table;

void hooks_make(const module_t *const *list);

/* Whether any module would ask an origin for the content of the request, as it is located now. */
bool hooks_ask_origin(const request_t *r);

#endif
