/* store_join (store.h): one fetch for all who ask. */
#include <errno.h>

#include "core/base/clock.h"
#include "modules/cache/store_filler.h"
#include "modules/cache/store_lane.h"
#include "modules/cache/store_object.h"

/* Whether something else is stored now than the caller has seen. */
static bool was_stored(store_t *s, const store_key_t *key, uint64_t variant,
                       const store_object_t *seen)
{
    store_entry_t e;
    if (!seen) return false;
    uint32_t at = store_index_find(s->shared->index, key->hash, variant, &e);
    if (at == STORE_NO_ENTRY) return false;
    return e.id != seen->id || e.version != seen->version;
}

static store_turn_t begin(store_t *s, const store_key_t *key, uint64_t variant, store_row_t *row,
                          const store_object_t *seen, store_fill_t **fill)
{
    if (was_stored(s, key, variant, seen)) {
        store_fills_end(s, row);
        return STORE_RETRY;
    }
    *fill = store_filler_new(s, key, row);
    return STORE_FILLER;
}

/* Until when on the clock. */
static uint64_t end_of(uint64_t from, uint64_t ms)
{
    return ms < UINT64_MAX - from ? from + ms : UINT64_MAX;
}

/* Waits until there is something new, the time is over, or the other one is late. */
static int wait_for(store_row_t *row, const store_row_t *as, uint64_t until, uint64_t age_ms)
{
    uint64_t late = end_of(as->since, age_ms), end = late < until ? late : until;
    if (end == UINT64_MAX) return store_fills_wait(row, as, UINT64_MAX);
    int err = store_fills_wait(row, as, end > clock_ms() ? end - clock_ms() : 0);
    return err == -ETIMEDOUT ? 0 : err;
}

store_turn_t store_join(store_t *s, const store_key_t *key, str_t variant,
                        const store_wait_t *wait, pool_t *pool, const store_object_t *seen,
                        store_object_t *o, store_fill_t **fill)
{
    static const store_wait_t not_at_all = {0, UINT64_MAX};
    uint64_t v = store_zone_variant(variant);
    store_row_t *row, as;
    *fill = NULL;
    if (!s->entered || !store_lane_any() || store_zone_is_full(s)) return STORE_ALONE;
    if (!wait) wait = &not_at_all;
    uint64_t until = end_of(clock_ms(), wait->timeout_ms);
    for (bool waited = false;; waited = true) {
        store_look_t got = store_fills_look(s, key->hash, v, wait->age_ms, &row, &as);
        if (got == STORE_LOOK_NONE) return STORE_ALONE;
        if (got == STORE_LOOK_TAKEN) return begin(s, key, v, row, seen, fill);
        if (as.state >= STORE_ROW_HEADED && as.variant != v) return STORE_RETRY;
        if (as.state == STORE_ROW_FILLING)
            return store_object_follow(s, key, &as, store_fills_number(s, row), pool, o);
        if (clock_ms() >= until) return STORE_BUSY;
        if (!waited) STORE_COUNT(s, waited);
        if (wait_for(row, &as, until, wait->age_ms) != 0) return STORE_GONE;
        if (store_fills_ended(row, &as)) return STORE_RETRY;
    }
}
