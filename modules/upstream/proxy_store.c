#include "modules/upstream/proxy_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "http/request.h"

struct proxy_store {
    request_t *r;
    const char *path, *temp; /* in the request's pool */
    int fd;                  /* -1: it has ended */
};

/* --- directives --- */

bool proxy_store_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_store_conf_t *c = CONF_AT(row, conf, proxy_store_conf_t);
    str_t word = node->words[1].text;
    c->path = (text_t){.set = false};
    if (str_eq(word, STR("off"))) return true;
    if (str_eq(word, STR("on"))) word = STR("$request_filename");
    else if (word.n && word.p[0] != '$') word = conf_full_path(cf, word, false);
    if (!text_compile(cf, node, 1, word, &c->path)) return false;
    return c->path.set = true;
}

bool proxy_store_set_access(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static const struct {
        str_t who;
        unsigned shift;
    } users[] = {{STR_INIT("user:"), 6}, {STR_INIT("group:"), 3}, {STR_INIT("all:"), 0}};
    proxy_store_conf_t *c = CONF_AT(row, conf, proxy_store_conf_t);
    c->mode = S_IRUSR | S_IWUSR;
    for (unsigned i = 1; i < node->n; i++) {
        str_t word = node->words[i].text, what = {NULL, 0};
        unsigned shift = 0;
        for (size_t k = 0; k < sizeof(users) / sizeof(users[0]); k++) {
            if (!str_starts(word, users[k].who)) continue;
            what = str_sub(word, users[k].who.n, word.n);
            shift = users[k].shift;
        }
        bool writes = str_eq(what, STR("rw"));
        if (!writes && !str_eq(what, STR("r")))
            return conf_error(cf, node, i, "for example user:rw group:rw all:r",
                              "invalid value \"" STR_FMT "\"", STR_ARG(word));
        c->mode |= (writes ? 6u : 4u) << shift;
    }
    return true;
}

/* --- files --- */

static void failed(const proxy_store_t *s, const char *doing, const char *path)
{
    LOG(&s->r->log, LOG_CRIT, errno, "%s \"%s\" failed", doing, path);
}

/* Ends it without a file. */
static void drop(void *arg)
{
    proxy_store_t *s = arg;
    if (s->fd < 0) return;
    close(s->fd);
    unlink(s->temp);
    s->fd = -1;
}

/* Who may read the files may enter their directories. */
static mode_t dir_mode(unsigned mode)
{
    return mode | S_IXUSR | (mode & (S_IRGRP | S_IROTH)) >> 2;
}

/* The directories on the way to the file. */
static bool make_dirs(const proxy_store_t *s, mode_t mode)
{
    char *path = pool_cstr(s->r->pool, str_of(s->temp));
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, mode) == 0) chmod(path, mode); /* whatever the umask is */
        else if (errno != EEXIST) return failed(s, "mkdir()", path), false;
        *slash = '/';
    }
    return true;
}

static bool create(proxy_store_t *s, unsigned mode)
{
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    s->fd = open(s->temp, FLAGS, mode);
    if (s->fd < 0 && errno == ENOENT && make_dirs(s, dir_mode(mode)))
        s->fd = open(s->temp, FLAGS, mode);
    if (s->fd < 0) return failed(s, "open()", s->temp), false;
    fchmod(s->fd, mode);
    return true;
}

/* A path that is absolute and goes nowhere but down; what ends with "/" names no file. */
static bool is_file_path(str_t path)
{
    str_t rest = path, name;
    if (path.n < 2 || path.n >= PATH_MAX - 64 || path.p[0] != '/' || path.p[path.n - 1] == '/' ||
        memchr(path.p, '\0', path.n))
        return false;
    while (str_cut(&rest, '/', &name))
        if (str_eq(name, STR(".."))) return false;
    return true;
}

proxy_store_t *proxy_store_begin(const proxy_store_conf_t *c, request_t *r)
{
    static unsigned number;
    if (!c->path.set || r->reply.status != 200 || r->method_id != METHOD_GET) return NULL;
    str_t path = text_eval(&c->path, r);
    if (!is_file_path(path)) {
        LOG(&r->log, LOG_INFO, 0, "\"" STR_FMT "\" is no place for a file", STR_ARG(path));
        return NULL;
    }
    proxy_store_t *s = POOL_NEW(r->pool, proxy_store_t);
    s->r = r;
    s->path = pool_cstr(r->pool, path);
    s->temp = pool_printf(r->pool, "%s.%d-%u.part", s->path, getpid(), number++).p;
    if (!create(s, c->mode)) return NULL;
    pool_defer(r->pool, drop, s);
    return s;
}

static bool write_all(const proxy_store_t *s, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(s->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return failed(s, "write()", s->temp), false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* It is as old as the origin says. */
static void set_time(const proxy_store_t *s)
{
    const header_list_t *from = s->r->upstream_headers;
    time_t t = from ? clock_parse_http_date(header_value(from, HEADER_LAST_MODIFIED)) : -1;
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = t}};
    if (t >= 0) futimens(s->fd, times);
}

static void commit(proxy_store_t *s)
{
    set_time(s);
    if (rename(s->temp, s->path) < 0) {
        failed(s, "rename()", s->path);
        drop(s);
        return;
    }
    close(s->fd);
    s->fd = -1;
}

void proxy_store_take(proxy_store_t *s, const piece_t *pieces, unsigned n, bool last)
{
    if (!s || s->fd < 0) return;
    for (unsigned i = 0; i < n; i++)
        if (!write_all(s, pieces[i].p, pieces[i].n)) return drop(s);
    if (last) commit(s);
}
