#include "modules/upstream/budget.h"

#include "core/base/clock.h"

static uint64_t now_second(void)
{
    return clock_ms() / 1000;
}

/* The counts of this second, which begins with whoever comes first. */
static struct budget_second *this_second(budget_t *b)
{
    uint64_t now = now_second();
    struct budget_second *s = &b->seconds[now % BUDGET_SECONDS];
    uint64_t was = __atomic_load_n(&s->second, __ATOMIC_RELAXED);
    if (was != now && __atomic_compare_exchange_n(&s->second, &was, now, false, __ATOMIC_RELAXED,
                                                  __ATOMIC_RELAXED)) {
        __atomic_store_n(&s->requests, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&s->attempts, 0, __ATOMIC_RELAXED);
    }
    return s;
}

void budget_count(budget_t *b)
{
    __atomic_fetch_add(&this_second(b)->requests, 1, __ATOMIC_RELAXED);
}

static bool is_spent(const budget_t *b, const budget_limit_t *limit)
{
    uint64_t requests = 0, attempts = 0, now = now_second();
    for (unsigned i = 0; i < BUDGET_SECONDS; i++) {
        const struct budget_second *s = &b->seconds[i];
        if (__atomic_load_n(&s->second, __ATOMIC_RELAXED) + BUDGET_SECONDS <= now) continue;
        requests += __atomic_load_n(&s->requests, __ATOMIC_RELAXED);
        attempts += __atomic_load_n(&s->attempts, __ATOMIC_RELAXED);
    }
    return attempts >= requests * limit->percent / 100 &&
           attempts >= (uint64_t)limit->least * BUDGET_SECONDS;
}

bool budget_take(budget_t *b, const budget_limit_t *limit)
{
    if (!limit->off && is_spent(b, limit)) return false;
    __atomic_fetch_add(&this_second(b)->attempts, 1, __ATOMIC_RELAXED);
    return true;
}

bool budget_is_news(budget_t *b)
{
    uint64_t now = clock_ms(), before = __atomic_exchange_n(&b->spent_ms, now, __ATOMIC_RELAXED);
    return before == 0 || now >= before + BUDGET_SECONDS * 1000;
}
