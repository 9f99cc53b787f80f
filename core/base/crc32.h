/* crc32: the cyclic redundancy check of Ethernet, zlib and memcached's clients. Pure. */
#ifndef CORE_BASE_CRC32_H
#define CORE_BASE_CRC32_H

#include "core/base/str.h"

/* The check of what `crc` is the check of, with s behind it; of nothing it is 0. */
uint32_t crc32_add(uint32_t crc, str_t s);

#endif
