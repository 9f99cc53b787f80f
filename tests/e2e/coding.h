/*
 * coding: the content codings as others have written them (zlib, brotli, zstd): a text that packs
 * well, the same packed, and what came unpacked.
 */
#ifndef TESTS_E2E_CODING_H
#define TESTS_E2E_CODING_H

#include "tests/e2e/origin.h"
#include "tests/e2e/wire.h"

enum { CODING_MOST = 8 << 20 }; /* bytes unpacked */

/* Text as pages are: compressible, and different from place to place. */
str_t coding_page(size_t n);

/* In gzip (x-gzip), deflate, br or zstd. p NULL: not in this build. */
str_t coding_pack(const char *coding, str_t s);

typedef struct unpacked {
    str_t text; /* as far as it has come, followed by a NUL */
    bool whole; /* the end was there, with what proves the text, and nothing behind it */
} unpacked_t;

unpacked_t coding_unpack(const char *coding, str_t packed);

/* All of it, which must be whole. */
str_t coding_unpack_whole(const char *coding, str_t packed);

/* The reply is in no coding, and its body is this. */
void coding_assert_plain(const reply_t *r, str_t content);

/* Reads chunks until all that has come since the head holds `part`, unpacked. */
void coding_await(wire_t *w, const char *coding, str_t *packed, const char *part);

/* An origin that answers one request with arg. */
typedef struct coding_said {
    const char *coding;
    str_t body;         /* packed */
    const char *fields; /* further ones; NULL: none */
} coding_said_t;

origin_fn coding_say;

#endif
