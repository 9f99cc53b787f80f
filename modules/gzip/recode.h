/*
 * recode: what a reply's head must say when its content coding is changed on the way.
 *
 * Nothing suspends.
 */
#ifndef MODULES_GZIP_RECODE_H
#define MODULES_GZIP_RECODE_H

#include "http/request.h"

/* Vary: Accept-Encoding, unless it says so (or "*") already (RFC 9110 12.5.5). */
void recode_vary(reply_t *p);

/*
 * The reply gets this coding (p NULL: none) in place of the one it had: its length is not known any
 * more, it has no parts to offer, its ETag is a weak one (RFC 9110 8.8.1), digests of the old bytes
 * go (RFC 9530 2).
 */
void recode_head(reply_t *p, str_t coding);

/*
 * A 304 for a client that holds a recoded reply, as its If-None-Match shows: the ETag must be the
 * weak one that this had, or nothing stored would be updated by it (RFC 9111 4.3.4). False: it
 * holds none.
 */
bool recode_not_modified(request_t *r);

#endif
