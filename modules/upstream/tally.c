#include "modules/upstream/tally.h"

enum { FIRST_BITS = 6 }; /* the first bucket: less than 64 microseconds */

const char *const tally_failure_names[UPSTREAM_FAILURES] = {
    [UPSTREAM_ERROR] = "error",
    [UPSTREAM_TIMEOUT] = "timeout",
    [UPSTREAM_INVALID_HEADER] = "invalid_header",
    [UPSTREAM_STATUS] = "status",
};

static unsigned bucket_of(uint64_t us)
{
    if (us < 1u << FIRST_BITS) return 0;
    unsigned bits = 63 - (unsigned)__builtin_clzll(us);
    unsigned bucket = (bits - FIRST_BITS) * 4 + (unsigned)(us >> (bits - 2) & 3) + 1;
    return bucket < TALLY_BUCKETS ? bucket : TALLY_BUCKETS - 1;
}

/* What all times in the bucket are less than. */
static uint64_t end_of(unsigned bucket)
{
    if (bucket == 0) return 1u << FIRST_BITS;
    return (uint64_t)(5 + (bucket - 1) % 4) << ((bucket - 1) / 4 + FIRST_BITS - 2);
}

static void forget_half(tally_t *t)
{
    t->remembered = 0;
    for (unsigned i = 0; i < TALLY_BUCKETS; i++) t->remembered += t->times[i] /= 2;
}

static void note_time(tally_t *t, int64_t us)
{
    t->times[bucket_of((uint64_t)us)]++;
    if (++t->remembered >= TALLY_MEMORY) forget_half(t);
}

void tally_note(tally_t *t, const upstream_attempt_t *attempt)
{
    unsigned class = (unsigned)attempt->status / 100;
    t->received += attempt->received;
    t->sent += attempt->sent;
    if (attempt->failure) t->failures[attempt->failure]++;
    if (attempt->header_us < 0) return;
    if (class >= 1 && class <= TALLY_CLASSES) t->responses[class - 1]++;
    note_time(t, attempt->header_us);
}

void tally_add(tally_sum_t *sum, const tally_t *t)
{
    for (unsigned i = 0; i < TALLY_CLASSES; i++) sum->responses[i] += t->responses[i];
    for (unsigned i = 0; i < UPSTREAM_FAILURES; i++) sum->failures[i] += t->failures[i];
    sum->received += t->received;
    sum->sent += t->sent;
    for (unsigned i = 0; i < TALLY_BUCKETS; i++) {
        sum->times[i] += t->times[i];
        sum->remembered += t->times[i];
    }
}

uint64_t tally_percentile(const tally_sum_t *sum, unsigned percent)
{
    uint64_t wanted = (sum->remembered * percent + 99) / 100, seen = 0;
    if (sum->remembered == 0) return 0;
    for (unsigned i = 0; i < TALLY_BUCKETS; i++) {
        seen += sum->times[i];
        if (seen >= wanted) return end_of(i);
    }
    return end_of(TALLY_BUCKETS - 1);
}
