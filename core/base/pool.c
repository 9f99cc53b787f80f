#include "core/base/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/asan.h"
#include "core/base/panic.h"

enum { BLOCK_SIZE = 4096, BLOCKS_KEPT = 256, ALIGNMENT = 16 };

typedef struct block {
    struct block *next;
} block_t;

typedef struct cleanup {
    struct cleanup *next;
    void (*fn)(void *arg);
    void *arg;
} cleanup_t;

/* Lives at the start of its own first block. */
struct pool {
    char *at, *end;     /* free part of the newest block */
    block_t *blocks;    /* all but the first, newest first */
    block_t *large;     /* allocations with a malloc of their own */
    cleanup_t *cleanups;
};

static block_t *kept;
static unsigned kept_count;

static void *must_malloc(size_t n)
{
    void *p = malloc(n);
    if (!p) panic("out of memory: %zu bytes", n);
    return p;
}

static void *block_take(void)
{
    if (!kept) return must_malloc(BLOCK_SIZE);
    block_t *b = kept;
    kept = b->next;
    kept_count--;
    return b;
}

static void block_release(block_t *b)
{
    if (ASAN_WATCHES || kept_count >= BLOCKS_KEPT) {
        free(b);
        return;
    }
    b->next = kept;
    kept = b;
    kept_count++;
}

void pool_trim(void)
{
    while (kept) {
        block_t *b = kept;
        kept = b->next;
        free(b);
    }
    kept_count = 0;
}

static char *aligned(char *p)
{
    return (char *)(((uintptr_t)p + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

pool_t *pool_create(void)
{
    pool_t *pool = block_take();
    *pool = (pool_t){.at = aligned((char *)(pool + 1)), .end = (char *)pool + BLOCK_SIZE};
    return pool;
}

static void run_cleanups(pool_t *pool)
{
    while (pool->cleanups) {
        cleanup_t *c = pool->cleanups;
        pool->cleanups = c->next;
        c->fn(c->arg);
    }
}

void pool_destroy(pool_t *pool)
{
    if (!pool) return;
    run_cleanups(pool);
    for (block_t *b = pool->large, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    for (block_t *b = pool->blocks, *next; b; b = next) {
        next = b->next;
        block_release(b);
    }
    block_release((block_t *)pool);
}

static void *alloc_large(pool_t *pool, size_t n)
{
    if (n > SIZE_MAX - ALIGNMENT) panic("out of memory: %zu bytes", n);
    block_t *b = must_malloc(n + ALIGNMENT);
    b->next = pool->large;
    pool->large = b;
    return (char *)b + ALIGNMENT;
}

static void *alloc_new_block(pool_t *pool, size_t n)
{
    block_t *b = block_take();
    b->next = pool->blocks;
    pool->blocks = b;
    char *p = (char *)b + ALIGNMENT;
    pool->at = p + n;
    pool->end = (char *)b + BLOCK_SIZE;
    return p;
}

static void *alloc_at(pool_t *pool, char *p, size_t n)
{
    if (ASAN_WATCHES) return alloc_large(pool, n);
    if (p <= pool->end && n <= (size_t)(pool->end - p)) {
        pool->at = p + n;
        return p;
    }
    return n > BLOCK_SIZE / 4 ? alloc_large(pool, n) : alloc_new_block(pool, n);
}

void *pool_alloc(pool_t *pool, size_t n)
{
    return alloc_at(pool, aligned(pool->at), n);
}

char *pool_bytes(pool_t *pool, size_t n)
{
    return alloc_at(pool, pool->at, n);
}

void *pool_zalloc(pool_t *pool, size_t n)
{
    return memset(pool_alloc(pool, n), 0, n);
}

void *pool_array(pool_t *pool, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) panic("array of %zu too large", n);
    return pool_zalloc(pool, bytes);
}

void *pool_memdup(pool_t *pool, const void *p, size_t n)
{
    void *copy = pool_alloc(pool, n);
    return n ? memcpy(copy, p, n) : copy;
}

char *pool_cstr(pool_t *pool, str_t s)
{
    char *copy = pool_bytes(pool, s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

str_t pool_str(pool_t *pool, str_t s)
{
    return str_make(pool_cstr(pool, s), s.n);
}

str_t pool_join(pool_t *pool, const str_t *parts, unsigned n)
{
    size_t all = 0;
    for (unsigned i = 0; i < n; i++) all += parts[i].n;
    char *text = pool_bytes(pool, all + 1), *at = text;
    for (unsigned i = 0; i < n; i++)
        if (parts[i].n) at = mempcpy(at, parts[i].p, parts[i].n);
    *at = '\0';
    return str_make(text, all);
}

str_t pool_concat(pool_t *pool, str_t a, str_t b)
{
    return pool_join(pool, (str_t[]){a, b}, 2);
}

str_t pool_lower(pool_t *pool, str_t s)
{
    char *copy = pool_cstr(pool, s);
    for (size_t i = 0; i < s.n; i++) copy[i] = ascii_lower(copy[i]);
    return str_make(copy, s.n);
}

str_t pool_vprintf(pool_t *pool, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) panic("cannot format \"%s\"", fmt);
    char *p = pool_bytes(pool, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return str_make(p, (size_t)n);
}

str_t pool_printf(pool_t *pool, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_t s = pool_vprintf(pool, fmt, args);
    va_end(args);
    return s;
}

void pool_defer(pool_t *pool, void (*fn)(void *arg), void *arg)
{
    cleanup_t *c = pool_alloc(pool, sizeof(*c));
    *c = (cleanup_t){.next = pool->cleanups, .fn = fn, .arg = arg};
    pool->cleanups = c;
}
