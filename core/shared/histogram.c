#include "core/shared/histogram.h"

#include "core/base/clock.h"

#define GET(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

/* Buckets of one value each up to two octaves of STEPS, then each octave has STEPS of them. */
static unsigned bucket_of(uint64_t value)
{
    const uint64_t most = ((uint64_t)1 << HISTOGRAM_BITS) - 1;
    if (value > most) value = most;
    if (value < HISTOGRAM_STEPS) return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - 3;
    return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

/* The largest value of the bucket. */
static uint64_t upper_end(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS) return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    uint64_t first = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((first + 1) << shift) - 1;
}

/* One process at a time; what others add meanwhile may be lost. */
static void fade(histogram_t *h, uint64_t now)
{
    uint64_t before = GET(h->faded_ms);
    if (now - before < HISTOGRAM_FADE_MS ||
        !__atomic_compare_exchange_n(&h->faded_ms, &before, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED))
        return;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        __atomic_store_n(&h->counts[i], GET(h->counts[i]) / 2, __ATOMIC_RELAXED);
}

void histogram_add(histogram_t *h, uint64_t value)
{
    fade(h, clock_ms());
    __atomic_fetch_add(&h->counts[bucket_of(value)], 1, __ATOMIC_RELAXED);
}

uint64_t histogram_count(const histogram_t *h)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) n += GET(h->counts[i]);
    return n;
}

uint64_t histogram_percentile(const histogram_t *h, unsigned percent)
{
    uint64_t wanted = (histogram_count(h) * percent + 99) / 100, n = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        n += GET(h->counts[i]);
        if (n && n >= wanted) return upper_end(i);
    }
    return 0;
}
