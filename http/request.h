/*
 * request: one request and everything it holds, from the parsed head to the log line.
 *
 * Made by the connection, runs in one fiber, owns a pool in which everything of it lives; slices of
 * the head point into the connection's buffer, which stays as it is until the request has ended.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "core/base/log.h"
#include "core/base/regex.h"
#include "http/body.h"
#include "http/conn.h"
#include "http/parse.h"
#include "http/reply.h"
#include "http/site.h"

/* What went wrong with an attempt. */
typedef enum upstream_failure {
    UPSTREAM_FINE,
    UPSTREAM_ERROR,          /* no connection, or it broke */
    UPSTREAM_TIMEOUT,
    UPSTREAM_INVALID_HEADER,
    UPSTREAM_STATUS,         /* an answer that counts as a failure */
    UPSTREAM_FAILURES        /* how many kinds there are */
} upstream_failure_t;

/* What an exchange with an origin leaves for $upstream_* and the logs; one per attempt. */
typedef struct upstream_attempt {
    str_t address;              /* "127.0.0.1:8080", "unix:/path" */
    int status;                 /* 0: none came */
    uint64_t started_us;        /* clock_us_now */
    int64_t connect_us, header_us, response_us; /* -1: not reached */
    uint64_t received, sent;    /* bytes */
    uint64_t length;            /* bytes of the response's body */
    upstream_failure_t failure;
    bool redirected;            /* the next attempt belongs to another location ("; " in logs) */
} upstream_attempt_t;

/* The connection's way to carry this request's reply (h1, h2). */
typedef struct sink_ops {
    int (*head)(request_t *r);  /* takes the head; need not send yet */
    int (*body)(request_t *r, const piece_t *pieces, unsigned n, unsigned flags);
    int (*interim)(request_t *r, int status, const header_list_t *headers);
    void (*abort)(request_t *r);
    /* The next piece of the request's body: its length, 0 at the end, an error of body.h. It may be
       read into `room` (n bytes) or stand in a buffer of the connection until the next call. */
    ssize_t (*read)(request_t *r, char *room, size_t n, str_t *piece);
    /* Whether `read` has something, if only the end, without asking the client. */
    bool (*readable)(const request_t *r);
    /* What is left of the body when all of it has come; SIZE_MAX: it has not. NULL: never known. */
    size_t (*rest)(const request_t *r);
    /* Waits until the client has sent more, or `other` is readable. 0, or an error. Suspends. */
    int (*wait)(request_t *r, loop_fd_t *other, uint64_t timeout_ms);
    /* Bytes of the reply's body that the client would take now. NULL: only sending tells. */
    size_t (*window)(const request_t *r);
    /* From now on the running fiber is cancelled (-ECONNABORTED) when the client leaves; or not. */
    void (*watch)(request_t *r, bool on);
    /* A tunnel takes over: what carries bytes from and to the client from now on. *early: those
       that were read already, valid until the fiber suspends. */
    stream_t *(*detach)(request_t *r, str_t *early);
    /* Its end: ends the request and what carried it; err: negative errno, 0: in order. */
    void (*close)(request_t *r, int err);
} sink_ops_t;

struct request {
    pool_t *pool;
    conn_t *conn;
    const sink_ops_t *sink;
    void *sink_state;           /* of the sink */
    log_t log;
    uint64_t started_ms;        /* clock_unix_ms when the first byte came */
    uint64_t began_ms;          /* clock_ms at the same moment */
    unsigned serial;            /* among those of its connection, from 1: $connection_requests */

    parse_request_t head;       /* as the client sent it */
    str_t method;               /* may be changed by error_page (to GET) */
    parse_method_t method_id;
    str_t uri;                  /* normalised; changed by rewrites and internal redirects */
    str_t args;                 /* behind "?"; p NULL: none */
    str_t host;                 /* of the target or Host: lower case, without port */
    str_t scheme;               /* "http" or "https" */
    net_addr_t client;          /* the peer, or what realip made of it */
    str_t client_text;          /* made when it is asked for: request_client_text */

    site_server_t *server;
    const site_location_t *location;
    void **conf;                /* of the location, else of the server: structs by module index */
    regex_match_t *captures;    /* of the regex that matched last: $1..$9 */
    str_t *vars;                /* values by index, made on the first use (var.c) */
    uint8_t *vars_known;

    body_t body;
    header_list_t trailers;     /* behind it, when it has ended; never to be taken for headers */
    reply_t reply;
    VEC(upstream_attempt_t) attempts;
    str_t upstream_url;         /* of the present attempt, for the log: "http://1.2.3.4:80/x" */
    str_t challenge;            /* WWW-Authenticate of a 401 that has none; p NULL: none */
    const header_list_t *upstream_headers; /* of the last response; for $upstream_http_ */

    void *cache;                /* of modules/cache: what it found out */
    str_t named;                /* reroute target "@name"; p NULL: by URI */
    uint64_t received;          /* bytes of head and body: $request_length */
    unsigned reroutes;          /* so far; bounded */
    int error_status;           /* error_page: the status the page is sent with; 0: its own */
    bool server_rewrite;        /* run PHASE_SERVER_REWRITE (again) */
    bool internal;              /* since an internal redirect: `internal` locations are open */
    bool uri_changed;           /* since the head was read: a proxy may not send the raw target */
    bool uri_broken;            /* rewritten with "break": the location's name is no part of it */
    bool inner;                 /* of fetch.h: no access, no filters, no client of its own */
    bool elsewhere;             /* inner, and for a URI of its own: as a client might ask for it */
    bool plain;                 /* the body is to come without a content coding: it is rewritten */
    bool logged;
    bool detached;              /* a tunnel has it: its end and its log line are the tunnel's */
    bool pattern_failed;        /* a regex hit a limit: nothing follows from it, refuse (500) */
    bool pipelined;             /* its first byte came with the request before: $pipe */
    uint8_t var_depth;          /* getters within getters (var.c) */
};

/* A module's struct for this request, by the module's index. */
static inline const void *request_conf(const request_t *r, unsigned index)
{
    return r->conf[index];
}

/* Made by the connection for a parsed head; ends with request_end (in the same fiber). */
request_t *request_new(conn_t *conn, const sink_ops_t *sink);
void request_end(request_t *r);

/*
 * A request for the same content that depends on nothing of r but its connection: it owns copies of
 * the head, the variables that have values, the captures. No body, an empty reply. Ends with
 * request_end (in its own fiber).
 */
request_t *request_copy(const request_t *r, const sink_ops_t *sink);

/* Copies of a text (p NULL stays so) and of all fields of a list, in the pool. */
str_t request_copy_text(pool_t *pool, str_t s);
void request_copy_fields(pool_t *pool, const header_list_t *from, header_list_t *to);

/* What is worth having ready of the reply's body: what the client would take now, or a little. */
enum { REQUEST_WINDOW_LEAST = 4096 };

static inline size_t request_window(const request_t *r)
{
    size_t n = r->sink->window ? r->sink->window(r) : SIZE_MAX;
    return n > REQUEST_WINDOW_LEAST ? n : REQUEST_WINDOW_LEAST;
}

/* The request belongs to this server or location from now on: structs and error log. */
void request_set_server(request_t *r, site_server_t *server);
void request_set_conf(request_t *r, void **conf);

/*
 * An internal redirect: sends the request to another URI (normalised) and args, or to a named
 * location ("@name") of its server. Return the verdict. flow.c bounds how often.
 */
verdict_t request_reroute(request_t *r, str_t uri, str_t args);
verdict_t request_reroute_named(request_t *r, str_t name);

enum { REQUEST_REROUTES_MAX = 10 };

/* User and password of Basic authentication (RFC 7617). False: the client sent none that are
   fit. */
bool request_basic(request_t *r, str_t *user, str_t *password);

/* The client's address without its port: $remote_addr. */
str_t request_client_text(request_t *r);

/* path as an absolute or relative URL for Location, as absolute_redirect and its kin say. */
str_t request_absolute(request_t *r, str_t path);

/* The request's URI with "/" behind the path, escaped: where a directory is sent to. */
str_t request_with_slash(request_t *r);

/* The original request target without anything of ours: $request_uri. */
static inline str_t request_target(const request_t *r)
{
    return r->head.target;
}

#endif
