/* Groups of origins, and names that are looked up while proxyd runs. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void start(const char *http)
{
    subject_http("", http);
}

E2E(upstream, weights_share_out_the_requests)
{
    origin_t *a = origin_start("a", origin_say, ok), *b = origin_start("b", origin_say, ok);
    origin_t *c = origin_start("c", origin_say, ok), *d = origin_start("d", origin_say, ok);
    start("upstream u { server 127.0.0.1:@a@ weight=5; server 127.0.0.1:@b@; server 127.0.0.1:@c@ "
          "weight=2;"
          " server 127.0.0.1:@d@ backup; server 127.0.0.1:@dead@ down; }"
          "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    for (int i = 0; i < 40; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_requests(a), 25);
    cr_assert_eq(origin_requests(b), 5);
    cr_assert_eq(origin_requests(c), 10);
    cr_assert_eq(origin_requests(d), 0);
}

E2E(upstream, keeps_connections_within_its_limits)
{
    origin_t *a = origin_start("a", origin_say, ok), *b = origin_start("b", origin_say, ok);
    start(
        "upstream few { server 127.0.0.1:@a@; keepalive 4; keepalive_requests 5; keepalive_timeout "
        "60s;"
        " keepalive_time 1h; }"
        "upstream none { server 127.0.0.1:@b@; keepalive 0; }"
        "server { listen 127.0.0.1:@http@; proxy_http_version 1.1; proxy_set_header Connection '';"
        " location / { proxy_pass http://few; } location /none { proxy_pass http://none; } }");
    for (int i = 0; i < 10; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(origin_connections(a), 2);
    for (int i = 0; i < 3; i++) cr_assert_eq(wire_get("http", "/none")->status, 200);
    cr_assert_eq(origin_connections(b), 3);
}

E2E(upstream, without_a_living_server_is_a_502)
{
    start("upstream u { server 127.0.0.1:@dead@; server 127.0.0.1:@deader@; }"
          "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    for (int i = 0; i < 3; i++) cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("no live upstreams while connecting to upstream");
}

/* --- names --- */

/* Answers every A question with one address (127.0.0.`last`), or, when that is 0, with NXDOMAIN. */
static struct {
    int fd;
    pthread_t thread;
    _Atomic int last;
    _Atomic unsigned ttl, questions;
} dns;

static size_t put_answer(unsigned char *p, size_t question, bool address)
{
    static const unsigned char fixed[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 0};
    p[2] = 0x81;
    p[3] = (unsigned char)(dns.last ? 0x80 : 0x83);
    memset(p + 6, 0, 6);
    if (!address) return question;
    p[7] = 1;
    memcpy(p + question, fixed, sizeof(fixed));
    p[question + 9] = (unsigned char)dns.ttl;
    p[question + 15] = (unsigned char)dns.last;
    return question + sizeof(fixed);
}

static void *dns_main(void *arg)
{
    unsigned char p[1024];
    struct sockaddr_in from;
    (void)arg;
    for (;;) {
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(dns.fd, p, 512, 0, (struct sockaddr *)&from, &len);
        if (n < 17) return NULL;
        size_t question = 12 + strlen((char *)p + 12) + 5;
        bool address = dns.last && p[question - 3] == 1;
        if (p[question - 3] == 1) dns.questions++;
        n = (ssize_t)put_answer(p, question, address);
        (void)!sendto(dns.fd, p, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

static void dns_stop(void *arg)
{
    (void)arg;
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    getsockname(dns.fd, (struct sockaddr *)&a, &len);
    (void)!sendto(dns.fd, "", 0, 0, (struct sockaddr *)&a, len);
    pthread_join(dns.thread, NULL);
    close(dns.fd);
}

static void dns_start(int last, unsigned ttl)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    dns.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    dns.last = last;
    dns.ttl = ttl;
    cr_assert_eq(bind(dns.fd, (struct sockaddr *)&a, len), 0);
    getsockname(dns.fd, (struct sockaddr *)&a, &len);
    harness_set("dns", text("%u", ntohs(a.sin_port)));
    cr_assert_eq(pthread_create(&dns.thread, NULL, dns_main, NULL), 0);
    harness_at_end(dns_stop, NULL);
}

E2E(resolver, looks_names_up_when_they_are_needed)
{
    origin_t *o = origin_start("origin", origin_echo, NULL);
    dns_start(1, 200);
    start("resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 5s;"
          "server { listen 127.0.0.1:@http@; set $name app.test;"
          " location / { proxy_pass http://$name:@origin@; } }");
    cr_assert_eq(dns.questions, 0);
    for (int i = 0; i < 5; i++) cr_assert_eq(wire_get("http", "/a?b")->status, 200);
    cr_assert_eq(dns.questions, 1, "%u questions: the answer holds for its time", dns.questions);
    assert_text(origin_field(o, 0, "Host"), text("app.test:%u", harness_port("origin")));
    cr_assert(strncmp(origin_head(o, 0), "GET /a?b HTTP/1.1", 17) == 0);
}

E2E(resolver, asks_again_when_the_answer_is_too_old)
{
    origin_start("origin", origin_echo, NULL);
    dns_start(1, 1);
    start("resolver 127.0.0.1:@dns@ ipv6=off;"
          "server { listen 127.0.0.1:@http@; set $name app.test;"
          " location / { proxy_pass http://$name:@origin@; } }");
    cr_assert_eq(wire_get("http", "/")->status, 200);
    dns.last = 99; /* nobody listens there */
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 502), "the old address is used for ever");
    dns.last = 1;
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200), "the new address is never used");
}

E2E(resolver, valid_overrides_the_time)
{
    origin_start("origin", origin_echo, NULL);
    dns_start(1, 0);
    start("resolver 127.0.0.1:@dns@ ipv6=off valid=1h;"
          "server { listen 127.0.0.1:@http@; set $name app.test;"
          " location / { proxy_pass http://$name:@origin@; } }");
    for (int i = 0; i < 5; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    cr_assert_eq(dns.questions, 1);
}

E2E(resolver, a_name_that_does_not_exist_costs_a_request_only)
{
    dns_start(0, 1);
    start("resolver 127.0.0.1:@dns@ ipv6=off;"
          "server { listen 127.0.0.1:@http@; set $name none.test; location /ok { return 200 ok; }"
          " location / { proxy_pass http://$name; } }");
    cr_assert_eq(wire_get("http", "/")->status, 502);
    assert_text(wire_get("http", "/ok")->body.p, "ok");
    subject_log_await("none.test could not be resolved (3: Host not found)");
}

E2E(resolver, a_fixed_name_that_does_not_exist_stops_no_start_and_no_reload)
{
    const char *http = "resolver 127.0.0.1:@dns@ ipv6=off;"
                       "upstream u { server nowhere.test; }"
                       "server { listen 127.0.0.1:@http@; location /ok { return 200 ok; }"
                       " location /direct { proxy_pass http://nowhere.test; }"
                       " location / { proxy_pass http://u; } }";
    dns_start(0, 1);
    start(http);
    assert_text(wire_get("http", "/ok")->body.p, "ok");
    cr_assert_eq(wire_get("http", "/direct")->status, 502);
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_reload(subject_configuration("", http));
    bool again = EVENTUALLY(subject_log_count("start worker process") >= 4 ||
                            subject_log_count("reconfiguring") >= 1);
    cr_assert(again);
    assert_text(wire_get("http", "/ok")->body.p, "ok");
}

E2E(resolver, localhost_needs_none)
{
    origin_start("origin", origin_echo, NULL);
    start(
        "server { listen 127.0.0.1:@http@; location / { proxy_pass http://localhost:@origin@; } }");
    cr_assert_eq(wire_get("http", "/")->status, 200);
}
