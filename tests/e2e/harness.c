#include "tests/e2e/harness.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/vec.h"
#include "tests/e2e/keeper.h"
#include "tests/e2e/subject.h"

typedef struct name {
    const char *name, *value;
    int reserved; /* the descriptor that keeps the port for us, or -1 */
} name_t;

typedef struct ending {
    void (*fn)(void *arg);
    void *arg;
} ending_t;

pool_t *harness_pool;

static struct {
    char dir[64];
    const char *wrong; /* found out at the end */
    VEC(name_t) names;
    VEC(ending_t) endings;
} h;

/* --- beginning and end --- */

void harness_begin(void)
{
    memset(&h, 0, sizeof(h));
    harness_pool = pool_create();
    snprintf(h.dir, sizeof(h.dir), "/tmp/proxyd-e2e.XXXXXX");
    cr_assert(mkdtemp(h.dir), "mkdtemp: %s", strerror(errno));
    chmod(h.dir, 0755); /* workers run as somebody else when the test runs as root */
    keeper_start(h.dir);
    mkdir(text("%s/logs", h.dir), 0755);
    harness_set("dir", h.dir);
}

void harness_at_end(void (*fn)(void *arg), void *arg)
{
    *VEC_PUSH(harness_pool, &h.endings) = (ending_t){fn, arg};
}

void harness_wrong(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_t s = pool_vprintf(harness_pool, fmt, args);
    va_end(args);
    h.wrong = h.wrong ? text("%s\n" STR_FMT, h.wrong, STR_ARG(s)) : pool_cstr(harness_pool, s);
}

/* True when nothing was wrong. */
static bool clean_up(bool passed)
{
    while (h.endings.n) {
        ending_t e = h.endings.v[--h.endings.n];
        e.fn(e.arg);
    }
    const char *wrong = subject_end(passed && !h.wrong);
    if (wrong) harness_wrong("%s", wrong);
    VEC_EACH(name_t, it, &h.names)
    if (it->reserved >= 0) close(it->reserved);
    keeper_stop();
    if (h.wrong) fprintf(stderr, "%s\n", h.wrong);
    bool good = !h.wrong;
    pool_destroy(harness_pool);
    pool_trim();
    buf_trim();
    memset(&h, 0, sizeof(h));
    return good;
}

void harness_finish(void)
{
    cr_assert(clean_up(true), "what was wrong is said above");
}

void harness_end(void)
{
    if (h.dir[0]) clean_up(false);
}

const char *harness_dir(void)
{
    return h.dir;
}

unsigned harness_files(unsigned wanted)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < wanted) /* which is for root */
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit.rlim_cur, wanted});
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max < wanted ? (unsigned)limit.rlim_max : wanted;
}

/* --- text and names --- */

const char *text(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    str_t s = pool_vprintf(harness_pool, fmt, args);
    va_end(args);
    return pool_cstr(harness_pool, s);
}

static name_t *find_name(str_t name)
{
    VEC_EACH(name_t, it, &h.names)
    if (str_eq(str_of(it->name), name)) return it;
    return NULL;
}

void harness_set(const char *name, const char *value)
{
    name_t *n = find_name(str_of(name));
    if (!n) n = VEC_PUSH(harness_pool, &h.names);
    *n = (name_t){text("%s", name), text("%s", value), -1};
}

/*
 * A bound socket that does not listen keeps the port from everybody who asks for any port, but not
 * from a server that binds it with SO_REUSEADDR or SO_REUSEPORT.
 */
static name_t *reserve(str_t name)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, len), 0, "no free port: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&a, &len);
    name_t *n = VEC_PUSH(harness_pool, &h.names);
    *n = (name_t){pool_cstr(harness_pool, name), text("%u", ntohs(a.sin_port)), fd};
    return n;
}

static name_t *need_name(str_t name)
{
    name_t *n = find_name(name);
    return n ? n : reserve(name);
}

uint16_t harness_port(const char *name)
{
    return (uint16_t)atoi(need_name(str_of(name))->value);
}

bool harness_accepts(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    close(fd);
    return ok;
}

void harness_each_port(void (*fn)(const char *name, uint16_t port))
{
    VEC_EACH(name_t, it, &h.names)
    if (it->reserved >= 0 && strncmp(it->name, "dead", 4) != 0)
        fn(it->name, (uint16_t)atoi(it->value));
}

/* The length of the name when p is at a placeholder's first "@", else 0. */
static size_t placeholder(const char *p)
{
    size_t n = 0;
    while (islower((unsigned char)p[1 + n]) || isdigit((unsigned char)p[1 + n]) || p[1 + n] == '_')
        n++;
    return n && p[1 + n] == '@' ? n : 0;
}

const char *harness_expand(const char *in)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);
    for (const char *p = in; *p; p++) {
        size_t n = *p == '@' ? placeholder(p) : 0;
        if (n)
            fputs(need_name(str_make(p + 1, n))->value, f), p += n + 1;
        else
            fputc(*p, f);
    }
    fclose(f);
    const char *copy = pool_cstr(harness_pool, str_make(out, size));
    free(out);
    return copy;
}

/* --- files --- */

const char *file_path(const char *name)
{
    return name[0] == '/' ? name : text("%s/%s", h.dir, name);
}

static void make_parents(const char *path)
{
    for (const char *p = path + strlen(h.dir) + 1; (p = strchr(p, '/')); p++)
        mkdir(text("%.*s", (int)(p - path), path), 0755);
}

void file_put(const char *name, str_t content)
{
    const char *path = file_path(name);
    if (strncmp(path, h.dir, strlen(h.dir)) == 0) make_parents(path);
    FILE *f = fopen(path, "we");
    cr_assert(f, "%s: %s", path, strerror(errno));
    fwrite(content.p, 1, content.n, f);
    cr_assert_eq(fclose(f), 0);
}

void file_write(const char *name, const char *content)
{
    file_put(name, str_of(harness_expand(content)));
}

void file_fill(const char *name, size_t n)
{
    file_put(name, pattern(n));
}

const char *file_read(const char *name)
{
    char *out = NULL, piece[4096];
    size_t size = 0, n;
    FILE *f = fopen(file_path(name), "re");
    if (!f) return "";
    FILE *o = open_memstream(&out, &size);
    while ((n = fread(piece, 1, sizeof(piece), f))) fwrite(piece, 1, n, o);
    fclose(o);
    fclose(f);
    const char *copy = pool_cstr(harness_pool, str_make(out, size));
    free(out);
    return copy;
}

bool file_exists(const char *name)
{
    return access(file_path(name), F_OK) == 0;
}

str_t pattern(size_t n)
{
    char *p = pool_bytes(harness_pool, n + 1);
    uint32_t x = 2463534242;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        p[i] = (char)('!' + x % 90);
    }
    p[n] = '\0';
    return str_make(p, n);
}

/* --- time --- */

int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}
