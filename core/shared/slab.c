#include "core/shared/slab.h"

#include <stdint.h>
#include <string.h>

#include "core/base/panic.h"
#include "core/shared/shm.h"

/*
 * The pages are covered without gaps by extents: free pages, a run handed out as one block, or one
 * page cut into slots. The descriptor of an extent's first page tells its kind and length; what
 * stands in the descriptors of its other pages means nothing. So one store splits an extent (behind
 * the new boundary all is prepared), joins two, hands one out or takes it back.
 */
enum {
    KIND_FREE,
    KIND_RUN,
    KIND_SLOTS, /* + class */
    KIND_BITS = 8,
    PAGES_MAX = (1 << (32 - KIND_BITS)) - 1,
    BINS = 32 - KIND_BITS,
    WORDS = SLAB_PAGE / 16 / 64,
};

static const uint16_t class_size[] = {16,  32,  48,  64,  96,   128,  192,
                                      256, 384, 512, 768, 1024, 1360, 2048};
enum { CLASSES = sizeof(class_size) / sizeof(class_size[0]) };

static const uint32_t none = UINT32_MAX;

typedef struct page {
    /* The truth. */
    uint32_t extent;      /* of an extent's first page: pages << KIND_BITS | kind */
    uint64_t used[WORDS]; /* of a page of slots: those taken; bits beyond the last slot are set */
    /* Derived. */
    uint32_t prev, next;  /* in the list of a bin or a class */
    uint32_t back;        /* of a free extent's last page: its first; else none */
} page_t;

struct slab {
    shm_lock_t lock;
    char *base;
    uint32_t count;
    size_t recoveries;
    /* Derived, but for the truth in the pages. */
    size_t free_pages, used_bytes;
    uint32_t partial[CLASSES]; /* pages of slots with one free */
    uint32_t bins[BINS];       /* free extents of 2^i to 2^(i+1)-1 pages */
    page_t pages[];
};

/* A change of the truth: after everything before it in the program, and at once. */
static void commit(uint32_t *extent, uint32_t kind, uint32_t n)
{
    __atomic_store_n(extent, n << KIND_BITS | kind, __ATOMIC_RELEASE);
}

static uint32_t kind_of(const slab_t *slab, uint32_t i)
{
    return slab->pages[i].extent & ((1 << KIND_BITS) - 1);
}

static uint32_t length_of(const slab_t *slab, uint32_t i)
{
    return slab->pages[i].extent >> KIND_BITS;
}

static void *address_of(const slab_t *slab, uint32_t i)
{
    return slab->base + (size_t)i * SLAB_PAGE;
}

static void list_add(slab_t *slab, uint32_t *head, uint32_t i)
{
    slab->pages[i].prev = none;
    slab->pages[i].next = *head;
    if (*head != none) slab->pages[*head].prev = i;
    *head = i;
}

static void list_drop(slab_t *slab, uint32_t *head, uint32_t i)
{
    uint32_t prev = slab->pages[i].prev, next = slab->pages[i].next;
    if (prev == none) *head = next;
    else slab->pages[prev].next = next;
    if (next != none) slab->pages[next].prev = prev;
}

static unsigned bin_of(uint32_t n)
{
    return 31u - (unsigned)__builtin_clz(n);
}

static void bin_add(slab_t *slab, uint32_t i)
{
    uint32_t n = length_of(slab, i);
    list_add(slab, &slab->bins[bin_of(n)], i);
    slab->pages[i + n - 1].back = i;
    slab->free_pages += n;
}

static void bin_drop(slab_t *slab, uint32_t i)
{
    uint32_t n = length_of(slab, i);
    list_drop(slab, &slab->bins[bin_of(n)], i);
    slab->pages[i + n - 1].back = none;
    slab->free_pages -= n;
}

/* The first page of a free extent of at least n pages, or none. One page is always found at
   once. */
static uint32_t find_free(const slab_t *slab, uint32_t n)
{
    unsigned bin = bin_of(n);
    for (uint32_t i = slab->bins[bin]; i != none; i = slab->pages[i].next)
        if (length_of(slab, i) >= n) return i;
    while (++bin < BINS)
        if (slab->bins[bin] != none) return slab->bins[bin];
    return none;
}

/* Bits of word w that stand for no slot of the class. */
static uint64_t padding(unsigned class, unsigned w)
{
    unsigned slots = SLAB_PAGE / class_size[class];
    if (slots >= (w + 1) * 64) return 0;
    return slots <= w * 64 ? UINT64_MAX : UINT64_MAX << slots % 64;
}

static bool all_used(const page_t *page)
{
    uint64_t all = UINT64_MAX;
    for (unsigned w = 0; w < WORDS; w++) all &= page->used[w];
    return all == UINT64_MAX;
}

static unsigned slots_used(const page_t *page, unsigned class)
{
    unsigned n = 0;
    for (unsigned w = 0; w < WORDS; w++)
        n += (unsigned)__builtin_popcountll(page->used[w] & ~padding(class, w));
    return n;
}

static uint32_t take_pages(slab_t *slab, uint32_t kind, uint32_t n)
{
    uint32_t i = find_free(slab, n);
    if (i == none) return none;
    uint32_t rest = length_of(slab, i) - n;
    bin_drop(slab, i);
    if (rest) commit(&slab->pages[i + n].extent, KIND_FREE, rest);
    for (unsigned w = 0; kind >= KIND_SLOTS && w < WORDS; w++)
        slab->pages[i].used[w] = padding(kind - KIND_SLOTS, w);
    commit(&slab->pages[i].extent, kind, n);
    if (rest) bin_add(slab, i + n);
    return i;
}

static void release_pages(slab_t *slab, uint32_t i)
{
    uint32_t n = length_of(slab, i), after = i + n;
    commit(&slab->pages[i].extent, KIND_FREE, n);
    if (after < slab->count && kind_of(slab, after) == KIND_FREE) {
        bin_drop(slab, after);
        n += length_of(slab, after);
        commit(&slab->pages[i].extent, KIND_FREE, n);
    }
    uint32_t before = i ? slab->pages[i - 1].back : none;
    if (before != none) {
        bin_drop(slab, before);
        commit(&slab->pages[before].extent, KIND_FREE, length_of(slab, before) + n);
        i = before;
    }
    bin_add(slab, i);
}

static void *take_slot(slab_t *slab, unsigned class)
{
    uint32_t i = slab->partial[class];
    if (i == none) {
        i = take_pages(slab, KIND_SLOTS + class, 1);
        if (i == none) return NULL;
        list_add(slab, &slab->partial[class], i);
    }
    page_t *page = &slab->pages[i];
    unsigned w = 0;
    while (page->used[w] == UINT64_MAX) w++;
    unsigned bit = (unsigned)__builtin_ctzll(~page->used[w]);
    __atomic_store_n(&page->used[w], page->used[w] | 1ull << bit, __ATOMIC_RELEASE);
    slab->used_bytes += class_size[class];
    if (all_used(page)) list_drop(slab, &slab->partial[class], i);
    return (char *)address_of(slab, i) + (size_t)(w * 64 + bit) * class_size[class];
}

static void release_slot(slab_t *slab, uint32_t i, size_t offset)
{
    unsigned class = kind_of(slab, i) - KIND_SLOTS;
    unsigned slot = (unsigned)(offset / class_size[class]), w = slot / 64;
    page_t *page = &slab->pages[i];
    uint64_t bit = 1ull << slot % 64;
    ASSERT(offset % class_size[class] == 0 && (page->used[w] & ~padding(class, w) & bit));
    bool was_full = all_used(page);
    __atomic_store_n(&page->used[w], page->used[w] & ~bit, __ATOMIC_RELEASE);
    slab->used_bytes -= class_size[class];
    if (was_full) list_add(slab, &slab->partial[class], i); /* every class has two slots or more */
    else if (slots_used(page, class) == 0) {
        list_drop(slab, &slab->partial[class], i);
        release_pages(slab, i);
    }
}

static bool is_free(const slab_t *slab, uint32_t i)
{
    uint32_t kind = kind_of(slab, i), n = length_of(slab, i);
    ASSERT(n > 0 && n <= slab->count - i); /* or somebody has written over it */
    return kind == KIND_FREE ||
           (kind >= KIND_SLOTS && slots_used(&slab->pages[i], kind - KIND_SLOTS) == 0);
}

/* Joins everything free from i on to one extent; its length, 0 when i is not free. */
static uint32_t join_free(slab_t *slab, uint32_t i)
{
    uint32_t n = 0;
    while (i + n < slab->count && is_free(slab, i + n)) n += length_of(slab, i + n);
    if (n) commit(&slab->pages[i].extent, KIND_FREE, n);
    return n;
}

static void adopt(slab_t *slab, uint32_t i)
{
    uint32_t kind = kind_of(slab, i);
    if (kind == KIND_RUN) {
        slab->used_bytes += (size_t)length_of(slab, i) * SLAB_PAGE;
        return;
    }
    unsigned class = kind - KIND_SLOTS;
    slab->used_bytes += (size_t)slots_used(&slab->pages[i], class) * class_size[class];
    if (!all_used(&slab->pages[i])) list_add(slab, &slab->partial[class], i);
}

/* Derives all that is derived. Killed in the middle, the next one begins anew. */
static void derive(slab_t *slab)
{
    slab->free_pages = slab->used_bytes = 0;
    for (unsigned c = 0; c < CLASSES; c++) slab->partial[c] = none;
    for (unsigned b = 0; b < BINS; b++) slab->bins[b] = none;
    for (uint32_t i = 0; i < slab->count; i++) slab->pages[i].back = none;
    for (uint32_t i = 0; i < slab->count;) {
        uint32_t n = join_free(slab, i);
        if (n) {
            bin_add(slab, i);
            i += n;
        } else {
            adopt(slab, i);
            i += length_of(slab, i);
        }
    }
}

static void lock(slab_t *slab)
{
    if (shm_lock(&slab->lock) == SHM_LOCK_TAKEN) return;
    derive(slab);
    slab->recoveries++;
    shm_lock_repaired(&slab->lock);
}

slab_t *slab_init(void *p, size_t size)
{
    slab_t *slab = p;
    ASSERT(size >= SLAB_SIZE_MIN && (uintptr_t)p % SLAB_PAGE == 0);
    size_t count = (size - sizeof(*slab)) / (SLAB_PAGE + sizeof(page_t));
    size_t head = sizeof(*slab) + count * sizeof(page_t);
    head = (head + SLAB_PAGE - 1) & ~(size_t)(SLAB_PAGE - 1);
    if (head + count * SLAB_PAGE > size) count--;
    if (count > PAGES_MAX) count = PAGES_MAX;
    slab->base = (char *)p + head;
    slab->count = (uint32_t)count;
    shm_lock_init(&slab->lock);
    commit(&slab->pages[0].extent, KIND_FREE, slab->count);
    derive(slab);
    return slab;
}

static void *alloc_locked(slab_t *slab, size_t n)
{
    unsigned class = 0;
    while (class < CLASSES && class_size[class] < n) class++;
    if (class < CLASSES) return take_slot(slab, class);
    if (n > (size_t)slab->count * SLAB_PAGE) return NULL;
    uint32_t pages = (uint32_t)((n + SLAB_PAGE - 1) / SLAB_PAGE);
    uint32_t i = take_pages(slab, KIND_RUN, pages);
    if (i == none) return NULL;
    slab->used_bytes += (size_t)pages * SLAB_PAGE;
    return address_of(slab, i);
}

void *slab_alloc(slab_t *slab, size_t n)
{
    lock(slab);
    void *p = alloc_locked(slab, n);
    shm_unlock(&slab->lock);
    return p;
}

static void free_locked(slab_t *slab, const char *p)
{
    size_t offset = (size_t)(p - slab->base);
    ASSERT(p >= slab->base && offset / SLAB_PAGE < slab->count);
    uint32_t i = (uint32_t)(offset / SLAB_PAGE);
    if (kind_of(slab, i) >= KIND_SLOTS) {
        release_slot(slab, i, offset % SLAB_PAGE);
        return;
    }
    ASSERT(kind_of(slab, i) == KIND_RUN && offset % SLAB_PAGE == 0);
    slab->used_bytes -= (size_t)length_of(slab, i) * SLAB_PAGE;
    release_pages(slab, i);
}

void slab_free(slab_t *slab, void *p)
{
    if (!p) return;
    lock(slab);
    free_locked(slab, p);
    shm_unlock(&slab->lock);
}

slab_stats_t slab_stats(slab_t *slab)
{
    lock(slab);
    slab_stats_t stats = {.pages = slab->count,
                          .free_pages = slab->free_pages,
                          .used_bytes = slab->used_bytes,
                          .recoveries = slab->recoveries};
    shm_unlock(&slab->lock);
    return stats;
}

/* The members of all lists that are what the lists are for, or none when one is not. */
static uint32_t count_listed(const slab_t *slab)
{
    uint32_t n = 0;
    for (unsigned b = 0; b < BINS; b++)
        for (uint32_t i = slab->bins[b]; i != none; i = slab->pages[i].next, n++)
            if (kind_of(slab, i) != KIND_FREE || bin_of(length_of(slab, i)) != b) return none;
    for (unsigned c = 0; c < CLASSES; c++)
        for (uint32_t i = slab->partial[c]; i != none; i = slab->pages[i].next, n++)
            if (kind_of(slab, i) != KIND_SLOTS + c || all_used(&slab->pages[i])) return none;
    return n;
}

typedef struct totals {
    size_t free_pages, used_bytes;
    uint32_t listed; /* extents that must be in a list */
    bool after_free;
} totals_t;

/* Holds one extent against the rules and adds it to the totals. */
static bool check_extent(const slab_t *slab, uint32_t i, totals_t *t)
{
    uint32_t kind = kind_of(slab, i), n = length_of(slab, i);
    if (n == 0 || n > slab->count - i || kind >= KIND_SLOTS + CLASSES) return false;
    bool free = kind == KIND_FREE;
    if (slab->pages[i + n - 1].back != (free ? i : none) || (free && t->after_free)) return false;
    t->after_free = free;
    if (free) t->free_pages += n, t->listed++;
    if (kind == KIND_RUN) t->used_bytes += (size_t)n * SLAB_PAGE;
    if (kind < KIND_SLOTS) return true;
    unsigned class = kind - KIND_SLOTS, used = slots_used(&slab->pages[i], class);
    t->used_bytes += (size_t)used * class_size[class];
    t->listed += !all_used(&slab->pages[i]);
    return used > 0 && n == 1;
}

static bool check_locked(const slab_t *slab)
{
    totals_t t = {0};
    for (uint32_t i = 0; i < slab->count; i += length_of(slab, i))
        if (!check_extent(slab, i, &t)) return false;
    return t.free_pages == slab->free_pages && t.used_bytes == slab->used_bytes &&
           t.listed == count_listed(slab);
}

bool slab_check(slab_t *slab)
{
    lock(slab);
    bool good = check_locked(slab);
    shm_unlock(&slab->lock);
    return good;
}
