#include "core/process/ctl.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/config/token.h"
#include "core/io/stream.h"
#include "core/process/generation.h"
#include "core/process/worker.h"

typedef struct visit {
    stream_t stream;
    ctl_call_t call;
    char line[CTL_LINE_MAX];
    size_t length;
} visit_t;

/* --- the answer --- */

void ctl_say(ctl_call_t *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_vprintf(&call->text, fmt, args);
    va_end(args);
}

bool ctl_fail(ctl_call_t *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    call->text.n = 0;
    strbuf_vprintf(&call->text, fmt, args);
    strbuf_put(&call->text, '\n');
    va_end(args);
    return false;
}

/* --- commands --- */

static const ctl_command_t *find_in(const module_t *m, str_t name)
{
    for (const ctl_command_t *c = m->commands; c && c->name; c++)
        if (str_eq(name, str_of(c->name))) return c;
    return NULL;
}

static bool unknown(ctl_call_t *call)
{
    enum { MOST = 63 };
    const char *names[MOST + 1];
    unsigned n = 0;
    for (const module_t *const *m = call->generation->source->modules; *m; m++)
        for (const ctl_command_t *c = (*m)->commands; c && c->name && n < MOST; c++)
            names[n++] = c->name;
    names[n] = NULL;
    const char *near = conf_nearest(call->words[0], names);
    return ctl_fail(call, "unknown command \"" STR_FMT "\"; %s%s%s", STR_ARG(call->words[0]),
                    near ? "did you mean \"" : "\"proxyd ctl help\" lists them", near ? near : "",
                    near ? "\"?" : "");
}

static bool run_command(ctl_call_t *call)
{
    const module_t *const *m = call->generation->source->modules;
    const ctl_command_t *c = NULL;
    if (call->n == 0) return ctl_fail(call, "no command; \"proxyd ctl help\" lists them");
    while (*m && !(c = find_in(*m, call->words[0]))) m++;
    if (!c) return unknown(call);
    if (call->n - 1 < c->min_args || call->n - 1 > c->max_args)
        return ctl_fail(call, "invalid number of arguments; usage: %s %s", c->name, c->arguments);
    return c->run(call, conf_get(call->generation->main, *m));
}

/* --- the line --- */

static bool split(ctl_call_t *call, str_t line)
{
    token_reader_t r;
    token_t t;
    diag_t *diag = diag_new(call->pool);
    token_start(&r, call->pool, diag, diag_source(diag, "request", line), "request");
    while ((t = token_next(&r)) == TOKEN_WORD) {
        if (call->n == CTL_WORDS_MAX) return ctl_fail(call, "too many words");
        call->words[call->n++] = r.text;
    }
    if (t == TOKEN_END || t == TOKEN_SEMICOLON) return true;
    return ctl_fail(call, "the request is no line of words; words with blanks, \";\" or braces "
                          "stand in quotes");
}

/* A whole line has come. False: none did (*say: why, for the visitor; NULL: he has left). */
static bool read_line(visit_t *v, const char **say)
{
    uint64_t until = clock_ms() + CTL_TIMEOUT_MS;
    *say = "the request is too long";
    while (v->length < sizeof(v->line)) {
        uint64_t now = clock_ms();
        ssize_t n = stream_read(&v->stream, v->line + v->length, sizeof(v->line) - v->length,
                                now < until ? until - now : 0);
        if (n == -ETIMEDOUT) *say = "the request did not come in time";
        else if (n <= 0) *say = NULL;
        if (n <= 0) return false;
        void *end = memchr(v->line + v->length, '\n', (size_t)n);
        v->length += (size_t)n;
        if (!end) continue;
        v->length = (size_t)((char *)end - v->line);
        return true;
    }
    return false;
}

/* --- the visit --- */

static void answer(visit_t *v, bool done)
{
    char head[] = {(char)('0' + (done ? CTL_DONE : CTL_REFUSED)), '\n'};
    str_t text = strbuf_text(&v->call.text);
    struct iovec iov[] = {{head, sizeof(head)}, {(void *)(uintptr_t)text.p, text.n}};
    stream_writev(&v->stream, iov, text.n ? 2 : 1, CTL_TIMEOUT_MS);
}

static bool obey(visit_t *v)
{
    str_t line = str_make(v->line, v->length);
    bool done = split(&v->call, line) && run_command(&v->call);
    LOG(&log_main, LOG_NOTICE, 0, "control: " STR_FMT "%s", STR_ARG(line), done ? "" : ": refused");
    return done;
}

static void converse(visit_t *v)
{
    const char *why;
    if (read_line(v, &why)) answer(v, obey(v));
    else if (why) answer(v, ctl_fail(&v->call, "%s", why));
}

static void serve(void *arg)
{
    visit_t *v = arg;
    converse(v);
    stream_close(&v->stream, false);
    worker_release();
    pool_destroy(v->call.pool);
}

void ctl_serve(listen_t *l, int fd, const net_addr_t *peer)
{
    pool_t *pool = pool_create();
    visit_t *v = POOL_NEW(pool, visit_t);
    (void)peer;
    v->call.pool = v->call.text.pool = pool;
    v->call.generation = l->data;
    if (stream_open(&v->stream, fd) == 0) {
        if (fiber_start(serve, v)) return;
        stream_close(&v->stream, false);
    } else {
        close(fd);
    }
    worker_release();
    pool_destroy(pool);
}
