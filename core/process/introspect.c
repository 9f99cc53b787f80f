#include "core/process/introspect.h"

#include "config.h"
#include "core/base/clock.h"
#include "core/process/generation.h"
#include "core/process/worker.h"

static void write_server(report_t *r, const void *main_struct)
{
    const core_conf_t *core = main_struct;
    worker_counters_t sum = worker_counters_sum();
    report_text(r, "version", STR(PROXYD_VERSION));
    report_gauge(r, "generation", worker_generation()->number);
    report_time(r, "started", worker_counters_started());
    report_gauge(r, "uptime", (clock_unix_ms() - worker_counters_started()) / 1000);
    report_gauge(r, "workers", core->worker_processes);
    report_open(r, "connections");
    report_count(r, "accepted", sum.accepted);
    report_count(r, "handled", sum.handled);
    report_gauge(r, "active", sum.active);
    report_gauge(r, "reading", sum.reading);
    report_gauge(r, "writing", sum.writing);
    report_gauge(r, "waiting", sum.waiting);
    report_close(r);
    report_count(r, "requests", sum.requests);
}

static void write_worker(report_t *r, const worker_counters_t *c)
{
    char digits[20];
    report_item(r, "worker", str_make(digits, str_put_u64(digits, c->worker)));
    report_count(r, "accepted", c->accepted);
    report_gauge(r, "active", c->active);
    report_count(r, "requests", c->requests);
    report_close(r);
}

/* Those that run, of all generations. */
static void write_workers(report_t *r, const void *main_struct)
{
    (void)main_struct;
    for (unsigned row = 0; row < worker_rows(); row++) {
        worker_counters_t c = worker_row_counters(row);
        if (c.worker && !c.helper) write_worker(r, &c);
    }
}

static void write_helpers(report_t *r, const void *main_struct)
{
    char digits[20];
    (void)main_struct;
    for (unsigned row = 0; row < worker_rows(); row++) {
        worker_counters_t c = worker_row_counters(row);
        if (!c.worker || !c.helper) continue;
        const helper_t *h = helper_at(&worker_generation()->helpers, (unsigned)c.helper - 1);
        report_item(r, "helper", str_make(digits, str_put_u64(digits, c.worker)));
        report_text(r, "name", h ? str_of(h->name) : STR(""));
        report_close(r);
    }
}

static void write_zones(report_t *r, const void *main_struct)
{
    (void)main_struct;
    for (const zone_t *z = worker_generation()->zones.first; z; z = z->next) {
        if (!z->slab) continue;
        slab_stats_t s = slab_stats(z->slab);
        report_item(r, "zone", z->name);
        report_gauge(r, "size", z->size);
        report_gauge(r, "used", s.used_bytes);
        report_gauge(r, "free", s.free_pages * SLAB_PAGE);
        report_count(r, "recoveries", s.recoveries);
        report_close(r);
    }
}

const report_section_t introspect_sections[] = {
    {"server", write_server},
    {"workers", write_workers},
    {"helpers", write_helpers},
    {"zones", write_zones},
    {NULL, NULL},
};

static void write_sections(report_t *r, const module_t *m)
{
    for (const report_section_t *s = m->sections; s && s->name; s++) {
        if (!report_wants(r, s->name)) continue;
        report_open(r, s->name);
        s->write(r, conf_get(worker_generation()->main, m));
        report_close(r);
    }
}

bool introspect(pool_t *pool, report_format_t format, const str_t *path, unsigned n, str_t *out)
{
    report_t *r = report_new(pool, format, path, n);
    for (const module_t *const *m = worker_generation()->source->modules; *m; m++)
        write_sections(r, *m);
    return report_end(r, out);
}

bool introspect_path(str_t text, str_t path[INTROSPECT_PATH_MAX], unsigned *n)
{
    str_t name;
    *n = 0;
    while (str_cut(&text, '/', &name)) {
        if (name.n == 0) continue;
        if (*n == INTROSPECT_PATH_MAX) return false;
        path[(*n)++] = name;
    }
    return true;
}
