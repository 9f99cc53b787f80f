#include "core/process/worker_room.h"

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/process/worker.h"

static unsigned held, most; /* 0: as many as come (tests) */
static unsigned (*reclaim)(void);
static uint64_t said_full_ms;

void worker_room_open(unsigned connections)
{
    most = connections;
}

unsigned worker_room_held(void)
{
    return held;
}

void worker_on_shortage(unsigned (*fn)(void))
{
    reclaim = fn;
}

static void say_full(int level, const char *remedy)
{
    if (said_full_ms && clock_ms() - said_full_ms < 1000) return;
    said_full_ms = clock_ms();
    LOG(&log_main, level, 0, "%u worker_connections are not enough%s", most, remedy);
}

void worker_room_relieve(void)
{
    if (held + most / 16 < most) return;
    if (worker_reclaim()) say_full(LOG_WARNING, ", reusing connections");
}

unsigned worker_reclaim(void)
{
    return reclaim ? reclaim() : 0;
}

bool worker_has_room(void)
{
    return !most || held < most;
}

bool worker_hold(void)
{
    if (!worker_has_room()) {
        say_full(LOG_ALERT, "");
        return false;
    }
    held++;
    return true;
}

void worker_release(void)
{
    ASSERT(held > 0);
    held--;
}
