#include "tests/e2e/hammer.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, ANSWER_MAX = 4096, SOCKET_PATIENCE_S = 20 };

typedef struct client {
    struct hammer *hammer;
    pthread_t thread;
    bool keep;
    int fd;
    unsigned long served; /* answers on the present connection */
    char answer[ANSWER_MAX + 1];
} client_t;

struct hammer {
    struct sockaddr_in to;
    _Atomic bool stop;
    _Atomic unsigned long answers, failures;
    pthread_mutex_t lock;
    char first_failure[256];
    client_t clients[CLIENTS_MAX];
    unsigned count;
};

static bool fail(client_t *c, const char *what, int err)
{
    hammer_t *h = c->hammer;
    pthread_mutex_lock(&h->lock);
    if (h->failures++ == 0)
        snprintf(h->first_failure, sizeof(h->first_failure), "%s: %s (after %lu on it): %.160s",
                 what, err ? strerror(err) : "-", c->served, c->answer);
    pthread_mutex_unlock(&h->lock);
    return false;
}

/* A process that is stopped and goes on may be interrupted in any of the three. */
#define UNINTERRUPTED(call) \
    ({ \
        ssize_t r_; \
        while ((r_ = (call)) < 0 && errno == EINTR) continue; \
        r_; \
    })

static bool open_connection(client_t *c)
{
    struct timeval patience = {.tv_sec = SOCKET_PATIENCE_S};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->served = 0;
    c->answer[0] = '\0';
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const struct sockaddr *to = (const struct sockaddr *)&c->hammer->to;
    if (UNINTERRUPTED(connect(c->fd, to, sizeof(c->hammer->to))) == 0) return true;
    return fail(c, "connect", errno);
}

static void close_connection(client_t *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

/* The length of a whole answer in the n bytes, 0 when there is more to come. */
static size_t whole_answer(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");
    if (!end || !length) return 0;
    size_t n = (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
    return strlen(text) >= n ? n : 0;
}

/* True: an answer. False with *again: the connection had been closed before it was asked. */
static bool read_answer(client_t *c, bool *again)
{
    size_t n = 0;
    for (;;) {
        size_t room = ANSWER_MAX - n;
        ssize_t got = room ? UNINTERRUPTED(recv(c->fd, c->answer + n, room, 0)) : 0;
        if (got <= 0) {
            *again = n == 0 && c->served > 0 && (got == 0 || errno == ECONNRESET);
            return *again ? false : fail(c, "recv", got < 0 ? errno : 0);
        }
        n += (size_t)got;
        c->answer[n] = '\0';
        if (!whole_answer(c->answer)) continue;
        return strncmp(c->answer, "HTTP/1.1 200", 12) == 0 || fail(c, "status", 0);
    }
}

static bool ask(client_t *c, bool *again)
{
    static const char keep[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char once[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    c->answer[0] = '\0';
    const char *request = c->keep ? keep : once;
    if (UNINTERRUPTED(send(c->fd, request, strlen(request), MSG_NOSIGNAL)) < 0) {
        *again = c->served > 0;
        return *again ? false : fail(c, "send", errno);
    }
    return read_answer(c, again);
}

static void one_request(client_t *c)
{
    bool again = true;
    while (again) {
        again = false;
        if (c->fd < 0 && !open_connection(c)) break;
        if (ask(c, &again)) {
            c->served++;
            c->hammer->answers++;
            if (c->keep && !strcasestr(c->answer, "\r\nconnection: close")) return;
        }
        close_connection(c);
    }
    close_connection(c);
}

static void *run(void *arg)
{
    client_t *c = arg;
    while (!c->hammer->stop) one_request(c);
    close_connection(c);
    return NULL;
}

hammer_t *hammer_start(const char *port_name, unsigned fresh, unsigned kept)
{
    hammer_t *h = POOL_NEW(harness_pool, hammer_t);
    h->to = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(harness_port(port_name)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    h->count = fresh + kept;
    cr_assert_leq(h->count, (unsigned)CLIENTS_MAX);
    pthread_mutex_init(&h->lock, NULL);
    for (unsigned i = 0; i < h->count; i++) {
        client_t *c = &h->clients[i];
        c->hammer = h;
        c->fd = -1;
        c->keep = i >= fresh;
        cr_assert_eq(pthread_create(&c->thread, NULL, run, c), 0);
    }
    return h;
}

unsigned long hammer_answers(const hammer_t *h)
{
    return h->answers;
}

hammer_result_t hammer_stop(hammer_t *h)
{
    hammer_result_t result;
    h->stop = true;
    for (unsigned i = 0; i < h->count; i++) pthread_join(h->clients[i].thread, NULL);
    result = (hammer_result_t){.answers = h->answers, .failures = h->failures};
    memcpy(result.first_failure, h->first_failure, sizeof(result.first_failure));
    return result;
}
