/*
 * pool: region memory. What is allocated lives until the pool is destroyed; nothing is freed alone.
 *
 * A request, a connection and a configuration each own a pool. Allocation never returns NULL: a
 * process that cannot get memory panics (a worker is replaced by the master). Blocks are recycled
 * over a free list of the process, so an ordinary request allocates nothing from malloc. Cleanups
 * run last-in first-out at pool_destroy, before any memory goes. Under AddressSanitizer every
 * allocation is its own malloc, so that overruns inside a pool are seen. Not for sharing between
 * processes (see core/shared). Nothing suspends.
 */
#ifndef CORE_BASE_POOL_H
#define CORE_BASE_POOL_H

#include <stdarg.h>
#include <stddef.h>

#include "core/base/str.h"

typedef struct pool pool_t;

pool_t *pool_create(void);
void pool_destroy(pool_t *pool); /* NULL is allowed */

/* Aligned for any type. n may be 0 (a valid pointer that must not be used). */
void *pool_alloc(pool_t *pool, size_t n);
void *pool_zalloc(pool_t *pool, size_t n);

/* n elements of `size` bytes, zeroed; panics when the product overflows. */
void *pool_array(pool_t *pool, size_t n, size_t size);

#define POOL_NEW(pool, type) ((type *)pool_zalloc((pool), sizeof(type)))
#define POOL_ARRAY(pool, type, n) ((type *)pool_array((pool), (n), sizeof(type)))

/* Bytes without alignment, for text. */
char *pool_bytes(pool_t *pool, size_t n);

void *pool_memdup(pool_t *pool, const void *p, size_t n);
str_t pool_str(pool_t *pool, str_t s);        /* a copy, followed by a NUL that is not counted */
char *pool_cstr(pool_t *pool, str_t s);       /* a NUL-terminated copy */
str_t pool_concat(pool_t *pool, str_t a, str_t b);
str_t pool_join(pool_t *pool, const str_t *parts, unsigned n); /* the same of n */
str_t pool_lower(pool_t *pool, str_t s);      /* a copy in ASCII lower case */
str_t pool_printf(pool_t *pool, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
str_t pool_vprintf(pool_t *pool, const char *fmt, va_list args);

/* Calls fn(arg) when the pool is destroyed; the latest registered first. */
void pool_defer(pool_t *pool, void (*fn)(void *arg), void *arg);

/* Gives the blocks kept for reuse back to the system (process exit, leak checks). */
void pool_trim(void);

#endif
