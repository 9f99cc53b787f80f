/*
 * policy: whether a reply, or a request's body, is to be compressed or decompressed.
 *
 * Decided from the heads of request and reply and the configuration alone. Nothing suspends.
 */
#ifndef MODULES_GZIP_POLICY_H
#define MODULES_GZIP_POLICY_H

#include "http/request.h"
#include "modules/gzip/gzip_conf.h"

typedef struct policy {
    coding_t coding; /* CODING_IDENTITY: the reply stays as it is */
    bool varies;     /* it depends on Accept-Encoding */
} policy_t;

/*
 * Whether the reply is packed, and in which coding: one that is switched on and fits the reply
 * (status, type, length, not coded already, no no-transform of RFC 9110 7.7), and of those the one
 * that the client likes best. Among equals zstd comes first, then Brotli, then gzip.
 */
policy_t policy_compress(const request_t *r, const gzip_conf_t *c);

/* The same, when gunzip is on: whether the reply is in one coding that can be unpacked, which is
   then `coding` for a client that does not take it. */
policy_t policy_decompress(const request_t *r, const gzip_conf_t *c);

/*
 * The same of a reply without a whole body of its own, a 206 or 304: whether the 200 in its place
 * would depend on Accept-Encoding (RFC 9110 15.3.7, 15.4.5: then they must say so). A type that it
 * does not tell counts as one that fits.
 */
bool policy_varies(const request_t *r, const gzip_conf_t *c);

/* Whether a request's body is one to pack towards the origin: type and length, not coded
   already. */
bool policy_packs_body(const request_t *r, const gzip_coding_t *c);

#endif
