#include "tests/e2e/origin.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/origin_state.h"

enum { BACKLOG = 1024, STACK = 256 * 1024 };

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
    origin_lock(o);
    unlink_visit(o, v);
    origin_unlock(o);
    close(v->fd);
    origin_forget(v);
    free(v->in);
    free(v);
    origin_lock(o);
    o->live--;
    origin_unlock(o);
    return NULL;
}

static void start_visit(origin_t *o, int fd)
{
    int on = 1;
    pthread_t thread;
    pthread_attr_t attr;
    visit_t *v = calloc(1, sizeof(*v));
    v->in = malloc(ORIGIN_HEAD_MAX);
    v->origin = o;
    v->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    origin_lock(o);
    v->number = o->connections++;
    v->next = o->visits;
    o->visits = v;
    o->live++;
    origin_unlock(o);
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
    origin_lock(o);
    o->stopping = true;
    for (visit_t *v = o->visits; v; v = v->next) shutdown(v->fd, SHUT_RDWR);
    origin_unlock(o);
    pthread_mutex_lock(&o->lock);
    while (o->live) pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

static void end_origin(void *arg)
{
    origin_t *o = arg;
    origin_stop(o);
    if (o->reserved >= 0) close(o->reserved);
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
    o->reserved = -1;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, &monotonic);
    cr_assert_eq(listen(listener, BACKLOG), 0, "listen: %s", strerror(errno));
    cr_assert_eq(pthread_create(&o->acceptor, NULL, accept_main, o), 0);
    harness_at_end(end_origin, o);
    return o;
}

static int bound_socket(struct sockaddr_in *a)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*a);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    cr_assert_eq(bind(fd, (struct sockaddr *)a, len), 0, "bind: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)a, &len);
    return fd;
}

/* A second socket that does not listen keeps the port ours when the origin has stopped. */
origin_t *origin_start(const char *name, origin_fn *serve, const void *arg)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int reserved = bound_socket(&a), listener = bound_socket(&a);
    harness_set(name, text("%u", ntohs(a.sin_port)));
    origin_t *o = start(name, serve, arg, listener);
    o->reserved = reserved;
    return o;
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

static origin_record_t find_record(origin_t *o, unsigned index)
{
    bool there = await(o, &o->count, index + 1);
    origin_record_t r = there ? o->records[index] : (origin_record_t){0};
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
    origin_record_t r = find_record(o, index);
    return str_make(r.body, r.n);
}

const char *origin_trailers(origin_t *o, unsigned index)
{
    origin_record_t r = find_record(o, index);
    return r.trailers ? r.trailers : "";
}

const char *origin_field(origin_t *o, unsigned index, const char *name)
{
    str_t v = origin_find_field(origin_head(o, index), name, 0);
    return v.p ? pool_cstr(harness_pool, v) : NULL;
}

void origin_open_gate(origin_t *o)
{
    origin_lock(o);
    o->gate_open = true;
    origin_unlock(o);
}

void origin_deaf(const char *name, int *fds, int n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fds[0], (struct sockaddr *)&a, len), 0);
    cr_assert_eq(listen(fds[0], 0), 0);
    getsockname(fds[0], (struct sockaddr *)&a, &len);
    harness_set(name, text("%u", ntohs(a.sin_port)));
    for (int i = 1; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fds[i], (struct sockaddr *)&a, len);
    }
}
