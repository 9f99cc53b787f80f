/*
 * chunk: the chunked transfer coding (RFC 9112 section 7.1), incremental, in place. Pure; fuzzed.
 *
 * Strict: the size is 1 to 16 hexadecimal digits, at most INT64_MAX, without whitespace around it;
 * CRLF everywhere. Chunk extensions are checked for controls and for line ends inside quotes,
 * bounded (CHUNK_EXT_MAX bytes per chunk) and dropped. Trailers are left to the caller: they stand
 * in the bytes behind the last chunk (parse_trailers). Nothing suspends.
 */
#ifndef HTTP_CHUNK_H
#define HTTP_CHUNK_H

#include "core/base/str.h"

enum { CHUNK_EXT_MAX = 256, CHUNK_HEAD_MAX = 18 /* "ffffffffffffffff\r\n" */ };

typedef struct chunk {
    uint64_t left;  /* bytes left of the chunk's data */
    uint16_t ext;   /* bytes of extension seen in this chunk */
    uint8_t state;  /* zero: at the start */
    uint8_t digits;
} chunk_t;

typedef enum chunk_result {
    CHUNK_MORE, /* all given bytes are used up */
    CHUNK_DATA, /* *data is a piece of the body, inside the bytes given */
    CHUNK_LAST, /* the zero-size chunk's line has been read; trailers follow */
    CHUNK_BAD,
} chunk_result_t;

/*
 * Takes bytes off the front of *in; call until CHUNK_MORE, CHUNK_LAST or CHUNK_BAD (the last two
 * stay as they are when called again).
 */
chunk_result_t chunk_decode(chunk_t *c, str_t *in, str_t *data);

/* Writes "SIZE\r\n" in lower-case hexadecimal to out (CHUNK_HEAD_MAX bytes); returns its length. */
size_t chunk_put_head(char *out, uint64_t size);

#endif
