#include "core/base/strbuf.h"

void strbuf_add(strbuf_t *b, str_t s)
{
    enum { LEAST = 256 };
    if (s.n == 0) return;
    if (b->size - b->n < s.n) {
        size_t size = b->size < LEAST ? LEAST : b->size * 2;
        while (size - b->n < s.n) size *= 2;
        char *grown = pool_bytes(b->pool, size);
        if (b->n) memcpy(grown, b->p, b->n);
        b->p = grown;
        b->size = size;
    }
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}

void strbuf_vprintf(strbuf_t *b, const char *fmt, va_list args)
{
    strbuf_add(b, pool_vprintf(b->pool, fmt, args));
}

void strbuf_printf(strbuf_t *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_vprintf(b, fmt, args);
    va_end(args);
}
