#include "modules/upstream/latency.h"

#include "core/base/clock.h"

enum { MEMORY_MS = 10 * 1000 };

uint64_t latency_of(const peer_state_t *state)
{
    uint64_t us = PEER_GET(state->latency_us);
    return us ? us * MEMORY_MS / (MEMORY_MS + peers_age(PEER_GET(state->latency_ms))) : 0;
}

void latency_note(peer_state_t *state, uint64_t us)
{
    enum { SLOWNESS = 16 };
    uint64_t before = latency_of(state);
    if (us < before) us = before - (before - us) / SLOWNESS;
    PEER_SET(state->latency_us, us ? us : 1);
    PEER_SET(state->latency_ms, clock_ms());
}
