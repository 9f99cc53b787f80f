#include "tests/e2e/coding.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "config.h"

#ifdef HAVE_BROTLI
#include <brotli/decode.h>
#include <brotli/encode.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

str_t coding_page(size_t n)
{
    char *p = pool_bytes(harness_pool, n + 1);
    for (size_t i = 0, line = 0; i < n; line++) {
        const char *s = text("<li><a href=\"/item/%zu\">number %zu</a></li>\n", line * 7, line);
        size_t part = strlen(s) < n - i ? strlen(s) : n - i;
        memcpy(p + i, s, part);
        i += part;
    }
    p[n] = 0;
    return str_make(p, n);
}

static bool is(const char *coding, const char *name)
{
    return strcmp(coding, name) == 0;
}

/* For zlib. */
static int window_of(const char *coding)
{
    return is(coding, "deflate") ? 15 : 15 + 16;
}

/* --- packing --- */

static str_t pack_zlib(const char *coding, str_t s)
{
    size_t most = compressBound((uLong)s.n) + 64;
    char *out = pool_bytes(harness_pool, most);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)s.p,
                  .avail_in = (uInt)s.n,
                  .next_out = (Bytef *)out,
                  .avail_out = (uInt)most};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, window_of(coding), 8, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = (size_t)z.total_out;
    deflateEnd(&z);
    return str_make(out, n);
}

str_t coding_pack(const char *coding, str_t s)
{
#ifdef HAVE_BROTLI
    if (is(coding, "br")) {
        size_t n = BrotliEncoderMaxCompressedSize(s.n);
        uint8_t *out = (uint8_t *)pool_bytes(harness_pool, n);
        cr_assert(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, s.n, (const uint8_t *)s.p, &n,
                                        out));
        return str_make((char *)out, n);
    }
#endif
#ifdef HAVE_ZSTD
    if (is(coding, "zstd")) {
        size_t most = ZSTD_compressBound(s.n);
        char *out = pool_bytes(harness_pool, most);
        return str_make(out, ZSTD_compress(out, most, s.p, s.n, 3));
    }
#endif
    return is(coding, "br") || is(coding, "zstd") ? str_make(NULL, 0) : pack_zlib(coding, s);
}

/* --- unpacking: how many bytes stand in out --- */

static size_t unpack_zlib(const char *coding, str_t packed, char *out, bool *whole)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)out,
                  .avail_out = CODING_MOST};
    cr_assert_eq(inflateInit2(&z, window_of(coding)), Z_OK);
    int got = inflate(&z, Z_SYNC_FLUSH);
    cr_assert(got == Z_STREAM_END || got == Z_OK || got == Z_BUF_ERROR, "inflate: %d", got);
    *whole = got == Z_STREAM_END && z.avail_in == 0;
    size_t n = (size_t)z.total_out;
    inflateEnd(&z);
    return n;
}

#ifdef HAVE_BROTLI
static size_t unpack_brotli(str_t packed, char *out, bool *whole)
{
    const uint8_t *from = (const uint8_t *)packed.p;
    uint8_t *to = (uint8_t *)out;
    size_t room = CODING_MOST;
    BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    BrotliDecoderResult got = BrotliDecoderDecompressStream(d, &packed.n, &from, &room, &to, NULL);
    BrotliDecoderDestroyInstance(d);
    cr_assert_neq(got, BROTLI_DECODER_RESULT_ERROR);
    *whole = got == BROTLI_DECODER_RESULT_SUCCESS && packed.n == 0;
    return CODING_MOST - room;
}
#endif

#ifdef HAVE_ZSTD
static size_t unpack_zstd(str_t packed, char *out, bool *whole)
{
    ZSTD_inBuffer from = {packed.p, packed.n, 0};
    ZSTD_outBuffer to = {out, CODING_MOST, 0};
    ZSTD_DCtx *d = ZSTD_createDCtx();
    size_t got = ZSTD_decompressStream(d, &to, &from);
    ZSTD_freeDCtx(d);
    cr_assert_not(ZSTD_isError(got));
    *whole = got == 0 && from.pos == from.size;
    return to.pos;
}
#endif

static size_t unpack(const char *coding, str_t packed, char *out, bool *whole)
{
#ifdef HAVE_BROTLI
    if (is(coding, "br")) return unpack_brotli(packed, out, whole);
#endif
#ifdef HAVE_ZSTD
    if (is(coding, "zstd")) return unpack_zstd(packed, out, whole);
#endif
    return unpack_zlib(coding, packed, out, whole);
}

unpacked_t coding_unpack(const char *coding, str_t packed)
{
    unpacked_t u = {0};
    char *out = malloc(CODING_MOST);
    cr_assert(out);
    size_t n = unpack(coding, packed, out, &u.whole);
    char *copy = pool_bytes(harness_pool, n + 1);
    memcpy(copy, out, n);
    copy[n] = '\0';
    free(out);
    u.text = str_make(copy, n);
    return u;
}

str_t coding_unpack_whole(const char *coding, str_t packed)
{
    unpacked_t u = coding_unpack(coding, packed);
    cr_assert(u.whole, "%zu bytes of %s are not whole", packed.n, coding);
    return u.text;
}

void coding_assert_plain(const reply_t *r, str_t content)
{
    wire_assert_field(r, "Content-Encoding", NULL);
    cr_assert(str_eq(r->body, content), "%zu bytes instead of %zu", r->body.n, content.n);
}

void coding_await(wire_t *w, const char *coding, str_t *packed, const char *part)
{
    while (!packed->n || !strstr(coding_unpack(coding, *packed).text.p, part)) {
        size_t n = (size_t)strtoul(wire_through(w, "\r\n"), NULL, 16);
        cr_assert(n, "the body ended before \"%s\"", part);
        *packed = pool_concat(harness_pool, *packed, wire_bytes(w, n));
        wire_bytes(w, 2);
    }
}

/* --- the origin --- */

void coding_say(visit_t *v)
{
    const coding_said_t *s = visit_arg(v);
    char head[512];
    if (!visit_request(v)) return;
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: %s\r\n"
             "%sContent-Length: %zu\r\n\r\n",
             s->coding, s->fields ? s->fields : "", s->body.n);
    visit_send(v, head);
    if (strncmp(visit_head(v), "HEAD", 4) != 0) visit_send_n(v, s->body.p, s->body.n);
}
