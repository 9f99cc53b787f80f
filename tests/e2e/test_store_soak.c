/* A cache under load while its workers are killed: no wrong byte, and its counts add up. */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { CLIENTS = 6, OBJECTS = 30, BODY_MOST = 200000, SECONDS = 6, HEAD_MOST = 2048 };

#define SITE \
    "proxy_cache_path cache levels=1:2 keys_zone=one:1m memory=2m max_size=2m inactive=10s; " \
    "server { listen 127.0.0.1:@http@; location = /status { status; } " \
    "location / { proxy_cache one; proxy_pass http://127.0.0.1:@origin@; } }"

/* --- bodies that tell whose they are --- */

static size_t length_of(unsigned object, unsigned version)
{
    return 32 + (object * 7919u + version * 104729u) % (version % 5 ? 4000 : BODY_MOST - 32);
}

static char byte_at(unsigned object, unsigned version, size_t i)
{
    return (char)('a' + (object * 31 + version * 17 + i + i / 251) % 26);
}

static size_t make_body(char *out, unsigned object, unsigned version)
{
    size_t n = length_of(object, version);
    for (size_t i = 0; i < n; i++) out[i] = byte_at(object, version, i);
    snprintf(out, 32, "%08u %08u", object, version);
    return n;
}

/* As far as it came. */
static bool is_body(const char *body, size_t n, size_t length, unsigned object)
{
    unsigned of, version;
    if (n < 32) return true;
    if (sscanf(body, "%8u %8u", &of, &version) != 2 || of != object) return false;
    if (length_of(object, version) != length) return false;
    for (size_t i = 18; i < n; i++)
        if (body[i] != byte_at(object, version, i)) return false;
    return true;
}

static _Atomic unsigned versions;

static void serve_objects(visit_t *v)
{
    char *out = malloc(BODY_MOST + HEAD_MOST), *body = out + HEAD_MOST;
    unsigned object;
    while (visit_request(v) && sscanf(visit_head(v), "GET /%u", &object) == 1) {
        unsigned version = versions++;
        size_t n = make_body(body, object, version);
        int head = snprintf(out, HEAD_MOST,
                            "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nETag: \"%u\"\r\n"
                            "Cache-Control: max-age=%u\r\nSurrogate-Key: tag%u\r\n\r\n",
                            n, version, version % 3, object % 5);
        if (!visit_send_n(v, out, (size_t)head) || !visit_send_n(v, body, n / 2)) break;
        if (version % 7 == 0) usleep(2000);
        if (!visit_send_n(v, body + n / 2, n - n / 2)) break;
    }
    free(out);
}

/* --- clients --- */

typedef struct soak {
    struct sockaddr_in to;
    _Atomic bool stop;
    _Atomic unsigned long whole, cut, wrong, refused;
} soak_t;

static int connect_to(const soak_t *s)
{
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&s->to, sizeof(s->to)) == 0) return fd;
    close(fd);
    return -1;
}

/* Head and body of one answer; the bytes that came behind the head, -1: not even that. */
static ssize_t receive(int fd, char *in, size_t *length, char **body)
{
    size_t n = 0;
    *body = NULL;
    while (n < HEAD_MOST + BODY_MOST) {
        ssize_t got = recv(fd, in + n, HEAD_MOST + BODY_MOST - n, 0);
        if (got <= 0) break;
        in[n += (size_t)got] = 0;
        char *end = *body ? NULL : strstr(in, "\r\n\r\n"), *field;
        if (end && (field = strcasestr(in, "\r\ncontent-length: ")) && field < end) {
            *length = strtoul(field + 18, NULL, 10);
            *body = end + 4;
        }
        if (*body && n >= (size_t)(*body - in) + *length) break;
    }
    return *body ? (ssize_t)(in + n - *body) : -1;
}

static bool ask(soak_t *s, int fd, unsigned object, char *in)
{
    char request[64], *body;
    size_t length = 0;
    int n = snprintf(request, sizeof(request), "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n", object);
    if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n) return false;
    ssize_t got = receive(fd, in, &length, &body);
    if (got < 0) s->cut++;
    else if (strncmp(in, "HTTP/1.1 200", 12) != 0) s->refused++;
    else if (!is_body(body, (size_t)got, length, object)) s->wrong++;
    else if ((size_t)got == length) s->whole++;
    else s->cut++;
    return got >= 0 && (size_t)got == length;
}

static void *be_client(void *arg)
{
    soak_t *s = arg;
    char *in = malloc(HEAD_MOST + BODY_MOST + 1);
    unsigned seed = (unsigned)(uintptr_t)&in >> 4;
    int fd = -1;
    while (!s->stop) {
        if (fd < 0) fd = connect_to(s);
        if (fd < 0) continue;
        unsigned object = (unsigned)rand_r(&seed) % OBJECTS;
        if (ask(s, fd, object * object / OBJECTS, in)) continue;
        close(fd);
        fd = -1;
    }
    if (fd >= 0) close(fd);
    free(in);
    return NULL;
}

static void kill_and_purge(soak_t *s)
{
    pid_t pids[8];
    unsigned kills = 0;
    for (int64_t until = now_ms() + SECONDS * 1000; now_ms() < until && !s->wrong; kills++) {
        unsigned n = subject_workers(pids, 8);
        if (n) kill(pids[kills % n], SIGKILL);
        if (kills % 4 == 1) subject_ctl(text("purge one tag tag%u", kills % 5));
        if (kills % 8 == 3) subject_ctl("purge one all soft");
        pause_ms(150);
    }
    cr_log_info("%u kills", kills);
}

static uint64_t figure(const char *status, const char *name)
{
    const char *cache = strstr(status, "\"cache\":"), *at = NULL;
    cr_assert(cache && (at = strstr(cache, text("\"%s\":", name))), "%s", status);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

static void expect_sane(const soak_t *s)
{
    const char *status = wire_get("http", "/status")->body.p;
    cr_log_info("%lu whole, %lu cut, %lu refused; %llu hits, %llu followed, %llu broken",
                s->whole, s->cut, s->refused, (unsigned long long)figure(status, "hits"),
                (unsigned long long)figure(status, "followed"),
                (unsigned long long)figure(status, "broken"));
    cr_expect_eq(s->wrong, 0, "bytes that no origin sent");
    cr_expect_eq(s->refused, 0);
    cr_expect_gt(s->whole, 100);
    cr_expect_gt(figure(status, "hits"), 10);
    cr_expect(EVENTUALLY(figure(wire_get("http", "/status")->body.p, "bytes") <= 2u << 20));
}

E2E(store, workers_are_killed_under_load)
{
    static soak_t s;
    pthread_t threads[CLIENTS];
    s.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    s.to.sin_port = htons(harness_port("http"));
    origin_start("origin", serve_objects, NULL);
    subject_http("worker_processes 3;", SITE);
    subject_tolerate("exited on signal 9");
    subject_tolerate("workers in a row died");
    for (int i = 0; i < CLIENTS; i++) pthread_create(&threads[i], NULL, be_client, &s);
    kill_and_purge(&s);
    s.stop = true;
    for (int i = 0; i < CLIENTS; i++) pthread_join(threads[i], NULL);
    expect_sane(&s);
}
