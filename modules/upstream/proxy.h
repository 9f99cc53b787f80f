/*
 * proxy: proxy_pass: what the rooms of the proxy share: its directives and one request's passage.
 *
 *     proxy_module.c     the content handler: one attempt after the other
 *     proxy_attempt.c    one attempt: connection, exchange, and what the answer means
 *     proxy_next.c       whether another one may follow
 *     proxy_hedge.c      whether one may run beside it
 *     proxy_failure.c    what went wrong, in words
 *     proxy.c            the log, the client's leaving
 *     proxy_conf.c       the directives; grpc_conf.c those of grpc_pass, which is no other thing;
 *     proxy_rows.c       and what both have in common
 *     proxy_target.c     proxy_pass itself: whom to ask, for which URI
 *     proxy_fields.c     header fields of the request, compiled per location
 *     proxy_announce.c   the PROXY protocol's header before all
 *     proxy_connect.c    the connection of an attempt
 *     proxy_upload.c     the request on its way over HTTP/2
 *     proxy_request.c    the request's head and body on their way to the origin
 *     proxy_response.c   the response's head and body on their way to the client
 *     proxy_ssl.c        https origins
 *     proxy_store.c      responses kept as files
 *     proxy_redirect.c   Location, Refresh and Set-Cookie rewritten; proxy_cookie.c: its flags
 */
#ifndef MODULES_UPSTREAM_PROXY_H
#define MODULES_UPSTREAM_PROXY_H

#include "http/client.h"
#include "http/request.h"
#include "http/text.h"
#include "modules/upstream/balance.h"
#include "modules/upstream/proxy_cookie.h"
#include "modules/upstream/proxy_fields.h"
#include "modules/upstream/proxy_redirect.h"
#include "modules/upstream/proxy_ssl.h"
#include "modules/upstream/proxy_store.h"
#include "modules/upstream/proxy_target.h"

/* Bits of proxy_next_upstream: what happened to an attempt. */
enum {
    PROXY_ERROR = 1 << 0,
    PROXY_TIMEOUT = 1 << 1,
    PROXY_INVALID_HEADER = 1 << 2,
    PROXY_HTTP_500 = 1 << 3,
    PROXY_HTTP_502 = 1 << 4,
    PROXY_HTTP_503 = 1 << 5,
    PROXY_HTTP_504 = 1 << 6,
    PROXY_HTTP_403 = 1 << 7,
    PROXY_HTTP_404 = 1 << 8,
    PROXY_HTTP_429 = 1 << 9,
    PROXY_NON_IDEMPOTENT = 1 << 10,
    PROXY_OFF = 1 << 11,
};

/* Bits of proxy_ignore_headers, beside those for a cache (REPLY_IGNORE_). */
enum {
    PROXY_IGNORE_REDIRECT = 1 << 0,
    PROXY_IGNORE_LIMIT_RATE = 1 << 1,
    PROXY_IGNORE_BUFFERING = 1 << 2,
    PROXY_IGNORE_CHARSET = 1 << 3,
};

enum { PROXY_HTTP_10, PROXY_HTTP_11, PROXY_HTTP_2 };

typedef struct proxy_hedge { /* proxy_hedge_after; both 0: off */
    unsigned percent;
    msec_t after;
} proxy_hedge_t;

typedef struct proxy_conf {
    proxy_pass_t *pass;              /* NULL: no proxy here */
    proxy_set_headers_t set_headers; /* proxy_set_header, as given */
    proxy_fields_t fields;           /* compiled */
    conf_strs_t hide, show;          /* proxy_hide_header, proxy_pass_header */
    proxy_names_t hidden;            /* compiled */
    proxy_rewrites_t redirects, cookie_domains, cookie_paths;
    proxy_cookie_rules_t cookie_flags;
    text_t method, set_body, bind;
    proxy_store_conf_t store;
    str_t via;                       /* pseudonym; empty: off */
    unsigned http_version;
    unsigned protocol;               /* PROXY_PROTOCOL_V1 or V2; 0: none is spoken */
    unsigned next_upstream, next_tries;
    budget_limit_t budget;
    proxy_hedge_t hedge;
    unsigned ignore_headers;
    msec_t connect_timeout, send_timeout, read_timeout, next_timeout;
    msec_t http2_ping;               /* 0: never */
    size_t buffer_size, buffers_size, max_header_size;
    unsigned buffers_count;
    size_t unused_size;              /* of directives accepted for nginx's sake */
    unsigned unused_count;
    bool unused_flag;
    conf_strs_t unused_words;
    bool buffering, request_buffering, pass_headers, pass_body;
    bool intercept_errors, ignore_client_abort, socket_keepalive;
    struct proxy_passes *passes;     /* all of the http block, to be bound at its end */
} proxy_conf_t;

extern unsigned proxy_index;
extern const module_t proxy_module;

extern unsigned grpc_index;
extern const module_t grpc_module;

/* One request's passage to its origin. */
typedef struct proxy {
    request_t *r;
    const proxy_conf_t *conf;
    proxy_target_t target;
    choice_t choice;
    upstream_peer_t *peer;
    client_t *client;
    net_addr_t from;            /* proxy_bind; len 0: none */
    tls_client_t tls;           /* ctx NULL: a plain origin */
    bool handshaking;           /* connected, not yet of one mind over TLS */
    uint64_t began_ms;          /* clock_ms */
    uint64_t limit_rate;        /* X-Accel-Limit-Rate, bytes a second; 0: no limit */
    bool limited;               /* it was given */
    proxy_store_t *store;       /* the file it is kept in; NULL: none */
    unsigned http_version;      /* of the attempt: as configured, but for tunnels */
    str_t protocol;             /* what the client wants to change to, and may; empty: nothing */
    bool extended;              /* which is asked for as RFC 8441 has it */
    str_t body;                 /* the body in memory, when it is known whole */
    int64_t body_length;        /* of what the origin gets; -1: in chunks */
    header_list_t *trailers;    /* of it, when its end has been read; NULL: there are none */
    unsigned tries;             /* attempts so far */
    unsigned attempt;           /* the present one: its index in r->attempts */
    unsigned failure;           /* PROXY_ bit of the last attempt; 0: none */
    bool again;                 /* after its end: another one is to follow */
    bool has_body, body_in_file, body_streamed;
    str_t uri;                  /* the request target for the origin */
    parse_method_t method_id;   /* what the origin is asked with: proxy_method, or the client's */
    bool body_begun;            /* some of a streamed body is gone: no second attempt */
    bool request_sent;          /* some of the request went to an origin */
    bool upgrade;               /* the origin was asked to change protocols */
    bool reused;                /* the connection was idle before */
    bool buffering;
    bool hedge;                 /* in a fiber of its own beside the request's (proxy_hedge.c) */
    bool raced;                 /* there are two: a failure of this one leaves the other */
    struct hedge *race;         /* both; NULL: there is none */
    int (*interim)(void *p, const parse_response_t *head); /* of client.h */
    bool watching;              /* the client's leaving cancels the fiber */
    fiber_t *uploader;          /* sends the body meanwhile (proxy_upload.c); NULL: none */
    str_t upload_first;         /* what it begins with */
    int upload_error;           /* of body.h: the client's body could not be read; 0: none */
} proxy_t;

static inline upstream_attempt_t *proxy_attempt(const proxy_t *p)
{
    return &p->r->attempts.v[p->attempt];
}

/* "TEXT (111: Connection refused) while DOING": nginx's phrases, which log watchers match. */
void proxy_log(const proxy_t *p, int level, int err, const char *text, const char *doing);

/* What a shared exchange failed of with -EBADMSG, for a line of the log. */
const char *proxy_fault(const proxy_t *p);

/* For other rooms' lines: upstream: "http://..." of this attempt. */
void proxy_note_url(const proxy_t *p);

/*
 * Around a wait for the origin: should the client leave meanwhile, the wait ends with -ECONNABORTED
 * (unless proxy_ignore_client_abort).
 */
void proxy_watch_client(proxy_t *p, bool on);

#endif
