/*
 * access_log: a line per request, to files or syslog, buffered on request.
 *
 * The configuration's structs are private to each worker after the fork, so a buffer stands in
 * them. A line that cannot be written is lost and said so once a minute; the request is not
 * touched.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/io/timer.h"
#include "core/process/generation.h"
#include "core/process/logsys.h"
#include "http/http.h"
#include "http/request.h"
#include "modules/log/log_format.h"

typedef struct access_log {
    struct access_log *next;  /* all of the configuration */
    logfile_t *file;          /* NULL: `path` has variables */
    text_t path;              /* opened by the worker for each line, and so with its rights */
    log_target_t syslog;      /* syslog.syslog NULL: a file */
    str_t format_name;
    const log_format_t *format;
    text_t condition;         /* if= */
    size_t buffer_size;       /* 0: none */
    msec_t flush;             /* 0: when full */
    buf_t *buffer;
    struct timer timer;
    uint64_t complained;      /* clock_ms of the last complaint */
    const tree_node_t *node;
    unsigned format_word;
} access_log_t;

/* What all of an http block shares. */
typedef struct access_block {
    hash_map_t formats;
    access_log_t *logs;
    access_log_t *fallback; /* the log of an http block that says nothing of logs */
} access_block_t;

typedef VEC(access_log_t *) access_logs_t;

typedef struct access_conf {
    access_logs_t logs;
    bool log_subrequest;
    access_block_t *block;
} access_conf_t;

static unsigned access_index;
extern const module_t access_log_module;

/* --- writing --- */

static void complain(access_log_t *l, const char *what, const char *path, int err)
{
    if (l->complained && clock_ms() - l->complained < 60000) return;
    l->complained = clock_ms();
    LOG(&log_main, LOG_ALERT, err, "%s \"%s\" failed", what, path);
}

static void write_to(access_log_t *l, int fd, const char *path, str_t data)
{
    ssize_t put = write(fd, data.p, data.n);
    if (put < 0 || (size_t)put < data.n) complain(l, "write() to", path, put < 0 ? errno : ENOSPC);
}

static void write_file(access_log_t *l, str_t data)
{
    write_to(l, l->file->fd, l->file->path ? l->file->path : "syslog", data);
}

/* What a client says must not lead out of the directory that the operator has named. */
static bool leads_out(str_t path)
{
    str_t segment;
    if (memchr(path.p, '\0', path.n)) return true;
    while (str_cut(&path, '/', &segment))
        if (str_eq(segment, STR(".."))) return true;
    return false;
}

static void write_named(access_log_t *l, request_t *r, str_t line)
{
    str_t named = text_eval(&l->path, r);
    char *path = pool_cstr(r->pool, named);
    if (leads_out(named)) {
        complain(l, "a path with \"..\":", path, EINVAL);
        return;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
    if (fd < 0) {
        complain(l, "open()", path, errno);
        return;
    }
    write_to(l, fd, path, line);
    close(fd);
}

static void flush(access_log_t *l)
{
    if (!l->buffer || !buf_used(l->buffer)) return;
    write_file(l, buf_str(l->buffer));
    buf_clear(l->buffer);
    timer_disarm(&l->timer);
}

static void on_flush_time(struct timer *t)
{
    flush(LIST_OF(t, access_log_t, timer));
}

static void write_buffered(access_log_t *l, str_t line)
{
    if (!l->buffer) l->buffer = buf_take(l->buffer_size);
    if (line.n > buf_room(l->buffer)) flush(l);
    if (line.n > buf_room(l->buffer)) {
        write_file(l, line);
        return;
    }
    buf_put(l->buffer, line);
    if (!l->flush || timer_armed(&l->timer)) return;
    l->timer.fire = on_flush_time;
    timer_arm(&l->timer, l->flush);
}

static void write_line(access_log_t *l, request_t *r, str_t line)
{
    if (l->path.set)
        write_named(l, r, line);
    else if (l->syslog.syslog)
        log_syslog(&l->syslog, l->syslog.level, str_sub(line, 0, line.n - 1));
    else if (l->buffer_size)
        write_buffered(l, line);
    else
        write_file(l, line);
}

static verdict_t log_request(request_t *r)
{
    const access_conf_t *c = request_conf(r, access_index);
    VEC_EACH(access_log_t *const, it, &c->logs) {
        access_log_t *l = *it;
        if (l->condition.set && !text_true(&l->condition, r)) continue;
        write_line(l, r, log_format_line(l->format, r));
    }
    return VERDICT(NEXT);
}

/* --- while the configuration is read --- */

static bool set_log_format(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    access_conf_t *c = conf;
    (void)row;
    log_format_t *f = log_format_new(cf, node, 1);
    if (!f) return false;
    if (hash_map_get(&c->block->formats, f->name))
        return conf_error(cf, node, 1, NULL, "duplicate \"log_format\" name \"" STR_FMT "\"",
                          STR_ARG(f->name));
    hash_map_set(&c->block->formats, f->name, f);
    return true;
}

static bool set_syslog(conf_t *cf, access_log_t *l, const tree_node_t *node, unsigned word)
{
    logsys_t s;
    generation_t *g = generation_of(cf);
    const char *why = logsys_parse(cf->pool, node->words[word].text, &s);
    if (why) return conf_error(cf, node, word, "syslog:server=ADDRESS[,tag=NAME]", "%s", why);
    net_addr_t *peer = pool_memdup(cf->pool, &s.server, sizeof(s.server));
    l->file = logfile_want_socket(&g->logfiles, peer);
    l->syslog = (log_target_t){.fd = -1,
                               .level = s.severity,
                               .facility = s.facility,
                               .syslog = logsys_head(cf->pool, &s)};
    logfile_follow(&g->logfiles, l->file, &l->syslog.fd);
    return true;
}

static bool set_target(conf_t *cf, access_log_t *l, const tree_node_t *node, str_t path)
{
    if (logsys_is(path)) return set_syslog(cf, l, node, 1);
    str_t full = conf_full_path(cf, path, false);
    if (str_find(path, 0, '$') < path.n) return text_compile(cf, node, 1, full, &l->path);
    l->file = logfile_want(&generation_of(cf)->logfiles, full);
    return true;
}

static bool take_option(conf_t *cf, access_log_t *l, const tree_node_t *node, unsigned word)
{
    str_t rest, text = node->words[word].text;
    if (value_keyed(text, "buffer", &rest))
        return conf_size(cf, node, word, rest, 1, 1 << 30, &l->buffer_size);
    if (value_keyed(text, "flush", &rest)) return conf_msec(cf, node, word, rest, &l->flush);
    if (value_keyed(text, "if", &rest)) return text_compile(cf, node, word, rest, &l->condition);
    return conf_error(cf, node, word, "known: buffer=SIZE flush=TIME if=CONDITION",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static access_log_t *new_log(conf_t *cf, access_conf_t *c, const tree_node_t *node)
{
    access_log_t *l = POOL_NEW(cf->pool, access_log_t);
    l->node = node;
    l->format_name = STR("combined");
    l->next = c->block->logs;
    c->block->logs = l;
    *VEC_PUSH(cf->pool, &c->logs) = l;
    return l;
}

static bool take_options(conf_t *cf, access_log_t *l, const tree_node_t *node)
{
    for (unsigned word = 3; word < node->n; word++)
        if (!take_option(cf, l, node, word)) return false;
    if (l->path.set && l->buffer_size)
        return conf_error(cf, node, 1, "leave out buffer=, or the variables",
                          "buffered logs cannot have variables in name");
    if (l->flush && !l->buffer_size)
        return conf_error(cf, node, 0, "buffer=32k flush=5s",
                          "no buffer is defined for access_log");
    return true;
}

/* access_log off; access_log path [format [buffer=] [flush=] [if=]] */
static bool set_access_log(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    str_t path = node->words[1].text;
    if (node->n == 2 && str_eq(path, STR("off"))) return true;
    access_log_t *l = new_log(cf, conf, node);
    if (node->n > 2) {
        l->format_name = node->words[2].text;
        l->format_word = 2;
    }
    return set_target(cf, l, node, path) && take_options(cf, l, node);
}

static bool begin(conf_t *cf, const tree_node_t *http)
{
    access_conf_t *c = conf_own(cf, &access_log_module);
    log_format_t *combined = log_format_combined(cf, http);
    c->block = POOL_NEW(cf->pool, access_block_t);
    hash_map_init(&c->block->formats, cf->pool);
    if (!combined) return false;
    hash_map_set(&c->block->formats, combined->name, combined);
    c->block->fallback = new_log(cf, c, http);
    return true;
}

static bool is_used(const conf_t *cf, const access_log_t *l)
{
    VEC_EACH(void **const, structs, http_scopes_read(cf)) {
        const access_conf_t *c = (*structs)[access_index];
        if (c->logs.n && c->logs.v[0] == l) return true;
    }
    return false;
}

/* The default is opened only when a server or location has not replaced it. */
static bool finish_fallback(conf_t *cf, const access_conf_t *c)
{
    access_log_t *l = c->block->fallback;
    return !is_used(cf, l) || set_target(cf, l, l->node, STR(PROXYD_HTTP_LOG_PATH));
}

/* Formats may stand behind the logs that use them, so names are looked up last. */
static bool finish(conf_t *cf)
{
    const access_conf_t *c = conf_get(cf->scope, &access_log_module);
    bool ok = finish_fallback(cf, c);
    for (access_log_t *l = c->block->logs; l; l = l->next) {
        l->format = hash_map_get(&c->block->formats, l->format_name);
        if (l->format) continue;
        ok = conf_error(cf, l->node, l->format_word, "define it with log_format, or use combined",
                        "unknown log format \"" STR_FMT "\"", STR_ARG(l->format_name));
    }
    return ok;
}

static void worker_stop(const void *main_struct)
{
    const access_conf_t *c = main_struct;
    if (!c->block) return;
    for (access_log_t *l = c->block->logs; l; l = l->next) {
        flush(l);
        buf_return(l->buffer);
        l->buffer = NULL;
    }
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("log_format", CONF_HTTP, CONF_MANY, 2, UINT_MAX, set_log_format, CONF_NO_FIELD,
                NULL, "a layout of access log lines: name [escape=default|json|none] text..."),
    CONF_CUSTOM("access_log",
                CONF_HTTP_ALL | CONF_LOCATION_IF | CONF_LIMIT_EXCEPT, CONF_MANY, 1, UINT_MAX,
                set_access_log, CONF_FIELD(access_conf_t, logs, access_logs_t), NULL,
                "where requests are logged: off, or path [format [buffer=] [flush=] [if=]]"),
    CONF_FLAG("log_subrequest", CONF_HTTP_ALL, access_conf_t, log_subrequest, "off",
              "accepted for nginx's sake: inner requests are not logged"),
    CONF_END,
};

static const http_hooks_t hooks = {
    .phase = {[PHASE_LOG] = log_request},
    .begin = begin,
    .finish = finish,
};

const module_t access_log_module = {
    .name = "access_log",
    .index = &access_index,
    .rows = rows,
    .conf_size = sizeof(access_conf_t),
    .worker_stop = worker_stop,
    .hooks = &hooks,
};
