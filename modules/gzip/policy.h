/*
 * policy: whether a reply is to be compressed or decompressed.
 *
 * Decided from the heads of request and reply and the configuration alone. Nothing suspends.
 */
#ifndef MODULES_GZIP_POLICY_H
#define MODULES_GZIP_POLICY_H

#include "http/request.h"
#include "modules/gzip/gzip_conf.h"

/* Whether the reply is one to compress, for a client that wants it: status, type, length, not coded
   already, no no-transform (RFC 9110 7.7). Where it is, it depends on Accept-Encoding. */
bool policy_compresses(const request_t *r, const gzip_conf_t *c);

/* Whether this client gets it compressed. */
bool policy_wanted(const request_t *r, const gzip_conf_t *c);

/* Whether the reply is gzip and nothing else, and one to decompress for a client that wants it. */
bool policy_decompresses(const request_t *r);

/* Whether this client takes no gzip at all. */
bool policy_refused(const request_t *r, const gzip_conf_t *c);

#endif
