/*
 * gunzip: the filter that decompresses a reply's body for a client that does not take gzip.
 *
 * It holds zlib's state and one buffer, however much a body grows: what does not fit waits for the
 * client. A body that is broken, or ends too early, breaks the reply off. May suspend: a slow
 * client.
 */
#ifndef MODULES_GZIP_GUNZIP_H
#define MODULES_GZIP_GUNZIP_H

#include "http/request.h"

/* In the head hook of a reply that is gzip: it will not be. */
void gunzip_start(request_t *r);

#endif
