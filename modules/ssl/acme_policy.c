#include "modules/ssl/acme_policy.h"

enum { LEFT = 3, SPREAD = 50, PAUSE_SPREAD = 8 };

/* 0 to n - 1. */
static uint64_t below(uint32_t lot, uint64_t n)
{
    return n ? lot % n : 0;
}

int64_t acme_policy_renewal(int64_t from, int64_t to, uint32_t lot)
{
    if (to <= from) return from;
    uint64_t life = (uint64_t)to - (uint64_t)from;
    return (int64_t)((uint64_t)to - life / LEFT - below(lot, life / SPREAD + 1));
}

int64_t acme_policy_next(int64_t from, int64_t to, int64_t now, int64_t least, uint32_t lot)
{
    int64_t at = acme_policy_renewal(from, to, lot), pause = to > from ? (to - from) / LEFT : 0;
    if (pause < least) pause = least;
    return at > now + pause ? at : now + pause;
}

uint64_t acme_policy_pause(unsigned failures, uint64_t least_ms, uint64_t most_ms,
                           uint64_t asked_ms, uint32_t lot)
{
    uint64_t pause = least_ms;
    if (asked_ms > ACME_POLICY_ASKED_MOST) asked_ms = ACME_POLICY_ASKED_MOST;
    for (unsigned i = 1; i < failures && pause < most_ms; i++) pause *= 2;
    if (pause > most_ms) pause = most_ms;
    if (pause < asked_ms) pause = asked_ms;
    return pause + below(lot, pause / PAUSE_SPREAD + 1);
}
