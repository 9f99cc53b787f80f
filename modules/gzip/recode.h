/*
 * recode: what the head of a reply, or a request, must say when the content coding of its body is
 * changed on the way.
 *
 * Nothing suspends.
 */
#ifndef MODULES_GZIP_RECODE_H
#define MODULES_GZIP_RECODE_H

#include "http/negotiate.h"
#include "http/request.h"

/* The one coding that the fields name; CODING_COUNT: an unknown one, or several. */
coding_t recode_coding(const header_list_t *list);

/* The fields get this coding in place of theirs; digests of the old bytes go (RFC 9530 2). */
void recode_fields(header_list_t *list, coding_t coding);

/* The same in trailers, which are there when the body ends. */
void recode_trailers(header_list_t *list);

/* Vary: Accept-Encoding, unless it says so (or "*") already (RFC 9110 12.5.5). */
void recode_vary(reply_t *p);

/*
 * The reply gets this coding in place of the one it had: its length is not known any more, it has
 * no parts to offer, its ETag is a weak one (RFC 9110 8.8.1).
 */
void recode_head(reply_t *p, coding_t coding);

/*
 * A 304 for a client that holds a recoded reply, as its If-None-Match shows: the ETag must be the
 * weak one that this had, or nothing stored would be updated by it (RFC 9111 4.3.4), and no coding
 * is told that it has not. False: it holds none.
 */
bool recode_not_modified(request_t *r);

#endif
