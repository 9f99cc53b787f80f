/* base64: RFC 4648 section 4. Pure; nothing suspends. */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include "core/base/pool.h"

/* The bytes that s stands for, in the pool; padding may be missing. False: s is not base64. */
bool base64_decode(pool_t *pool, str_t s, str_t *out);

/* s in base64, padded, in the pool. */
str_t base64_encode(pool_t *pool, str_t s);

#endif
