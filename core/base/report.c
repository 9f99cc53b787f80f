#include "core/base/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/panic.h"

typedef struct frame { /* an object or a list that is open */
    str_t name;        /* of an item: its key */
    const char *label; /* of an item; NULL: no item */
    bool list, begun;
} frame_t;

typedef struct sample { /* a line for Prometheus; those of one name stand together */
    str_t name, labels, value;
    const char *type;
    unsigned number;
} sample_t;

struct report {
    strbuf_t out;
    report_format_t format;
    const str_t *path;
    unsigned path_n;
    frame_t frames[REPORT_DEPTH_MAX + 1]; /* [depth] is the innermost, [0] the report itself */
    unsigned depth;
    unsigned skipped; /* open ones that the path leads past */
    bool found;
    VEC(sample_t) samples;
};

report_t *report_new(pool_t *pool, report_format_t format, const str_t *path, unsigned n)
{
    report_t *r = POOL_NEW(pool, report_t);
    r->out.pool = pool;
    r->format = format;
    r->path = path;
    r->path_n = n;
    if (n == 0) {
        r->found = true;
        if (format == REPORT_JSON) strbuf_put(&r->out, '{');
    }
    return r;
}

/* Whether what is written now is inside of what was asked for. */
static bool inside(const report_t *r)
{
    return !r->skipped && r->depth >= r->path_n;
}

bool report_wants(const report_t *r, const char *section)
{
    return r->path_n == 0 || str_eq(r->path[0], str_of(section));
}

/* --- JSON (RFC 8259) --- */

static void put_string(strbuf_t *out, str_t s)
{
    strbuf_put(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') strbuf_put(out, '\\');
        if (c < ' ' || c >= 0x7f) strbuf_printf(out, "\\u%04x", c); /* bytes, taken as Latin-1 */
        else strbuf_put(out, (char)c);
    }
    strbuf_put(out, '"');
}

static void put_name(report_t *r, str_t name)
{
    frame_t *f = &r->frames[r->depth];
    if (f->begun) strbuf_put(&r->out, ',');
    f->begun = true;
    if (f->list) return;
    put_string(&r->out, name);
    strbuf_put(&r->out, ':');
}

static void begin_json(report_t *r, frame_t *f)
{
    bool outermost = r->path_n && r->depth == r->path_n - 1; /* what was asked for needs no name */
    bool keyed = f->label && (outermost || r->frames[r->depth].list);
    if (!outermost) put_name(r, f->name);
    strbuf_put(&r->out, f->list ? '[' : '{');
    f->begun = keyed;
    if (!keyed) return;
    put_string(&r->out, str_of(f->label));
    strbuf_put(&r->out, ':');
    put_string(&r->out, f->name);
}

/* --- opening and closing --- */

static bool on_the_path(const report_t *r, const frame_t *f)
{
    return r->depth >= r->path_n || str_eq(r->path[r->depth], f->name);
}

static void begin(report_t *r, frame_t f)
{
    if (r->skipped || !on_the_path(r, &f)) {
        r->skipped++;
        return;
    }
    ASSERT(r->depth < REPORT_DEPTH_MAX);
    if (r->depth + 1 >= r->path_n) {
        r->found = true;
        if (r->format == REPORT_JSON) begin_json(r, &f);
    }
    r->frames[++r->depth] = f;
}

void report_open(report_t *r, const char *name)
{
    begin(r, (frame_t){.name = str_of(name)});
}

void report_list(report_t *r, const char *name)
{
    begin(r, (frame_t){.name = str_of(name), .list = true});
}

void report_item(report_t *r, const char *label, str_t key)
{
    begin(r, (frame_t){.name = key, .label = label});
}

void report_close(report_t *r)
{
    if (r->skipped) {
        r->skipped--;
        return;
    }
    ASSERT(r->depth > 0);
    if (r->format == REPORT_JSON && inside(r))
        strbuf_put(&r->out, r->frames[r->depth].list ? ']' : '}');
    r->depth--;
}

/* --- the text format of Prometheus --- */

static void add_name_part(strbuf_t *out, str_t part)
{
    strbuf_put(out, '_');
    for (size_t i = 0; i < part.n; i++) {
        bool good = ascii_alpha(part.p[i]) || ascii_digit(part.p[i]);
        strbuf_put(out, good ? part.p[i] : '_');
    }
}

static void add_label(strbuf_t *out, str_t name, str_t value)
{
    if (out->n) strbuf_put(out, ',');
    strbuf_add(out, name);
    strbuf_add(out, STR("=\""));
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"' || c == '\\') strbuf_put(out, '\\');
        if (c == '\n') strbuf_add(out, STR("\\n"));
        else strbuf_put(out, c);
    }
    strbuf_put(out, '"');
}

static void sample(report_t *r, const char *name, const char *suffix, const char *type, str_t value,
                   const str_t *state)
{
    strbuf_t full = {.pool = r->out.pool}, labels = full;
    strbuf_add(&full, STR("proxyd"));
    for (unsigned i = 1; i <= r->depth; i++) {
        const frame_t *f = &r->frames[i];
        if (f->label) add_label(&labels, str_of(f->label), f->name);
        else add_name_part(&full, f->name);
    }
    add_name_part(&full, str_of(name));
    strbuf_add(&full, str_of(suffix));
    if (state) add_label(&labels, str_of(name), *state);
    sample_t *s = VEC_PUSH(r->out.pool, &r->samples);
    *s = (sample_t){strbuf_text(&full), strbuf_text(&labels), value, type, r->samples.n};
}

static int by_name(const void *a, const void *b)
{
    const sample_t *x = a, *y = b;
    int order = str_cmp(x->name, y->name);
    return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

static void put_samples(report_t *r)
{
    str_t last = STR("");
    if (r->samples.n) qsort(r->samples.v, r->samples.n, sizeof(*r->samples.v), by_name);
    VEC_EACH(const sample_t, s, &r->samples)
    {
        if (!str_eq(s->name, last))
            strbuf_printf(&r->out, "# TYPE " STR_FMT " %s\n", STR_ARG(s->name), s->type);
        last = s->name;
        strbuf_add(&r->out, s->name);
        if (s->labels.n) strbuf_printf(&r->out, "{" STR_FMT "}", STR_ARG(s->labels));
        strbuf_printf(&r->out, " " STR_FMT "\n", STR_ARG(s->value));
    }
}

/* --- values --- */

static void json(report_t *r, const char *name, str_t value)
{
    put_name(r, str_of(name));
    strbuf_add(&r->out, value);
}

static void number(report_t *r, const char *name, const char *suffix, const char *type, uint64_t v)
{
    char digits[20];
    if (!inside(r)) return;
    str_t text = str_make(digits, str_put_u64(digits, v));
    if (r->format == REPORT_JSON) json(r, name, text);
    else sample(r, name, suffix, type, pool_str(r->out.pool, text), NULL);
}

void report_count(report_t *r, const char *name, uint64_t v)
{
    number(r, name, "_total", "counter", v);
}

void report_gauge(report_t *r, const char *name, uint64_t v)
{
    number(r, name, "", "gauge", v);
}

void report_ms(report_t *r, const char *name, uint64_t us)
{
    pool_t *pool = r->out.pool;
    if (!inside(r)) return;
    if (r->format == REPORT_JSON)
        json(r, pool_printf(pool, "%s_ms", name).p,
             pool_printf(pool, "%llu.%03llu", (unsigned long long)(us / 1000),
                         (unsigned long long)(us % 1000)));
    else
        sample(r, name, "_seconds", "gauge",
               pool_printf(pool, "%llu.%06llu", (unsigned long long)(us / 1000000),
                           (unsigned long long)(us % 1000000)), NULL);
}

void report_flag(report_t *r, const char *name, bool on)
{
    if (r->format != REPORT_JSON) report_gauge(r, name, on);
    else if (inside(r)) json(r, name, on ? STR("true") : STR("false"));
}

void report_text(report_t *r, const char *name, str_t text)
{
    if (r->format != REPORT_JSON || !inside(r)) return;
    put_name(r, str_of(name));
    put_string(&r->out, text);
}

void report_state(report_t *r, const char *name, str_t text)
{
    if (r->format == REPORT_JSON) report_text(r, name, text);
    else if (inside(r)) sample(r, name, "", "gauge", STR("1"), &text);
}

void report_time(report_t *r, const char *name, uint64_t unix_ms)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)(unix_ms / 1000);
    if (r->format != REPORT_JSON) {
        if (unix_ms) number(r, name, "_timestamp_seconds", "gauge", unix_ms / 1000);
        return;
    }
    if (!inside(r)) return;
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof(text), "\"%Y-%m-%dT%H:%M:%SZ\"", &tm);
    json(r, name, unix_ms ? str_make(text, n) : STR("null"));
}

bool report_end(report_t *r, str_t *out)
{
    ASSERT(r->depth == 0 && r->skipped == 0);
    if (r->format == REPORT_PROMETHEUS) put_samples(r);
    else if (r->path_n == 0) strbuf_put(&r->out, '}');
    if (r->format == REPORT_JSON) strbuf_put(&r->out, '\n');
    *out = strbuf_text(&r->out);
    return r->found;
}
