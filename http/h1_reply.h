/*
 * h1_reply: the sink of HTTP/1: heads, bodies and interim responses onto a client's connection.
 *
 * The head is made by h1_reply_head and leaves with the first of the body in one write. What was
 * declared is what is sent: a body that is shorter or longer than its length aborts. Used by h1.c.
 */
#ifndef HTTP_H1_REPLY_H
#define HTTP_H1_REPLY_H

#include "http/chunk.h"
#include "http/request.h"

/* What HTTP/1 knows of the request in hand (request.sink_state). */
typedef struct h1 {
    /* the request's body */
    uint64_t left;       /* of a body of known length */
    chunk_t chunk;
    buf_t *encoded;      /* bytes of a chunked body; NULL: not begun */
    bool body_asked;     /* the handler has asked for the body: 100 Continue was due */
    bool body_ended;
    /* the reply */
    bool keep_alive;     /* the connection can go on after this exchange */
    bool chunked;
    buf_t *out;          /* the head, until it is sent */
    uint64_t sent_before; /* the stream's counter when the request began, and behind the head */
    uint64_t head_end;
} h1_t;

int h1_reply_head(request_t *r);
int h1_reply_body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags);
int h1_reply_interim(request_t *r, int status, const header_list_t *headers);
void h1_reply_abort(request_t *r);

#endif
