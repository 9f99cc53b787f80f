#include "tests/e2e/origin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 256 * 1024, BACKLOG = 1024, STACK = 256 * 1024 };

typedef struct record {
    char *head, *body, *trailers;
    size_t n;
} record_t;

struct visit {
    origin_t *origin;
    visit_t *next;
    int fd;
    unsigned number;
    bool end;
    char *in; /* received, not yet taken; HEAD_MAX of room */
    size_t n;
    record_t now; /* the request being read, then the last one */
    bool recorded; /* `now` belongs to the records */
};

struct origin {
    const char *name;
    origin_fn *serve;
    const void *arg;
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, stopped, gate_open;
    unsigned connections, live, left;
    visit_t *visits;
    record_t *records;
    unsigned count;
    char wrong[256]; /* what was wrong with the first malformed request */
};

static void lock(origin_t *o)
{
    pthread_mutex_lock(&o->lock);
}

static void unlock(origin_t *o)
{
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/* --- reading --- */

static bool more(visit_t *v)
{
    ssize_t got = 0;
    if (v->end || v->n == HEAD_MAX) return false;
    do got = recv(v->fd, v->in + v->n, HEAD_MAX - v->n, 0);
    while (got < 0 && errno == EINTR);
    v->end = got <= 0;
    if (v->end) {
        lock(v->origin);
        v->origin->left++;
        unlock(v->origin);
        return false;
    }
    v->n += (size_t)got;
    return true;
}

static void drop(visit_t *v, size_t n)
{
    v->n -= n;
    memmove(v->in, v->in + n, v->n);
}

/* Everything through the mark, malloced; NULL when the end comes before. */
static char *take_through(visit_t *v, const char *mark)
{
    for (;;) {
        str_t have = str_make(v->in, v->n);
        size_t at = v->n ? str_search(have, str_of(mark)) : v->n;
        if (at < have.n) {
            size_t n = at + strlen(mark);
            char *s = strndup(v->in, n);
            drop(v, n);
            return s;
        }
        if (!more(v)) return NULL;
    }
}

static bool read_n(visit_t *v, uint64_t n, FILE *out)
{
    while (n) {
        if (!v->n && !more(v)) return false;
        size_t take = v->n < n ? v->n : (size_t)n;
        fwrite(v->in, 1, take, out);
        drop(v, take);
        n -= take;
    }
    return true;
}

size_t visit_read(visit_t *v, char *out, size_t n)
{
    if (!v->n && !more(v)) return 0;
    size_t take = v->n < n ? v->n : n;
    memcpy(out, v->in, take);
    drop(v, take);
    return take;
}

/* --- requests --- */

static void complain(origin_t *o, const char *what, const char *head)
{
    lock(o);
    if (!o->wrong[0]) snprintf(o->wrong, sizeof(o->wrong), "%s:\n%s", what, head);
    unlock(o);
}

/* The value of the n-th field of that name, or a str without bytes at NULL. */
static str_t find_field(const char *head, const char *name, unsigned nth)
{
    str_t rest = str_of(head), line;
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        if (colon == line.n || !str_ieq(str_sub(line, 0, colon), str_of(name))) continue;
        if (nth-- == 0) return str_trim(str_sub(line, colon + 1, line.n - 1));
    }
    return str_make(NULL, 0);
}

static bool line_is_good(str_t line)
{
    size_t colon = str_find(line, 0, ':');
    if (!line.n || line.p[line.n - 1] != '\r' || colon == 0 || colon == line.n) return false;
    for (size_t i = 0; i + 1 < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < ' ' && c != '\t') || (i <= colon && c <= ' ')) return false;
    }
    return true;
}

static void check_head(origin_t *o, const char *head)
{
    str_t rest = str_of(head), line;
    rest.n -= 2;
    str_cut(&rest, '\n', &line);
    bool old = str_ends(line, STR(" HTTP/1.0\r"));
    if (!old && !str_ends(line, STR(" HTTP/1.1\r"))) complain(o, "a bad request line", head);
    while (str_cut(&rest, '\n', &line) && line.n)
        if (!line_is_good(line)) complain(o, "a bad field", head);
    if (!old && !find_field(head, "Host", 0).p) complain(o, "no Host", head);
    if (find_field(head, "Host", 1).p) complain(o, "two Hosts", head);
    if (find_field(head, "Content-Length", 1).p) complain(o, "two lengths", head);
    if (find_field(head, "Content-Length", 0).p && find_field(head, "Transfer-Encoding", 0).p)
        complain(o, "a length and a transfer coding", head);
}

static bool read_chunks(visit_t *v, FILE *body)
{
    for (;;) {
        uint64_t size;
        char *line = take_through(v, "\r\n");
        bool ok = line && str_hex_to_u64(str_make(line, strlen(line) - 2), &size);
        if (line && !ok) complain(v->origin, "a bad chunk size", line);
        free(line);
        if (!ok) return false;
        if (size == 0) return true;
        if (!read_n(v, size, body)) return false;
        line = take_through(v, "\r\n");
        if (line && strlen(line) != 2) complain(v->origin, "no CRLF behind a chunk", line);
        free(line);
    }
}

static bool read_trailers(visit_t *v)
{
    size_t n;
    char *line;
    FILE *out = open_memstream(&v->now.trailers, &n);
    while ((line = take_through(v, "\r\n")) && strlen(line) > 2) {
        fputs(line, out);
        free(line);
    }
    fclose(out);
    free(line);
    return line != NULL;
}

static void record(visit_t *v)
{
    origin_t *o = v->origin;
    lock(o);
    o->records = realloc(o->records, (o->count + 1) * sizeof(record_t));
    o->records[o->count++] = v->now;
    v->recorded = true;
    unlock(o);
}

static void forget(visit_t *v)
{
    if (!v->recorded) free(v->now.head), free(v->now.body), free(v->now.trailers);
    v->now = (record_t){0};
    v->recorded = false;
}

bool visit_read_head(visit_t *v)
{
    forget(v);
    v->now.head = take_through(v, "\r\n\r\n");
    if (v->now.head) check_head(v->origin, v->now.head);
    return v->now.head != NULL;
}

bool visit_read_body(visit_t *v)
{
    uint64_t n = 0;
    bool chunked = find_field(v->now.head, "Transfer-Encoding", 0).p;
    str_t length = find_field(v->now.head, "Content-Length", 0);
    if (length.p && !str_to_u64(length, &n)) complain(v->origin, "a bad length", v->now.head);
    FILE *body = open_memstream(&v->now.body, &v->now.n);
    bool ok = chunked ? read_chunks(v, body) : read_n(v, n, body);
    fclose(body);
    ok = ok && (!chunked || read_trailers(v));
    if (ok) record(v);
    return ok;
}

bool visit_request(visit_t *v)
{
    return visit_read_head(v) && visit_read_body(v);
}

const char *visit_head(const visit_t *v)
{
    return v->now.head;
}

bool visit_target_is(const visit_t *v, const char *target)
{
    const char *space = strchr(v->now.head, ' ');
    size_t n = strlen(target);
    return space && strncmp(space + 1, target, n) == 0 && space[1 + n] == ' ';
}

/* --- answering --- */

bool visit_send_n(visit_t *v, const char *p, size_t n)
{
    while (n) {
        ssize_t put = send(v->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

void visit_send(visit_t *v, const char *bytes)
{
    visit_send_n(v, bytes, strlen(bytes));
}

void visit_gate(visit_t *v)
{
    origin_t *o = v->origin;
    pthread_mutex_lock(&o->lock);
    while (!o->gate_open && !o->stopping) pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

void visit_await_left(visit_t *v)
{
    do v->n = 0;
    while (more(v));
}

void visit_shut(visit_t *v)
{
    shutdown(v->fd, SHUT_WR);
}

void visit_reset(visit_t *v)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void visit_peer(const visit_t *v, char *out, size_t n)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);
    getpeername(v->fd, (struct sockaddr *)&a, &len);
    inet_ntop(AF_INET, &a.sin_addr, out, (socklen_t)n);
}

const void *visit_arg(const visit_t *v)
{
    return v->origin->arg;
}

unsigned visit_number(const visit_t *v)
{
    return v->number;
}

/* --- stock functions --- */

void origin_say(visit_t *v)
{
    while (visit_request(v)) visit_send(v, visit_arg(v));
}

void origin_say_once(visit_t *v)
{
    if (visit_request(v)) visit_send(v, visit_arg(v));
}

void origin_echo(visit_t *v)
{
    char head[128];
    while (visit_request(v)) {
        size_t n = strlen(v->now.head);
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                 n + v->now.n);
        visit_send(v, head);
        if (strncmp(v->now.head, "HEAD ", 5) == 0) continue;
        visit_send_n(v, v->now.head, n);
        visit_send_n(v, v->now.body, v->now.n);
    }
}

void origin_silent(visit_t *v)
{
    while (visit_request(v)) continue;
}

/* --- threads --- */

static void unlink_visit(origin_t *o, const visit_t *v)
{
    visit_t **at = &o->visits;
    while (*at != v) at = &(*at)->next;
    *at = v->next;
}

static void *visit_main(void *arg)
{
    visit_t *v = arg;
    origin_t *o = v->origin;
    o->serve(v);
    lock(o);
    unlink_visit(o, v);
    unlock(o);
    close(v->fd);
    forget(v);
    free(v->in);
    free(v);
    lock(o);
    o->live--;
    unlock(o);
    return NULL;
}

static void start_visit(origin_t *o, int fd)
{
    int on = 1;
    pthread_t thread;
    pthread_attr_t attr;
    visit_t *v = calloc(1, sizeof(*v));
    v->in = malloc(HEAD_MAX);
    v->origin = o;
    v->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    lock(o);
    v->number = o->connections++;
    v->next = o->visits;
    o->visits = v;
    o->live++;
    unlock(o);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, visit_main, v) != 0) abort();
    pthread_attr_destroy(&attr);
}

static void *accept_main(void *arg)
{
    origin_t *o = arg;
    int fd;
    while ((fd = accept4(o->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 || errno == EINTR ||
           errno == ECONNABORTED)
        if (fd >= 0) start_visit(o, fd);
    return NULL;
}

static void free_records(origin_t *o)
{
    for (unsigned i = 0; i < o->count; i++)
        free(o->records[i].head), free(o->records[i].body), free(o->records[i].trailers);
    free(o->records);
    o->records = NULL;
}

void origin_stop(origin_t *o)
{
    if (o->stopped) return;
    o->stopped = true;
    shutdown(o->listener, SHUT_RDWR);
    pthread_join(o->acceptor, NULL);
    close(o->listener);
    lock(o);
    o->stopping = true;
    for (visit_t *v = o->visits; v; v = v->next) shutdown(v->fd, SHUT_RDWR);
    unlock(o);
    pthread_mutex_lock(&o->lock);
    while (o->live) pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

static void end_origin(void *arg)
{
    origin_t *o = arg;
    origin_stop(o);
    free_records(o);
    if (o->wrong[0]) harness_wrong("the origin \"%s\" got %s", o->name, o->wrong);
}

static origin_t *start(const char *name, origin_fn *serve, const void *arg, int listener)
{
    origin_t *o = POOL_NEW(harness_pool, origin_t);
    pthread_condattr_t monotonic;
    o->name = name;
    o->serve = serve;
    o->arg = arg;
    o->listener = listener;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, &monotonic);
    cr_assert_eq(listen(listener, BACKLOG), 0, "listen: %s", strerror(errno));
    cr_assert_eq(pthread_create(&o->acceptor, NULL, accept_main, o), 0);
    harness_at_end(end_origin, o);
    return o;
}

origin_t *origin_start(const char *name, origin_fn *serve, const void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, len), 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    harness_set(name, text("%u", ntohs(a.sin_port)));
    return start(name, serve, arg, fd);
}

origin_t *origin_start_unix(const char *name, origin_fn *serve, const void *arg)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *path = file_path(text("%s.sock", name));
    memcpy(a.sun_path, path, strlen(path) + 1);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(chmod(path, 0777), 0);
    harness_set(name, path);
    return start(name, serve, arg, fd);
}

/* --- what the test asks --- */

/* Waits until *counter is at least n; leaves the lock held. */
static bool await(origin_t *o, const unsigned *counter, unsigned n)
{
    struct timespec until;
    int r = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&o->lock);
    while (*counter < n && r == 0) r = pthread_cond_timedwait(&o->changed, &o->lock, &until);
    return *counter >= n;
}

static bool await_unlocked(origin_t *o, const unsigned *counter, unsigned n)
{
    bool ok = await(o, counter, n);
    pthread_mutex_unlock(&o->lock);
    return ok;
}

bool origin_await_connections(origin_t *o, unsigned n)
{
    return await_unlocked(o, &o->connections, n);
}

bool origin_await_left(origin_t *o, unsigned n)
{
    return await_unlocked(o, &o->left, n);
}

static unsigned value_of(origin_t *o, const unsigned *counter)
{
    pthread_mutex_lock(&o->lock);
    unsigned n = *counter;
    pthread_mutex_unlock(&o->lock);
    return n;
}

unsigned origin_connections(origin_t *o)
{
    return value_of(o, &o->connections);
}

unsigned origin_requests(origin_t *o)
{
    return value_of(o, &o->count);
}

static record_t find_record(origin_t *o, unsigned index)
{
    bool there = await(o, &o->count, index + 1);
    record_t r = there ? o->records[index] : (record_t){0};
    pthread_mutex_unlock(&o->lock);
    cr_assert(there, "request %u did not reach the origin \"%s\"", index, o->name);
    return r;
}

const char *origin_head(origin_t *o, unsigned index)
{
    return find_record(o, index).head;
}

str_t origin_body(origin_t *o, unsigned index)
{
    record_t r = find_record(o, index);
    return str_make(r.body, r.n);
}

const char *origin_trailers(origin_t *o, unsigned index)
{
    record_t r = find_record(o, index);
    return r.trailers ? r.trailers : "";
}

const char *origin_field(origin_t *o, unsigned index, const char *name)
{
    str_t v = find_field(origin_head(o, index), name, 0);
    return v.p ? pool_cstr(harness_pool, v) : NULL;
}

void origin_open_gate(origin_t *o)
{
    lock(o);
    o->gate_open = true;
    unlock(o);
}
