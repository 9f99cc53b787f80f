#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process/worker.h"
#include "core/shared/zone.h"

Test(worker_counters, a_dummy_counts_where_there_is_no_worker)
{
    worker_counters->requests = 3;
    cr_assert_eq(worker_counters_sum().requests, 3);
}

static void serve_and_end(worker_counters_t *c)
{
    if (fork() == 0) {
        c->accepted += 10;
        c->active = 2;
        _exit(0);
    }
    cr_assert_gt(wait(NULL), 0);
}

Test(worker_counters, what_was_counted_outlives_the_worker_what_is_going_on_does_not)
{
    const char *why;
    zone_set_t zones = {.pool = pool_create()};
    zone_t *zone = worker_counters_zone(&zones);
    cr_assert(zone_set_map(&zones, NULL, &why));
    worker_counters_use(zone);
    worker_counters_t *a = worker_counters_take(), *b = worker_counters_take();
    cr_assert(a && b && a != b);
    serve_and_end(a);
    serve_and_end(b);
    cr_assert_eq(worker_counters_sum().accepted, 20);
    cr_assert_eq(worker_counters_sum().active, 4);
    worker_counters_give(a);
    cr_assert_eq(worker_counters_sum().accepted, 20);
    cr_assert_eq(worker_counters_sum().active, 2);
    cr_assert_eq(worker_counters_take(), a);
    serve_and_end(a);
    cr_assert_eq(worker_counters_sum().accepted, 30);
    zone_set_release(&zones);
    pool_destroy(zones.pool);
}
