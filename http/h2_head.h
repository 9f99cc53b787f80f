/*
 * h2_head: the head of a request as HTTP/2 brings it: fields one by one, kept as text until the
 * request begins, then judged by the rules of HTTP/1 (parse.h) and those of RFC 9113 8.1 to 8.3.
 * Pure; nothing suspends.
 *
 * What cannot go on to an origin of HTTP/1 is refused here: fields of the connection, a Host that
 * differs from :authority, any target but a path. Cookies are joined (8.2.3). A CONNECT with
 * :protocol websocket (RFC 8441) becomes what HTTP/1 asks for a WebSocket with: a GET with Upgrade.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "http/parse.h"

typedef struct h2_head {
    char *text;      /* malloced; slices of the head point here, the owner frees it */
    size_t n, room;  /* of the text */
    size_t size;     /* of all fields as HTTP/1 would have them */
    unsigned fields;
    bool large;      /* more than the limits allow: what came then was not kept */
    bool large_path; /* and it was :path */
} h2_head_t;

/* Keeps a field. line: the most of one, all: the most of the head. */
void h2_head_add(h2_head_t *h, str_t name, str_t value, size_t line, size_t all);

/*
 * Makes out of it. ended: no body follows. *extended: the client wants a tunnel. out->headers must
 * have been initialised, with the pool.
 */
parse_error_t h2_head_read(const h2_head_t *h, bool ended, parse_request_t *out, bool *extended);

/* Makes a list of trailers out of it; none when they were too large. */
void h2_head_trailers(const h2_head_t *h, pool_t *pool, header_list_t *out);

#endif
