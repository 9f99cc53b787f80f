#include "modules/gzip/whole.h"

#include "config.h"
#include "core/base/panic.h"

#ifdef HAVE_LIBDEFLATE

#include <libdeflate.h>

enum { LEVELS = 9 };

static struct libdeflate_compressor *compressors[LEVELS + 1];

static struct libdeflate_compressor *compressor_of(unsigned level)
{
    struct libdeflate_compressor **c = &compressors[level];
    if (!*c) *c = libdeflate_alloc_compressor((int)level);
    if (!*c) panic("out of memory");
    return *c;
}

static buf_t *pack_gzip(unsigned level, str_t content)
{
    struct libdeflate_compressor *c = compressor_of(level);
    buf_t *out = buf_take(libdeflate_gzip_compress_bound(c, content.n));
    size_t n = libdeflate_gzip_compress(c, content.p, content.n, out->start, buf_capacity(out));
    ASSERT(n > 0);
    out->last = out->start + n;
    return out;
}

void whole_trim(void)
{
    for (unsigned i = 0; i <= LEVELS; i++) {
        libdeflate_free_compressor(compressors[i]);
        compressors[i] = NULL;
    }
}

#else

static buf_t *pack_gzip(unsigned level, str_t content)
{
    (void)level, (void)content;
    return NULL;
}

void whole_trim(void)
{
}

#endif

/* What no library packs by more than a few bytes a block can come to. */
static size_t bound(size_t n)
{
    return n + n / 512 + 1024;
}

static buf_t *pack_stream(coding_t coding, unsigned level, unsigned window, str_t content)
{
    const codec_t *codec = codec_of(coding);
    codec_wish_t wish = {.level = level, .window = window, .length = (int64_t)content.n};
    buf_t *out = buf_take(bound(content.n));
    void *packer = codec->packer(&wish);
    while (!codec->pack(packer, &content, CODEC_END, out))
        out = buf_grow(out, 2 * buf_capacity(out));
    codec->packer_end(packer);
    return out;
}

buf_t *whole_pack(coding_t coding, unsigned level, unsigned window, str_t content)
{
    buf_t *out = coding == CODING_GZIP ? pack_gzip(level, content) : NULL;
    return out ? out : pack_stream(coding, level, window, content);
}
