/*
 * strbuf: a text that grows, in a pool.
 *
 * Zeroed but for its pool it is empty. What has been written so far is strbuf_text's until the next
 * write; old storage stays in the pool. Nothing suspends.
 */
#ifndef CORE_BASE_STRBUF_H
#define CORE_BASE_STRBUF_H

#include <stdarg.h>

#include "core/base/pool.h"

typedef struct strbuf {
    pool_t *pool;
    char *p;
    size_t n, size;
} strbuf_t;

void strbuf_add(strbuf_t *b, str_t s);
void strbuf_printf(strbuf_t *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(strbuf_t *b, const char *fmt, va_list args);

static inline void strbuf_put(strbuf_t *b, char c)
{
    strbuf_add(b, str_make(&c, 1));
}

static inline str_t strbuf_text(const strbuf_t *b)
{
    return str_make(b->p, b->n);
}

#endif
