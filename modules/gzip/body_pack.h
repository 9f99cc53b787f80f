/*
 * body_pack: a request's body packed on its way to the origin (proxy_request_compress).
 *
 * A body that has been gathered already is packed whole; any other as it is read, and flushed where
 * the client pauses. client_max_body_size goes on to count what the client sends. Held while the
 * body is read: one stream of the codec's and two buffers. Reading suspends, starting does not.
 */
#ifndef MODULES_GZIP_BODY_PACK_H
#define MODULES_GZIP_BODY_PACK_H

#include "http/request.h"
#include "modules/gzip/codec.h"

/* Unless there is none, it is in a coding already, some of it has been read, or it stands in a
   file. */
void body_pack_start(request_t *r, coding_t coding, unsigned level, unsigned window);

#endif
