/*
 * codec_zstd: zstd (RFC 8878), with windows of at most 8 MiB, which is all that this coding may ask
 * of who reads it (RFC 9659).
 */
#ifndef MODULES_GZIP_CODEC_ZSTD_H
#define MODULES_GZIP_CODEC_ZSTD_H

#include "modules/gzip/codec.h"

enum { CODEC_ZSTD_WINDOW_MOST = 23 };

extern const codec_t codec_zstd;

#endif
