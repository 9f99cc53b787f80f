/* status: stub_status: the counters of all workers, in the words of nginx that monitoring reads. */
#include "core/process/worker.h"
#include "http/http.h"
#include "http/request.h"

typedef struct status_conf {
    bool on;
} status_conf_t;

static unsigned status_index;

static verdict_t content(request_t *r)
{
    const status_conf_t *c = request_conf(r, status_index);
    if (!c->on) return VERDICT(NEXT);
    if (r->method_id != METHOD_GET && r->method_id != METHOD_HEAD)
        return verdict_refuse(405, LOG_INFO, NULL);
    worker_counters_t s = worker_counters_sum();
    str_t text = pool_printf(
        r->pool,
        "Active connections: %llu \n"
        "server accepts handled requests\n"
        " %llu %llu %llu \n"
        "Reading: %llu Writing: %llu Waiting: %llu \n",
        (unsigned long long)s.active, (unsigned long long)s.accepted, (unsigned long long)s.handled,
        (unsigned long long)s.requests, (unsigned long long)s.reading,
        (unsigned long long)s.writing, (unsigned long long)s.waiting);
    return reply_text(r, 200, STR("text/plain"), text);
}

/* def->data is the offset of a gauge in worker_counters_t. */
static str_t get_gauge(request_t *r, const var_def_t *def, str_t name)
{
    worker_counters_t s = worker_counters_sum();
    char *out = pool_bytes(r->pool, 20);
    (void)name;
    return str_make(out,
                    str_put_u64(out, *(const uint64_t *)(const void *)((char *)&s + def->data)));
}

#define GAUGE(name, field) {name, get_gauge, offsetof(worker_counters_t, field), VAR_NO_CACHE}

static const var_def_t variables[] = {
    GAUGE("connections_active", active),   GAUGE("connections_reading", reading),
    GAUGE("connections_writing", writing), GAUGE("connections_waiting", waiting),
    {NULL, NULL, 0, 0},
};

static bool set_status(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)node;
    ((status_conf_t *)conf)->on = true;
    return true;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("stub_status", CONF_SERVER | CONF_LOCATION, CONF_LOCAL, 0, 1, set_status,
                CONF_FIELD(status_conf_t, on, bool), NULL,
                "the location answers with connections and requests, counted over all workers"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_CONTENT] = content}, .variables = variables};

const module_t status_module = {
    .name = "status",
    .index = &status_index,
    .rows = rows,
    .conf_size = sizeof(status_conf_t),
    .hooks = &hooks,
};
