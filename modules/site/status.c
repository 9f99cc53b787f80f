/*
 * status: what the server tells of itself.
 *
 *     status;             as JSON, or for Prometheus; what stands behind the location's name leads
 *                         to a part: /status/upstreams/app, or /status?section=upstreams/app
 *     stub_status;        the counters of all workers, in the words of nginx that monitoring reads
 *     proxyd ctl status   the same JSON
 */
#include "core/process/ctl.h"
#include "core/process/introspect.h"
#include "core/process/worker.h"
#include "http/http.h"
#include "http/request.h"

enum { STATUS_OFF, STATUS_AUTO, STATUS_JSON, STATUS_PROMETHEUS };

typedef struct status_conf {
    bool on;         /* stub_status */
    unsigned format; /* status */
} status_conf_t;

static unsigned status_index;

/* --- status --- */

/* Who asks for text and not for JSON is Prometheus or something of its kind. */
static report_format_t format_for(const request_t *r, unsigned format)
{
    str_t text = header_value(&r->head.headers, HEADER_ACCEPT);
    if (format != STATUS_AUTO)
        return format == STATUS_PROMETHEUS ? REPORT_PROMETHEUS : REPORT_JSON;
    bool plain = str_search(text, STR("text/plain")) < text.n ||
                 str_search(text, STR("openmetrics-text")) < text.n;
    bool json = str_search(text, STR("application/json")) < text.n;
    return plain && !json ? REPORT_PROMETHEUS : REPORT_JSON;
}

static str_t section_of(const request_t *r)
{
    str_t section = uri_arg(r->args, STR("section"));
    const site_location_t *l = r->location;
    if (section.p || !l || !str_starts(r->uri, l->name)) return section;
    return str_sub(r->uri, l->name.n, r->uri.n);
}

static verdict_t reply_status(request_t *r, unsigned format)
{
    str_t path[INTROSPECT_PATH_MAX], text;
    unsigned n;
    report_format_t as = format_for(r, format);
    if (!introspect_path(section_of(r), path, &n) || !introspect(r->pool, as, path, n, &text))
        return verdict_refuse(404, LOG_INFO, NULL);
    piece_t piece = PIECE_MEMORY(text);
    reply_reset(r, 200);
    header_add(&r->reply.headers, STR("Cache-Control"), STR("no-store"));
    r->reply.content_type = as == REPORT_JSON ? STR("application/json")
                                              : STR("text/plain; version=0.0.4; charset=utf-8");
    return reply_send(r, &piece, text.n ? 1 : 0);
}

static bool run_status(ctl_call_t *call, const void *main_struct)
{
    str_t path[INTROSPECT_PATH_MAX], text;
    unsigned n = call->n - 1;
    (void)main_struct;
    for (unsigned i = 0; i < n; i++) path[i] = call->words[i + 1];
    if (!introspect(call->pool, REPORT_JSON, path, n, &text))
        return ctl_fail(call, "there is no such section; \"proxyd ctl status\" shows all");
    strbuf_add(&call->text, text);
    return true;
}

static const ctl_command_t commands[] = {
    {"status", "[SECTION [NAME...]]", 0, INTROSPECT_PATH_MAX,
     "what the server tells of itself, or one section of it, as JSON", run_status},
    {NULL, NULL, 0, 0, NULL, NULL},
};

/* --- stub_status --- */

static verdict_t reply_counters(request_t *r)
{
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

static verdict_t content(request_t *r)
{
    const status_conf_t *c = request_conf(r, status_index);
    if (!c->on && !c->format) return VERDICT(NEXT);
    if (r->method_id != METHOD_GET && r->method_id != METHOD_HEAD)
        return verdict_refuse(405, LOG_INFO, NULL);
    return c->on ? reply_counters(r) : reply_status(r, c->format);
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

static bool set_stub_status(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)node;
    ((status_conf_t *)conf)->on = true;
    return true;
}

static bool set_status(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t text = node->n > 1 ? node->words[1].text : STR("");
    unsigned *format = CONF_AT(row, conf, unsigned);
    *format = node->n == 1                              ? STATUS_AUTO
              : str_eq(text, STR("format=json"))       ? STATUS_JSON
              : str_eq(text, STR("format=prometheus")) ? STATUS_PROMETHEUS
                                                       : STATUS_OFF;
    return *format || conf_error(cf, node, 1, "format=json or format=prometheus",
                                 "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("status", CONF_SERVER | CONF_LOCATION, CONF_LOCAL, 0, 1, set_status,
                CONF_FIELD(status_conf_t, format, unsigned), NULL,
                "the location answers with all that the server tells of itself, as JSON or as "
                "Prometheus likes it: [format=json|prometheus]"),
    CONF_CUSTOM("stub_status", CONF_SERVER | CONF_LOCATION, CONF_LOCAL, 0, 1, set_stub_status,
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
    .commands = commands,
};
