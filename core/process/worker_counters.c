#include "core/process/worker.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/panic.h"
#include "core/shared/zone.h"

enum { ROWS = 4096 }; /* workers at once, those that are stopping included */

typedef struct shared { /* what stands in the zone */
    uint64_t started;   /* milliseconds since 1970 */
    worker_counters_t *rows;
} shared_t;

static const shared_t *shared;
static worker_counters_t dummy;

worker_counters_t *worker_counters = &dummy;

static void *init(slab_t *slab, void *arg)
{
    shared_t *s = slab_alloc(slab, sizeof(*s));
    (void)arg;
    if (!s) return NULL;
    *s = (shared_t){clock_unix_ms(), slab_alloc(slab, ROWS * sizeof(*s->rows))};
    if (s->rows) memset(s->rows, 0, ROWS * sizeof(*s->rows));
    return s->rows ? s : NULL;
}

/* Always the same name, size and kind, so it outlives every reload. */
zone_t *worker_counters_zone(zone_set_t *set)
{
    const char *why;
    size_t size = ROWS * sizeof(worker_counters_t) + ZONE_SIZE_MIN;
    zone_t *z = zone_want(set, STR("core:workers"), size, "workers", init, NULL, &why);
    ASSERT(z);
    return z;
}

void worker_counters_use(const zone_t *zone)
{
    shared = zone->root;
}

worker_counters_t *worker_counters_take(void)
{
    for (worker_counters_t *c = shared->rows; c < shared->rows + ROWS; c++) {
        if (c->worker) continue;
        c->given = 1;
        c->worker = 1; /* until the worker writes its process id */
        return c;
    }
    return NULL;
}

void worker_counters_give(worker_counters_t *c)
{
    c->active = c->reading = c->writing = c->waiting = c->helper = c->worker = 0;
}

int worker_row(void)
{
    if (!shared) return 0;
    return worker_counters == &dummy ? WORKER_NO_ROW : (int)(worker_counters - shared->rows);
}

/* Rows are given from the start, so behind the first that never was there is nothing. */
unsigned worker_rows(void)
{
    unsigned n = 1;
    while (shared && n < ROWS && shared->rows[n].given) n++;
    return n;
}

uint64_t worker_row_owner(unsigned row)
{
    if (!shared) return row == 0;
    return row < ROWS ? __atomic_load_n(&shared->rows[row].worker, __ATOMIC_RELAXED) : 0;
}

worker_counters_t worker_row_counters(unsigned row)
{
    return shared ? shared->rows[row] : dummy;
}

uint64_t worker_counters_started(void)
{
    return shared ? shared->started : clock_unix_ms();
}

worker_counters_t worker_counters_sum(void)
{
    worker_counters_t sum = {0};
    for (unsigned row = 0; row < worker_rows(); row++) {
        worker_counters_t c = worker_row_counters(row);
        sum.accepted += c.accepted;
        sum.handled += c.handled;
        sum.requests += c.requests;
        sum.active += c.active;
        sum.reading += c.reading;
        sum.writing += c.writing;
        sum.waiting += c.waiting;
    }
    return sum;
}
