/* codec_zlib: gzip (RFC 1952) and deflate (RFC 1950, and without its head as some have sent it). */
#ifndef MODULES_GZIP_CODEC_ZLIB_H
#define MODULES_GZIP_CODEC_ZLIB_H

#include "modules/gzip/codec.h"

extern const codec_t codec_zlib_gzip, codec_zlib_deflate;

#endif
