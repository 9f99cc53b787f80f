/*
 * reply: how content is answered: head, body, end.
 *
 * A content handler fills r->reply (status, headers, length), calls reply_start, then reply_body
 * until BODY_LAST. Or one of the short cuts. The head goes out together with the first of the body.
 * Once it is out an error can only abort, so that a truncated body never looks whole. May suspend.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "http/filter.h"
#include "http/header.h"
#include "http/hooks.h"

enum { REPLY_LENGTH_UNKNOWN = -1 };

/* Fields of an origin's response that are to have no effect on a cache (proxy_ignore_headers). */
enum {
    REPLY_IGNORE_ACCEL_EXPIRES = 1 << 16,
    REPLY_IGNORE_EXPIRES = 1 << 17,
    REPLY_IGNORE_CACHE_CONTROL = 1 << 18,
    REPLY_IGNORE_SET_COOKIE = 1 << 19,
    REPLY_IGNORE_VARY = 1 << 20,
};

typedef struct reply {
    int status;               /* 0: nothing decided */
    str_t reason;             /* p NULL: the registered phrase */
    header_list_t headers;    /* all but those written by the connection: Connection, Date, Server,
                                 Content-Length, Transfer-Encoding, Keep-Alive */
    header_list_t trailers;   /* sent behind a chunked body */
    int64_t length;           /* of the body, or REPLY_LENGTH_UNKNOWN */
    str_t content_type;       /* with charset; p NULL: none */
    bool type_by_uri;         /* content_type is a guess: what the URI's extension says is better */
    str_t server, date;       /* an origin's own, passed on; p NULL: ours */
    uint64_t limit_rate;      /* bytes per second of the body, 0: unlimited; counts when */
    bool limit_rate_set;      /* $limit_rate or X-Accel-Limit-Rate was, over limit_rate */
    filter_t *filters;
    uint64_t left;            /* of the declared length, while `counted`: for the connection */
    uint64_t body_sent;       /* bytes of body on the wire, with its framing: $body_bytes_sent */
    uint64_t bytes_sent;      /* and of heads: $bytes_sent */
    unsigned ignored;         /* REPLY_IGNORE_ bits, of a response that came from an origin */
    bool head_only;           /* HEAD, 204, 304: the body is dropped here */
    bool started;             /* reply_start has run */
    bool head_sent;           /* some of it has left: no other status is possible any more */
    bool finished, aborted;
    bool counted;
    bool close;               /* close the connection after it */
    bool error_page;          /* being served by error_page */
    bool recoded;             /* its content coding is decided: nobody packs it on the way */
} reply_t;

/* Sets status and empties the headers (a fresh start while nothing was started). What was said of
   the connection and the rate stays. */
void reply_reset(request_t *r, int status);

/* The body will be another than its head tells: no length, ranges and digests, a weak ETag. */
void reply_recast(reply_t *p);

/* Runs the head hooks. 0 or negative errno. */
int reply_start(request_t *r);

/* A part of the body; BODY_LAST ends the reply. 0 or negative errno. */
int reply_body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags);

/* An interim response (100 is the connection's business; 103, 102). 0 or negative errno. */
int reply_interim(request_t *r, int status, const header_list_t *headers);

/* Breaks the reply off: the client sees that it is not whole. */
void reply_abort(request_t *r);

/* Whole replies. The verdict to return from the handler. */
verdict_t reply_text(request_t *r, int status, str_t content_type, str_t body);
verdict_t reply_redirect(request_t *r, int status, str_t location); /* with the standard page */
verdict_t reply_page(request_t *r, int status);  /* the built-in page of a status */
verdict_t reply_own_page(request_t *r); /* the same for r->reply as it is, with its headers */

/* For connections. What was declared must be what is sent, or a client would take a part for the
   whole: begin with the head, count every piece of the body. 0, or -EPROTO. */
void reply_count_begin(request_t *r);
int reply_count(request_t *r, uint64_t size, bool last);

/* Whether Content-Length is part of the head (RFC 9110 8.6); and the value of Server. */
bool reply_tells_length(const request_t *r);
str_t reply_server(const request_t *r);

/* Writes head and body as one, sends, ends: for handlers that have it all. */
verdict_t reply_send(request_t *r, const piece_t *body, unsigned n);

#endif
