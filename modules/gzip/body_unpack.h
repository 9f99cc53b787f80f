/*
 * body_unpack: a request's body unpacked before anybody reads it (client_body_decompress).
 *
 * The origin gets plain content with a length of its own. What is broken is refused with 400, what
 * grows beyond a ratio, or in plain beyond client_max_body_size, with 413. Held while the body is
 * read: one stream of the codec's and two buffers; a stream's window (of zstd at most 8 MiB, of
 * Brotli 16) is touched only as far as content has come, so client_max_body_size bounds that, too.
 * Reading suspends, starting does not.
 */
#ifndef MODULES_GZIP_BODY_UNPACK_H
#define MODULES_GZIP_BODY_UNPACK_H

#include "http/request.h"

/* Before anything of the body was read. NEXT; or 415 with what is taken in Accept-Encoding (RFC
   9110 12.5.3, 15.5.16) when the body is in an unknown coding, or several. ratio 0: without a
   bound. */
verdict_t body_unpack_start(request_t *r, unsigned ratio);

#endif
