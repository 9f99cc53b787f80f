#include "modules/cache/store_zone.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/shared/shm.h"

enum { VARIES = 512 }; /* lists of selecting fields */

typedef struct vary_text {
    uint32_t n;
    char text[STORE_VARY_MAX];
} vary_text_t;

struct store_varies {
    shm_lock_t lock;
    uint32_t count;
    vary_text_t *texts[VARIES];
    slab_t *slab;
};

/* --- lists of selecting fields --- */

store_varies_t *store_zone_varies(slab_t *slab)
{
    store_varies_t *v = slab_alloc(slab, sizeof(*v));
    if (!v) return NULL;
    memset(v, 0, sizeof(*v));
    shm_lock_init(&v->lock);
    v->count = 1; /* 0: none */
    v->slab = slab;
    return v;
}

static uint32_t find_vary(const store_varies_t *v, str_t vary)
{
    for (uint32_t i = 1; i < v->count; i++)
        if (str_eq(str_make(v->texts[i]->text, v->texts[i]->n), vary)) return i;
    return 0;
}

static uint32_t add_vary(store_varies_t *v, str_t vary)
{
    if (v->count == VARIES) return STORE_VARY_FULL;
    vary_text_t *t = slab_alloc(v->slab, offsetof(vary_text_t, text) + vary.n);
    if (!t) return STORE_VARY_FULL;
    memcpy(t->text, vary.p, vary.n);
    t->n = (uint32_t)vary.n;
    v->texts[v->count] = t;
    __atomic_store_n(&v->count, v->count + 1, __ATOMIC_RELEASE);
    return v->count - 1;
}

uint16_t store_zone_vary(store_t *s, str_t vary)
{
    store_varies_t *v = s->shared->varies;
    if (vary.n == 0) return 0;
    if (vary.n > STORE_VARY_MAX) return STORE_VARY_FULL;
    if (shm_lock(&v->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&v->lock);
    uint32_t number = find_vary(v, vary);
    if (!number) number = add_vary(v, vary);
    shm_unlock(&v->lock);
    return (uint16_t)number;
}

str_t store_zone_vary_text(const store_t *s, uint16_t number)
{
    const store_varies_t *v = s->shared->varies;
    if (number == 0 || number >= __atomic_load_n(&v->count, __ATOMIC_ACQUIRE)) return STR("");
    return str_make(v->texts[number]->text, v->texts[number]->n);
}

uint64_t store_zone_variant(str_t variant)
{
    uint64_t wide[2];
    if (variant.n == 0) return 0;
    hash_wide(variant, wide);
    return wide[0] > STORE_VARIANT_COUNT ? wide[0] : wide[0] + STORE_VARIANT_COUNT + 1;
}

/* --- ids --- */

uint64_t store_zone_next_id(store_t *s)
{
    return __atomic_add_fetch(&s->shared->next_id, 1, __ATOMIC_RELAXED);
}

void store_zone_seen_id(store_t *s, uint64_t id)
{
    uint64_t now = __atomic_load_n(&s->shared->next_id, __ATOMIC_RELAXED);
    while (now < id && !__atomic_compare_exchange_n(&s->shared->next_id, &now, id, true,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

/* --- a full disk --- */

void store_zone_full(store_t *s, int err)
{
    uint64_t until = clock_ms() + STORE_FULL_MS;
    if (__atomic_exchange_n(&s->shared->full_until, until, __ATOMIC_RELAXED) == 0)
        LOG(&log_main, LOG_CRIT, err, "the cache \"%s\" cannot be written, storing is off for now",
            s->options.path.p);
}

bool store_zone_is_full(store_t *s)
{
    uint64_t until = __atomic_load_n(&s->shared->full_until, __ATOMIC_RELAXED);
    if (!until) return false;
    if (clock_ms() < until) return true;
    if (__atomic_compare_exchange_n(&s->shared->full_until, &until, 0, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        LOG(&log_main, LOG_NOTICE, 0, "the cache \"%s\" is written to again", s->options.path.p);
    return false;
}

/* --- what has gone --- */

void store_zone_clear(store_t *s, const store_entry_t *gone)
{
    if (gone->kind != STORE_KIND_OBJECT) return;
    if (gone->memory && s->memory) store_memory_drop(s->memory, gone->memory, gone->id);
    store_file_t f = store_zone_file(gone);
    store_file_unlink(&s->dir, &f);
}

void store_zone_evicted(store_t *s, const store_entry_t *gone)
{
    store_zone_clear(s, gone);
    if (gone->kind == STORE_KIND_OBJECT) STORE_COUNT(s, evicted);
}
