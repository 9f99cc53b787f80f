#include "core/base/buf.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/base/asan.h"

enum {
    SMALLEST_SHIFT = 12,
    CLASSES = 10,
    KEPT_PER_CLASS = 2 * 1024 * 1024, /* bytes of small ones */
    KEPT_OF_LARGE = 16 * 1024 * 1024, /* of all classes together: a turn may use many of one */
    LARGE = 64 * 1024,
    SPREAD = 16 * 1024,
    SPREAD_STEP = 1024,
};

static struct {
    buf_t *free;
    size_t kept; /* bytes */
} classes[CLASSES];

static size_t large_kept;

static unsigned class_of(size_t capacity)
{
    unsigned c = 0;
    while (((size_t)1 << (SMALLEST_SHIFT + c)) < capacity) c++;
    return c;
}

static size_t *kept_of(unsigned c)
{
    return ((size_t)1 << (SMALLEST_SHIFT + c)) < LARGE ? &classes[c].kept : &large_kept;
}

static bool may_keep(unsigned c, size_t size)
{
    return c < CLASSES && *kept_of(c) + size <= (size < LARGE ? KEPT_PER_CLASS : KEPT_OF_LARGE);
}

/*
 * Large ones lie outside of the heap: mostly little of them is ever touched, and left behind among
 * small blocks their room would be taken by those, elsewhere each time, until all of it is.
 */
static char *map(size_t size)
{
    if (size < LARGE || ASAN_WATCHES) return NULL;
    void *p = mmap(NULL, size + SPREAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* They do not all begin at the same offset, for then they would share a few lines of the caches. */
static size_t next_offset(void)
{
    static size_t offset;
    return offset = (offset + SPREAD_STEP) % SPREAD;
}

static buf_t *buf_new(size_t size)
{
    buf_t *b = malloc(sizeof(*b));
    char *mapped = map(size), *bytes = mapped ? mapped + next_offset() : malloc(size);
    if (!b || !bytes) panic("out of memory: buffer of %zu bytes", size);
    *b = (buf_t){.start = bytes, .end = bytes + size, .mapped = mapped};
    return b;
}

buf_t *buf_take(size_t capacity)
{
    if (capacity > (size_t)1 << 40) panic("buffer of %zu bytes", capacity);
    unsigned c = class_of(capacity);
    buf_t *b = c < CLASSES ? classes[c].free : NULL;
    if (b) {
        classes[c].free = b->next;
        *kept_of(c) -= buf_capacity(b);
    } else {
        b = buf_new((size_t)1 << (SMALLEST_SHIFT + c));
    }
    b->next = NULL;
    buf_clear(b);
    return b;
}

static void buf_free(buf_t *b)
{
    if (b->mapped) munmap(b->mapped, buf_capacity(b) + SPREAD);
    else free(b->start);
    free(b);
}

void buf_return(buf_t *b)
{
    if (!b) return;
    unsigned c = class_of(buf_capacity(b));
    if (!may_keep(c, buf_capacity(b))) {
        buf_free(b);
        return;
    }
    b->next = classes[c].free;
    classes[c].free = b;
    *kept_of(c) += buf_capacity(b);
}

buf_t *buf_grow(buf_t *b, size_t capacity)
{
    buf_t *larger = buf_take(capacity);
    buf_put(larger, buf_str(b));
    buf_return(b);
    return larger;
}

void buf_trim(void)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        while (classes[c].free) {
            buf_t *b = classes[c].free;
            classes[c].free = b->next;
            buf_free(b);
        }
        classes[c].kept = 0;
    }
    large_kept = 0;
}

void buf_compact(buf_t *b)
{
    size_t used = buf_used(b);
    if (b->pos == b->start) return;
    memmove(b->start, b->pos, used);
    b->pos = b->start;
    b->last = b->start + used;
}
