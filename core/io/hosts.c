#include "core/io/hosts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/panic.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

struct hosts {
    const char *path;
    struct stat seen;    /* of the file as it was read */
    uint64_t check_at;   /* clock_ms() from which on to look again */
    pool_t *pool;        /* of the names and addresses; NULL: nothing read yet */
    hash_map_t names;    /* to the first hosts_addr_t */
};

static bool unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the line, empty at its end. */
static str_t next_word(str_t *line)
{
    size_t from = 0, to;
    while (from < line->n && is_blank(line->p[from])) from++;
    for (to = from; to < line->n && !is_blank(line->p[to]);) to++;
    str_t word = str_sub(*line, from, to);
    *line = str_sub(*line, to, line->n);
    return word;
}

static void add(hosts_t *hosts, str_t name, const net_addr_t *addr)
{
    hosts_addr_t *fresh = POOL_NEW(hosts->pool, hosts_addr_t);
    fresh->addr = *addr;
    str_t key = pool_lower(hosts->pool, name);
    hosts_addr_t *known = hash_map_get(&hosts->names, key);
    if (!known) {
        hash_map_set(&hosts->names, key, fresh);
        return;
    }
    while (known->next) known = known->next;
    known->next = fresh;
}

static void read_line(hosts_t *hosts, str_t line)
{
    net_addr_t addr;
    str_t name;
    line = str_sub(line, 0, str_find(line, 0, '#'));
    if (!net_parse(next_word(&line), 0, &addr) || net_port(&addr) || addr.sa.sa_family == AF_UNIX)
        return;
    while ((name = next_word(&line)).n) add(hosts, name, &addr);
}

/* The content of the file in pool, NULL when it cannot be had. */
static const char *read_file(int fd, pool_t *pool, size_t size)
{
    char *text = pool_bytes(pool, size);
    size_t at = 0;
    while (at < size) {
        ssize_t n = read(fd, text + at, size - at);
        if (n <= 0) return NULL;
        at += (size_t)n;
    }
    return text;
}

static void read_lines(hosts_t *hosts, pool_t *scratch, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) return;
    const char *text = read_file(fd, scratch, (size_t)st.st_size);
    if (!text) return;
    pool_destroy(hosts->pool);
    hosts->pool = pool_create();
    hash_map_init(&hosts->names, hosts->pool);
    hosts->seen = st;
    str_t rest = str_make(text, (size_t)st.st_size), line;
    while (str_cut(&rest, '\n', &line)) read_line(hosts, line);
}

static void refresh(hosts_t *hosts)
{
    struct stat st;
    hosts->check_at = clock_ms() + HOSTS_CHECK_MS;
    if (stat(hosts->path, &st) != 0 || (hosts->pool && unchanged(&st, &hosts->seen))) return;
    int fd = open(hosts->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    pool_t *scratch = pool_create();
    read_lines(hosts, scratch, fd);
    pool_destroy(scratch);
    close(fd);
}

hosts_t *hosts_open(const char *path)
{
    hosts_t *hosts = calloc(1, sizeof(*hosts));
    if (!hosts) panic("out of memory: %zu bytes", sizeof(*hosts));
    hosts->path = path;
    refresh(hosts);
    return hosts;
}

void hosts_close(hosts_t *hosts)
{
    if (!hosts) return;
    pool_destroy(hosts->pool);
    free(hosts);
}

const hosts_addr_t *hosts_find(hosts_t *hosts, str_t name)
{
    if (clock_ms() >= hosts->check_at) refresh(hosts);
    return hosts->pool ? hash_map_get(&hosts->names, name) : NULL;
}
