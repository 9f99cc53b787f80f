/* codec_brotli: br (RFC 7932). */
#ifndef MODULES_GZIP_CODEC_BROTLI_H
#define MODULES_GZIP_CODEC_BROTLI_H

#include "modules/gzip/codec.h"

extern const codec_t codec_brotli;

#endif
