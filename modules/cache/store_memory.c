#include "modules/cache/store_memory.h"

#include <string.h>
#include <sys/mman.h>

#include "core/base/panic.h"
#include "core/shared/shm.h"
#include "modules/cache/store_lane.h"

enum {
    UNIT = 512,
    PAGE = SLAB_PAGE / UNIT, /* units of one */
    BYTES_PER_PLACE = 2048, /* so many places there are */
    SHARE = 8,              /* the largest object takes an eighth */
    LARGEST = 1152 * 1024,  /* and not more: what is longer is sent from its file as fast */
    STEPS = 512,            /* places the hand looks at for one object */
    WORD = 64,
};

/* A place is free (units 0), shown (id), or neither: being filled by `owner`, or given up while
   pinned. */
typedef struct place {
    uint64_t id;
    uint64_t owner; /* who fills it */
    uint32_t entry;
    uint32_t first, units;
    uint32_t bytes;
} place_t;

typedef struct lane { /* of one process */
    uint64_t owner;   /* who it was (store_lane): of anybody else these are no pins */
    uint32_t used;    /* no slot from this one on was ever used */
    uint32_t pins[STORE_PINS];
} lane_t;

struct store_memory {
    shm_lock_t lock;
    char *base;      /* of the zone */
    char *units;     /* the first one */
    uint32_t unit_count, place_count, lane_count;
    uint32_t hand;   /* the place it comes to next */
    uint32_t cursor; /* the unit behind the last that was taken */
    uint32_t taken;  /* units; derived, as is the map */
    place_t *places;
    lane_t *lanes;
    uint64_t *map;   /* a bit per unit; those beyond the last are set */
};

/* The pins of this process, of which there is one set however many zones: a slot is a slot. */
static struct {
    uint64_t free[STORE_PINS / WORD]; /* a bit per slot that is free */
    bool made;
} mine;

/* --- the map --- */

static void mark(store_memory_t *m, uint32_t first, uint32_t n, bool set)
{
    for (uint32_t i = first; i < first + n; i++) {
        uint64_t bit = 1ull << i % WORD;
        if (set) m->map[i / WORD] |= bit;
        else m->map[i / WORD] &= ~bit;
    }
    m->taken = set ? m->taken + n : m->taken - n;
}

static void derive(store_memory_t *m)
{
    uint32_t words = (m->unit_count + WORD - 1) / WORD;
    memset(m->map, 0, words * sizeof(*m->map));
    if (m->unit_count % WORD) m->map[words - 1] = UINT64_MAX << m->unit_count % WORD;
    m->taken = 0;
    for (uint32_t i = 0; i < m->place_count; i++)
        mark(m, m->places[i].first, m->places[i].units, true);
}

static void lock(store_memory_t *m)
{
    if (shm_lock(&m->lock) == SHM_LOCK_TAKEN) return;
    derive(m);
    shm_lock_repaired(&m->lock);
}

static uint32_t round_up(uint32_t n, uint32_t to)
{
    return (n + to - 1) / to * to;
}

/* The first unit, a multiple of `align`, of n free ones in a row between from and to, or to. */
static uint32_t find_run(const store_memory_t *m, uint32_t from, uint32_t to, uint32_t n,
                         uint32_t align)
{
    uint32_t start = round_up(from, align);
    for (uint32_t i = from; i < to;) {
        uint64_t word = m->map[i / WORD] >> i % WORD;
        uint32_t left = WORD - i % WORD;
        if (word & 1) {
            uint32_t ones = word == UINT64_MAX ? WORD : (uint32_t)__builtin_ctzll(~word);
            i += ones < left ? ones : left;
            start = round_up(i, align);
            continue;
        }
        uint32_t zeros = word ? (uint32_t)__builtin_ctzll(word) : left;
        i += zeros < left ? zeros : left;
        if (i >= start + n && start + n <= to) return start;
    }
    return to;
}

static uint32_t find_units(store_memory_t *m, uint32_t n, uint32_t align)
{
    uint32_t at = find_run(m, m->cursor, m->unit_count, n, align);
    if (at == m->unit_count) at = find_run(m, 0, m->unit_count, n, align);
    return at;
}

/* --- making room; the lock is held --- */

static bool is_pinned(const store_memory_t *m, uint32_t i)
{
    for (uint32_t row = 0; row < m->lane_count; row++) {
        const lane_t *lane = &m->lanes[row];
        uint32_t used = __atomic_load_n(&lane->used, __ATOMIC_RELAXED);
        uint64_t owner = __atomic_load_n(&lane->owner, __ATOMIC_RELAXED);
        if (!used || !store_lane_lives(owner)) continue;
        for (uint32_t slot = 0; slot < used; slot++)
            if (__atomic_load_n(&lane->pins[slot], __ATOMIC_RELAXED) == i + 1) return true;
    }
    return false;
}

/* Nobody finds the object from here on; who has found it before has a pin that is seen. */
static void hide(place_t *p)
{
    __atomic_store_n(&p->id, 0, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Its pages are nobody's any more but of those who are still sending them. */
static bool give_pages_back(const store_memory_t *m, const place_t *p)
{
    if (p->bytes < STORE_MEMORY_SENT) return true;
    char *first = m->units + (size_t)p->first * UNIT;
    return madvise(first, (size_t)p->units * UNIT, MADV_REMOVE) == 0;
}

static void release(store_memory_t *m, uint32_t i)
{
    place_t *p = &m->places[i];
    if (is_pinned(m, i) || !give_pages_back(m, p)) return; /* the hand comes by again */
    mark(m, p->first, p->units, false);
    __atomic_store_n(&p->units, 0, __ATOMIC_RELEASE);
}

/* The object's entry knows no longer of the place. */
static void forget(store_index_t *ix, const place_t *p, uint32_t i)
{
    uint32_t place = i + 1;
    store_entry_t *e = store_index_at(ix, p->entry);
    __atomic_compare_exchange_n(&e->memory, &place, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static bool is_hot(store_index_t *ix, const place_t *p, uint32_t i)
{
    store_entry_t *e = store_index_at(ix, p->entry);
    bool its = __atomic_load_n(&e->id, __ATOMIC_RELAXED) == p->id &&
               __atomic_load_n(&e->memory, __ATOMIC_RELAXED) == i + 1;
    return its && store_entry_cool(e, STORE_HOT_MEMORY);
}

static void advance_hand(store_memory_t *m, store_index_t *ix, bool spare_hot)
{
    uint32_t i = m->hand;
    place_t *p = &m->places[i];
    m->hand = i + 1 < m->place_count ? i + 1 : 0;
    if (p->units == 0) return;
    if (p->id && spare_hot && is_hot(ix, p, i)) return;
    if (!p->id && p->owner && store_lane_lives(p->owner)) return;
    if (p->id) {
        forget(ix, p, i);
        hide(p);
    }
    release(m, i);
}

static uint32_t free_place(const store_memory_t *m, uint32_t near)
{
    for (uint32_t n = 0; n < STEPS && n < m->place_count; n++) {
        uint32_t i = (near + m->place_count - 1 - n) % m->place_count;
        if (m->places[i].units == 0) return i;
    }
    return m->place_count;
}

/* --- */

size_t store_memory_most(const store_memory_t *m)
{
    size_t most = (size_t)m->unit_count / SHARE * UNIT;
    return most < LARGEST ? most : LARGEST;
}

static uint32_t take_locked(store_memory_t *m, store_index_t *ix, size_t n)
{
    uint32_t align = n < STORE_MEMORY_SENT ? 1 : PAGE;
    uint32_t units = round_up((uint32_t)((n + UNIT - 1) / UNIT), align);
    uint32_t at = find_units(m, units, align), i = free_place(m, m->hand);
    uint32_t before = m->taken;
    for (unsigned step = 0; step < STEPS * 2; step++) {
        if (at < m->unit_count && i < m->place_count) break;
        advance_hand(m, ix, step < STEPS);
        if (m->taken == before) continue;
        before = m->taken;
        if (at == m->unit_count) at = find_units(m, units, align);
        if (i == m->place_count) i = free_place(m, m->hand);
    }
    if (at == m->unit_count || i == m->place_count) return 0;
    place_t *p = &m->places[i];
    p->id = 0;
    p->owner = store_lane_me();
    p->first = at;
    p->bytes = (uint32_t)n;
    __atomic_store_n(&p->units, units, __ATOMIC_RELEASE);
    mark(m, at, units, true);
    m->cursor = at + units;
    return i + 1;
}

uint32_t store_memory_take(store_memory_t *m, store_index_t *ix, size_t n, char **p)
{
    if (n == 0 || n > store_memory_most(m) || !store_lane_any()) return 0;
    lock(m);
    uint32_t place = take_locked(m, ix, n);
    shm_unlock(&m->lock);
    if (place) *p = m->units + (size_t)m->places[place - 1].first * UNIT;
    return place;
}

void store_memory_show(store_memory_t *m, uint32_t place, uint64_t id, uint32_t entry)
{
    place_t *p = &m->places[place - 1];
    __atomic_store_n(&p->entry, entry, __ATOMIC_RELAXED);
    __atomic_store_n(&p->id, id, __ATOMIC_SEQ_CST);
    __atomic_store_n(&p->owner, 0, __ATOMIC_RELEASE);
}

void store_memory_drop(store_memory_t *m, uint32_t place, uint64_t id)
{
    if (!place) return;
    place_t *p = &m->places[place - 1];
    lock(m);
    if (p->units && p->id == id) {
        hide(p);
        p->owner = 0;
        release(m, place - 1);
    }
    shm_unlock(&m->lock);
}

/* --- pins --- */

bool store_memory_holds(const store_memory_t *m, uint32_t place, uint64_t id)
{
    return place > 0 && place <= m->place_count &&
           __atomic_load_n(&m->places[place - 1].id, __ATOMIC_RELAXED) == id;
}

static uint32_t take_slot(lane_t *lane)
{
    for (unsigned w = 0; w < STORE_PINS / WORD; w++) {
        if (!mine.free[w]) continue;
        uint32_t slot = w * WORD + (uint32_t)__builtin_ctzll(mine.free[w]);
        mine.free[w] &= mine.free[w] - 1;
        if (lane->used <= slot) __atomic_store_n(&lane->used, slot + 1, __ATOMIC_SEQ_CST);
        return slot;
    }
    return STORE_PINS;
}

static void put_slot(uint32_t slot)
{
    mine.free[slot / WORD] |= 1ull << slot % WORD;
}

static lane_t *my_lane(store_memory_t *m)
{
    int row = worker_row();
    return row >= 0 && (uint32_t)row < m->lane_count ? &m->lanes[row] : NULL;
}

uint32_t store_memory_pin(store_memory_t *m, uint32_t place, uint64_t id, const char **p,
                          size_t *n)
{
    lane_t *lane = my_lane(m);
    if (!lane || !mine.made || place == 0 || place > m->place_count) return 0;
    const place_t *held = &m->places[place - 1];
    if (__atomic_load_n(&held->id, __ATOMIC_ACQUIRE) != id) return 0;
    uint32_t slot = take_slot(lane);
    if (slot == STORE_PINS) return 0;
    __atomic_store_n(&lane->pins[slot], place, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&held->id, __ATOMIC_SEQ_CST) != id) {
        store_memory_unpin(m, slot + 1);
        return 0;
    }
    *p = m->units + (size_t)held->first * UNIT;
    *n = held->bytes;
    return slot + 1;
}

void store_memory_unpin(store_memory_t *m, uint32_t pin)
{
    lane_t *lane = my_lane(m);
    if (!pin || !lane) return;
    __atomic_store_n(&lane->pins[pin - 1], 0, __ATOMIC_RELEASE);
    put_slot(pin - 1);
}

void store_memory_join(store_memory_t *m)
{
    lane_t *lane = my_lane(m);
    memset(mine.free, 0xff, sizeof(mine.free)); /* nothing is pinned at the start of a process */
    mine.made = true;
    if (!lane) return;
    for (uint32_t slot = 0; slot < lane->used; slot++)
        __atomic_store_n(&lane->pins[slot], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&lane->used, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&lane->owner, store_lane_me(), __ATOMIC_SEQ_CST);
}

size_t store_memory_offset(const store_memory_t *m, const char *p)
{
    return (size_t)(p - m->base);
}

/* --- the whole --- */

static bool make_arrays(store_memory_t *m, slab_t *slab)
{
    size_t places = m->place_count * sizeof(*m->places), lanes = m->lane_count * sizeof(*m->lanes);
    size_t map = (m->unit_count + WORD - 1) / WORD * sizeof(*m->map);
    m->places = slab_alloc(slab, places);
    m->lanes = slab_alloc(slab, lanes);
    m->map = slab_alloc(slab, map);
    m->units = slab_alloc(slab, (size_t)m->unit_count * UNIT);
    if (!m->places || !m->lanes || !m->map || !m->units) return false;
    ASSERT((uintptr_t)m->units % SLAB_PAGE == 0);
    /* A part of a huge page could not be given back. Without such pages this fails, and need not
       succeed. */
    madvise(m->units, (size_t)m->unit_count * UNIT, MADV_NOHUGEPAGE);
    memset(m->places, 0, places);
    memset(m->lanes, 0, lanes);
    return true;
}

void *store_memory_init(slab_t *slab, void *rows)
{
    store_memory_t *m = slab_alloc(slab, sizeof(*m));
    if (!m) return NULL;
    memset(m, 0, sizeof(*m));
    m->base = (char *)slab;
    m->lane_count = *(unsigned *)rows;
    size_t room = slab_stats(slab).free_pages * SLAB_PAGE;
    size_t fixed = m->lane_count * sizeof(lane_t) + 4 * (size_t)SLAB_PAGE;
    if (room < 2 * fixed) return NULL;
    /* What is left is shared by units, their bits and places. */
    size_t units = (room - fixed) / (UNIT + 1 + sizeof(place_t) * UNIT / BYTES_PER_PLACE);
    m->unit_count = units < UINT32_MAX / 2 ? (uint32_t)units : UINT32_MAX / 2;
    m->place_count = m->unit_count / (BYTES_PER_PLACE / UNIT);
    if (!m->place_count || !make_arrays(m, slab)) return NULL;
    shm_lock_init(&m->lock);
    derive(m);
    return m;
}

store_memory_stats_t store_memory_stats(const store_memory_t *m)
{
    return (store_memory_stats_t){
        .bytes = (uint64_t)__atomic_load_n(&m->taken, __ATOMIC_RELAXED) * UNIT,
        .most = (uint64_t)m->unit_count * UNIT};
}

static bool check_locked(const store_memory_t *m)
{
    uint32_t bits = 0, units = 0, padding = (WORD - m->unit_count % WORD) % WORD;
    for (uint32_t i = 0; i < m->place_count; i++) {
        const place_t *p = &m->places[i];
        if (p->units && (p->first >= m->unit_count || p->units > m->unit_count - p->first))
            return false;
        for (uint32_t u = p->first; u < p->first + p->units; u++)
            if (!(m->map[u / WORD] >> u % WORD & 1)) return false;
        units += p->units;
    }
    for (uint32_t w = 0; w < (m->unit_count + WORD - 1) / WORD; w++)
        bits += (uint32_t)__builtin_popcountll(m->map[w]);
    return units == m->taken && bits == units + padding;
}

bool store_memory_check(store_memory_t *m)
{
    lock(m);
    bool good = check_locked(m);
    shm_unlock(&m->lock);
    return good;
}
