/* store_lane: who a process is in shared memory, and whether it still lives: the row of its
   counters with its number. Those without a row (a shared process too many) take part in nothing.
   */
#ifndef MODULES_CACHE_STORE_LANE_H
#define MODULES_CACHE_STORE_LANE_H

#include "core/process/worker.h"

static inline bool store_lane_any(void)
{
    return worker_row() != WORKER_NO_ROW;
}

static inline uint64_t store_lane_me(void)
{
    uint64_t row = (uint64_t)worker_row();
    return row << 32 | (uint32_t)worker_row_owner((unsigned)row);
}

/* who: what store_lane_me said there; not 0. */
static inline bool store_lane_lives(uint64_t who)
{
    uint32_t process = (uint32_t)who;
    return process && (uint32_t)worker_row_owner((unsigned)(who >> 32)) == process;
}

#endif
