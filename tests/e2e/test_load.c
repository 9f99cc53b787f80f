/* Many at once. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { MANY = 10000, THOUSAND = 1000, SPARE = 200 };

static int *connect_many(unsigned n)
{
    int *fds = POOL_ARRAY(harness_pool, int, n);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(harness_port("http")),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (unsigned i = 0; i < n; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_geq(fds[i], 0, "socket %u: %s", i, strerror(errno));
        cr_assert_eq(connect(fds[i], (struct sockaddr *)&a, sizeof(a)), 0, "%u: %s", i,
                     strerror(errno));
    }
    return fds;
}

static void ask(int fd)
{
    static const char request[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    cr_assert_eq(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL),
                 (ssize_t)sizeof(request) - 1);
}

static void take_answer(int fd)
{
    char answer[2048];
    size_t n = 0;
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (n < sizeof(answer) - 1) {
        ssize_t got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
        cr_assert_gt(got, 0, "%s after %zu bytes", got < 0 ? strerror(errno) : "the end", n);
        n += (size_t)got;
        answer[n] = '\0';
        if (strstr(answer, "\r\n\r\n/x")) break;
    }
    cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
}

E2E(load, ten_thousand_open_connections)
{
    unsigned files = harness_files(MANY + SPARE), n = files - SPARE;
    subject_start(text("error_log error.log info; worker_processes 1; worker_rlimit_nofile %u;\n"
                       "events { worker_connections 12000; }\n"
                       "http { access_log off; keepalive_timeout 600s;"
                       " server { listen 127.0.0.1:@http@ backlog=4096;"
                       " location / { return 200 $request_uri; } } }", files));
    int *fds = connect_many(n);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < n; i++) ask(fds[i]);
        for (unsigned i = 0; i < n; i++) take_answer(fds[i]);
    }
    cr_assert_eq(wire_get("http", "/new")->status, 200, "still takes others");
    for (unsigned i = 0; i < n; i++) close(fds[i]);
}

static void wait_then_answer(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_gate(v);
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/x");
}

E2E(load, a_thousand_requests_wait_for_their_origin)
{
    unsigned files = harness_files(2 * THOUSAND + SPARE), n = (files - SPARE) / 2; /* both ends */
    origin_t *o = origin_start("origin", wait_then_answer, NULL);
    subject_start(text("error_log error.log info; worker_rlimit_nofile %u;\n"
                       "events { worker_connections 4096; }\n"
                       "http { access_log off; server { listen 127.0.0.1:@http@ backlog=4096;"
                       " location / { proxy_pass http://127.0.0.1:@origin@; } } }", files));
    int *fds = connect_many(n);
    for (unsigned i = 0; i < n; i++) ask(fds[i]);
    cr_assert(origin_await_connections(o, n));
    origin_open_gate(o);
    for (unsigned i = 0; i < n; i++) take_answer(fds[i]);
    for (unsigned i = 0; i < n; i++) close(fds[i]);
}
