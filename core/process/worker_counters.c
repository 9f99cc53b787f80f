#include "core/process/worker.h"

#include <unistd.h>

#include "core/shared/shm.h"

enum { ROWS = 4096 }; /* workers at once, those that are stopping included */

static worker_counters_t *rows;
static worker_counters_t dummy;

worker_counters_t *worker_counters = &dummy;

bool worker_counters_map(void)
{
    rows = shm_map(ROWS * sizeof(*rows));
    return rows != NULL;
}

worker_counters_t *worker_counters_take(void)
{
    for (worker_counters_t *c = rows; c < rows + ROWS; c++) {
        if (c->worker) continue;
        c->worker = 1; /* until the worker writes its process id */
        return c;
    }
    return NULL;
}

void worker_counters_give(worker_counters_t *c)
{
    c->active = c->reading = c->writing = c->waiting = c->worker = 0;
}

int worker_row(void)
{
    if (!rows) return 0;
    return worker_counters == &dummy ? WORKER_NO_ROW : (int)(worker_counters - rows);
}

uint64_t worker_row_owner(unsigned row)
{
    if (!rows) return row == 0;
    return row < ROWS ? __atomic_load_n(&rows[row].worker, __ATOMIC_RELAXED) : 0;
}

/* Rows are given from the start, so behind the first that never counted there is nothing. */
worker_counters_t worker_counters_sum(void)
{
    worker_counters_t sum = {0};
    const worker_counters_t *all = rows ? rows : &dummy;
    for (size_t i = 0; i < (rows ? ROWS : 1); i++) {
        const worker_counters_t *c = &all[i];
        if (!c->worker && !c->accepted && i > 0) break;
        sum.accepted += c->accepted;
        sum.handled += c->handled;
        sum.requests += c->requests;
        sum.active += c->active;
        sum.reading += c->reading;
        sum.writing += c->writing;
        sum.waiting += c->waiting;
    }
    return sum;
}
