#include "modules/gzip/codec.h"

#include "config.h"
#include "modules/gzip/codec_brotli.h"
#include "modules/gzip/codec_zlib.h"
#include "modules/gzip/codec_zstd.h"

static const codec_t *const codecs[CODING_COUNT] = {
    [CODING_GZIP] = &codec_zlib_gzip,
    [CODING_DEFLATE] = &codec_zlib_deflate,
#ifdef HAVE_BROTLI
    [CODING_BR] = &codec_brotli,
#endif
#ifdef HAVE_ZSTD
    [CODING_ZSTD] = &codec_zstd,
#endif
};

const codec_t *codec_of(coding_t coding)
{
    return coding < CODING_COUNT ? codecs[coding] : NULL;
}

void codec_trim(void)
{
    for (coding_t c = 0; c < CODING_COUNT; c++)
        if (codecs[c]) codecs[c]->trim();
}

unsigned codec_window(unsigned most, int64_t length)
{
    unsigned window = CODEC_WINDOW_LEAST;
    while (window < most && (length < 0 || length > (int64_t)1 << window)) window++;
    return window;
}
