/*
 * rate: limit_rate: bodies that leave no faster than so many bytes per second.
 *
 * What is allowed grows with the time since the body began; a filter hands on what is allowed now
 * and sleeps until a good piece more of it is. The rate is limit_rate's, unless $limit_rate has
 * been set or an origin has named one (reply_t.limit_rate).
 */
#include "core/base/clock.h"
#include "http/http.h"
#include "http/request.h"

/* How far ahead of its rate a body may run, so that pieces are not tiny. */
enum { HEAD_START_MS = 250 };

typedef struct rate_conf {
    text_t rate, after;
} rate_conf_t;

typedef struct rate_state {
    uint64_t rate, after; /* bytes per second; bytes that are free */
    uint64_t began_ms;    /* clock_ms */
    uint64_t sent;
} rate_state_t;

static unsigned rate_index;

/* --- the filter --- */

/* Bytes that may leave now. */
static uint64_t allowed(const rate_state_t *s)
{
    uint64_t ms = clock_ms() - s->began_ms + HEAD_START_MS, all;
    if (__builtin_mul_overflow(s->rate, ms, &all)) return UINT64_MAX;
    all = all / 1000 + s->after;
    return all > s->sent ? all - s->sent : 0;
}

/* Sleeps until `wanted` bytes, or a good piece of them, may leave. How many, or negative errno. */
static int64_t wait_for(const rate_state_t *s, uint64_t wanted)
{
    uint64_t least = s->rate * HEAD_START_MS / 1000;
    if (least == 0) least = 1;
    if (wanted > INT64_MAX) wanted = INT64_MAX;
    if (least > wanted) least = wanted;
    for (;;) {
        uint64_t now = allowed(s);
        if (now >= least) return (int64_t)(now < wanted ? now : wanted);
        int err = fiber_sleep((least - now) * 1000 / s->rate + 1);
        if (err < 0) return err;
    }
}

static piece_t cut(piece_t *rest, uint64_t n)
{
    piece_t piece = *rest;
    piece.n = (size_t)n;
    rest->n -= piece.n;
    if (rest->fd < 0) rest->p += piece.n;
    else rest->at += (off_t)piece.n;
    return piece;
}

static int send_piece(filter_t *f, request_t *r, piece_t rest, unsigned flags)
{
    rate_state_t *s = f->state;
    int err = 0;
    while (rest.n && err == 0) {
        int64_t n = wait_for(s, rest.n);
        if (n < 0) return (int)n;
        piece_t piece = cut(&rest, (uint64_t)n);
        s->sent += piece.n;
        err = filter_pass(f, r, &piece, 1, rest.n ? 0 : flags);
    }
    return err;
}

static int body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    rate_state_t *s = f->state;
    int err = 0;
    if (!s->began_ms) s->began_ms = clock_ms();
    while (n && !pieces[n - 1].n) n--; /* so that the last has bytes, which flags can go with */
    if (n == 0) return filter_pass(f, r, NULL, 0, flags);
    for (unsigned i = 0; i < n && err == 0; i++)
        err = send_piece(f, r, pieces[i], i + 1 == n ? flags : 0);
    return err;
}

/* --- what the rate is --- */

static uint64_t size_of(request_t *r, const text_t *text)
{
    unsigned long long n;
    str_t value = text_eval(text, r);
    return value.n && !value_size(value, &n) ? n : 0;
}

static uint64_t rate_of(request_t *r)
{
    const rate_conf_t *c = request_conf(r, rate_index);
    return r->reply.limit_rate_set ? r->reply.limit_rate : size_of(r, &c->rate);
}

static int head(request_t *r)
{
    const rate_conf_t *c = request_conf(r, rate_index);
    uint64_t rate = rate_of(r);
    if (!rate || r->reply.head_only) return 0;
    rate_state_t *s = POOL_NEW(r->pool, rate_state_t);
    s->rate = rate;
    s->after = size_of(r, &c->after);
    filter_push(r, body, s);
    return 0;
}

/* --- $limit_rate --- */

static str_t get_limit_rate(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    return pool_printf(r->pool, "%llu", (unsigned long long)rate_of(r));
}

static void put_limit_rate(request_t *r, str_t value)
{
    unsigned long long n;
    if (value_size(value, &n)) {
        LOG(&r->log, LOG_ERR, 0, "invalid $limit_rate \"" STR_FMT "\"", STR_ARG(value));
        return;
    }
    r->reply.limit_rate = n;
    r->reply.limit_rate_set = true;
}

static const var_def_t variables[] = {
    {"limit_rate", get_limit_rate, (uintptr_t)put_limit_rate,
     VAR_NO_CACHE | VAR_CHANGEABLE | VAR_STORED},
    {NULL, NULL, 0, 0},
};

/* --- directives --- */

static bool set_rate(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    text_t *text = CONF_AT(row, conf, text_t);
    size_t n;
    if (!conf_set_text(cf, row, conf, node)) return false;
    return !text_is_constant(text) || conf_size(cf, node, 1, text->source, 0, 0, &n);
}

#define CONTEXTS (CONF_HTTP_ALL | CONF_LOCATION_IF)

static const conf_row_t rows[] = {
    CONF_CUSTOM("limit_rate", CONTEXTS, 0, 1, 1, set_rate, CONF_FIELD(rate_conf_t, rate, text_t),
                "0", "bytes per second that a reply's body may leave with; 0: no limit"),
    CONF_CUSTOM("limit_rate_after", CONTEXTS, 0, 1, 1, set_rate,
                CONF_FIELD(rate_conf_t, after, text_t), "0",
                "bytes of a body that limit_rate does not count"),
    CONF_END,
};

static const http_hooks_t hooks = {.head = head, .variables = variables};

const module_t rate_module = {
    .name = "rate",
    .index = &rate_index,
    .rows = rows,
    .conf_size = sizeof(rate_conf_t),
    .hooks = &hooks,
};
