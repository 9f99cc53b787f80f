#include "modules/cache/store.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "modules/cache/store_fill.h"

store_key_t store_key(str_t text)
{
    store_key_t key = {.text = text};
    hash_wide(text, key.hash);
    return key;
}

str_t store_name(const store_t *s)
{
    return s->options.name;
}

store_t *store_next(const store_t *s)
{
    return s->next;
}

str_t store_vary(store_t *s, const store_key_t *key)
{
    store_entry_t e;
    if (!s->entered) return STR("");
    uint16_t vary = store_fills_vary(s, key->hash);
    if (!vary && store_index_any(s->shared->index, key->hash, &e) != STORE_NO_ENTRY) vary = e.vary;
    return store_zone_vary_text(s, vary);
}

unsigned store_use(store_t *s, const store_key_t *key)
{
    store_put_t out;
    store_entry_t e = {.key = {key->hash[0], key->hash[1]},
                       .variant = STORE_VARIANT_COUNT,
                       .kind = STORE_KIND_COUNT,
                       .used = (uint32_t)clock_unix(),
                       .requests = 1},
                  old;
    if (!s->entered) return 1;
    uint32_t at = store_index_find(s->shared->index, key->hash, STORE_VARIANT_COUNT, &old);
    if (at != STORE_NO_ENTRY) {
        store_entry_t *here = store_index_at(s->shared->index, at);
        store_entry_touch(here);
        return __atomic_add_fetch(&here->requests, 1, __ATOMIC_RELAXED);
    }
    store_index_put(s->shared->index, &e, &out);
    store_zone_evicted(s, &out.evicted);
    return 1;
}

/* --- purges --- */

unsigned store_purge_key(store_t *s, const store_key_t *key, bool soft)
{
    enum { NO_SUCH_VARY = STORE_VARY_FULL };
    store_entry_t gone;
    if (!s->entered) return 0;
    store_purge_hash(s->shared->purge, s->dir.fd, key->hash[0], soft);
    if (soft) return store_index_variants(s->shared->index, key->hash);
    unsigned n = 0;
    while (store_index_thin(s->shared->index, key->hash, NO_SUCH_VARY, 0, &gone)) {
        store_zone_clear(s, &gone);
        n++;
    }
    s->counts->purged += n;
    return n;
}

void store_purge_tag(store_t *s, str_t tag, bool soft)
{
    if (s->entered)
        store_purge_hash(s->shared->purge, s->dir.fd, store_purge_tag_hash(tag), soft);
}

void store_purge_all(store_t *s, bool soft)
{
    if (s->entered) store_purge_everything(s->shared->purge, s->dir.fd, soft);
}

int store_purge_prefix(store_t *s, str_t prefix, bool soft)
{
    return s->entered ? store_purge_begin(s->shared->purge, s->dir.fd, prefix, soft) : 0;
}

/* --- what there is --- */

void store_answered(store_t *s, store_answer_t how, bool coalesced)
{
    if (!s->entered) return;
    s->counts->answers[how]++;
    s->counts->coalesced += coalesced;
}

void store_packed(store_t *s)
{
    if (s->entered) s->counts->packed++;
}

static void add_counts(store_t *s, store_counts_t *sum)
{
    enum { COUNTS = sizeof(*sum) / sizeof(uint64_t) };
    uint64_t *to = (uint64_t *)(void *)sum;
    for (unsigned row = 0; row < s->options.rows; row++) {
        const uint64_t *from = (const uint64_t *)(const void *)&s->shared->counts[row];
        for (unsigned i = 0; i < COUNTS; i++) to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}

store_stats_t store_stats(store_t *s)
{
    store_stats_t out = {.bytes_max = s->options.max_size};
    store_counts_t sum = {0};
    if (!s->entered) return out;
    add_counts(s, &sum);
    memcpy(&out, &sum, sizeof(sum)); /* they begin alike */
    store_index_stats_t ix = store_index_stats(s->shared->index);
    out.recoveries = ix.recoveries;
    out.entries = ix.entries;
    out.bytes = ix.bytes;
    out.entries_max = store_index_capacity(s->shared->index);
    if (s->memory) {
        store_memory_stats_t m = store_memory_stats(s->memory);
        out.memory_bytes = m.bytes;
        out.memory_max = m.most;
    }
    out.loading = __atomic_load_n(&s->shared->load, __ATOMIC_RELAXED) != STORE_LOAD_DONE;
    out.full = __atomic_load_n(&s->shared->full_until, __ATOMIC_RELAXED) > clock_ms();
    return out;
}

_Static_assert(offsetof(store_stats_t, recoveries) == sizeof(store_counts_t),
               "the stats begin with the counts");
