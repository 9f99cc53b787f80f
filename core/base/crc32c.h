/* crc32c: the cyclic redundancy check of Castagnoli (RFC 3720 B.4), which processors compute. Pure.
   */
#ifndef CORE_BASE_CRC32C_H
#define CORE_BASE_CRC32C_H

#include "core/base/str.h"

/* The check of what `crc` is the check of, with s behind it; of nothing it is 0. */
uint32_t crc32c_add(uint32_t crc, str_t s);

/* The same byte by byte: what the fast one is held against. */
uint32_t crc32c_add_plain(uint32_t crc, str_t s);

#endif
