#include "modules/gzip/whole.h"

#include <stdlib.h>

#include "config.h"
#include "core/base/panic.h"

/*
 * Who packs gzip at which of gzip_comp_level: the cheapest whose result is not larger than zlib's
 * by more than two in a hundred. Measured on 32 KiB of HTML, CSS and scripts, with cold caches:
 * ISA-L's levels 1 and 2 take 0.2 of zlib's time, libdeflate's first 0.25 of the third, its others
 * 0.4 to 0.55. What follows 9 is for what is packed once: ten times the work for one in 25.
 */
enum { ISAL_LEVELS = 2, ONE_CALL_MOST = 1 << 30 }; /* fits ISA-L's counters */

/* What no library packs by more than a few bytes a block can come to. */
static size_t bound(size_t n)
{
    return n + n / 512 + 1024;
}

/* --- ISA-L --- */

#ifdef HAVE_ISAL

#include <isa-l/igzip_lib.h>

static struct isal_zstream *isal;
static uint8_t *isal_room; /* what a level works in */

static struct isal_zstream *isal_begin(unsigned level)
{
    if (!isal) isal = malloc(sizeof(*isal));
    if (!isal_room) isal_room = malloc(ISAL_DEF_LVL2_DEFAULT);
    if (!isal || !isal_room) panic("out of memory");
    isal_deflate_stateless_init(isal);
    isal->gzip_flag = IGZIP_GZIP;
    isal->level = level;
    isal->level_buf = isal_room;
    isal->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
    isal->end_of_stream = 1;
    return isal;
}

static buf_t *pack_isal(unsigned level, str_t content)
{
    if (level > ISAL_LEVELS || content.n > ONE_CALL_MOST) return NULL;
    struct isal_zstream *s = isal_begin(level);
    buf_t *out = buf_take(bound(content.n));
    s->next_in = (uint8_t *)(uintptr_t)content.p;
    s->avail_in = (uint32_t)content.n;
    s->next_out = (uint8_t *)out->start;
    s->avail_out = (uint32_t)buf_capacity(out);
    ASSERT(isal_deflate_stateless(s) == COMP_OK);
    out->last = (char *)s->next_out;
    return out;
}

static void isal_trim(void)
{
    free(isal);
    free(isal_room);
    isal = NULL;
    isal_room = NULL;
}

#else

static buf_t *pack_isal(unsigned level, str_t content)
{
    (void)level, (void)content;
    return NULL;
}

static void isal_trim(void)
{
}

#endif

/* --- libdeflate --- */

#ifdef HAVE_LIBDEFLATE

#include <libdeflate.h>

static const int levels[WHOLE_LEVEL_MOST + 1] = {[1] = 1,   [2] = 1,   [3] = 1,  [4] = 3,
                                                 [5] = 4,   [6] = 5,   [7] = 6,  [8] = 7,
                                                 [9] = 8,   [10] = 10, [11] = 11, [12] = 12};

static struct libdeflate_compressor *compressors[WHOLE_LEVEL_MOST + 1];

static buf_t *pack_libdeflate(unsigned level, str_t content)
{
    struct libdeflate_compressor **c = &compressors[level];
    if (!*c) *c = libdeflate_alloc_compressor(levels[level]);
    if (!*c) panic("out of memory");
    buf_t *out = buf_take(libdeflate_gzip_compress_bound(*c, content.n));
    size_t n = libdeflate_gzip_compress(*c, content.p, content.n, out->start, buf_capacity(out));
    ASSERT(n > 0);
    out->last = out->start + n;
    return out;
}

static void libdeflate_trim(void)
{
    for (unsigned i = 0; i <= WHOLE_LEVEL_MOST; i++) {
        libdeflate_free_compressor(compressors[i]);
        compressors[i] = NULL;
    }
}

#else

static buf_t *pack_libdeflate(unsigned level, str_t content)
{
    (void)level, (void)content;
    return NULL;
}

static void libdeflate_trim(void)
{
}

#endif

/* --- any --- */

static buf_t *pack_gzip(unsigned level, str_t content)
{
    buf_t *out = pack_isal(level, content);
    return out ? out : pack_libdeflate(level, content);
}

static buf_t *pack_stream(coding_t coding, unsigned level, unsigned window, str_t content)
{
    static const unsigned most[CODING_COUNT] = {
        [CODING_GZIP] = 9, [CODING_BR] = 11, [CODING_ZSTD] = 19};
    const codec_t *codec = codec_of(coding);
    codec_wish_t wish = {.level = level < most[coding] ? level : most[coding],
                         .window = window,
                         .length = (int64_t)content.n};
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

void whole_trim(void)
{
    isal_trim();
    libdeflate_trim();
}
