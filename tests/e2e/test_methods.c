/* Balancing as clients see it: the busy and the slow are avoided, by all workers; who comes back
   has little at first; checks come as often as they are told to. */
#include <stdatomic.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void start(const char *group)
{
    subject_http("worker_processes 3;",
                 text("upstream u { %s } server { listen 127.0.0.1:@http@;"
                      " location / { proxy_pass http://u; } }", group));
}

static void get(unsigned n)
{
    for (unsigned i = 0; i < n; i++) cr_assert_eq(wire_get("http", text("/%u", i))->status, 200);
}

static void tell(const char *server, const char *what)
{
    ran_t ran = subject_ctl(text("upstream u server 127.0.0.1:%u %s", harness_port(server), what));
    cr_assert_eq(ran.status, 0, "%s", ran.output);
}

/* --- the busy --- */

static void hang(void)
{
    wire_send(wire_open("http"), "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Of any two servers the busy one is the other: plain chance would give it a third. */
static void assert_busy_is_avoided(const char *method)
{
    origin_t *a = origin_start("a", origin_hang_or_say, ok);
    origin_start("b", origin_say, ok);
    origin_start("c", origin_say, ok);
    start(text("%s server 127.0.0.1:@a@; server 127.0.0.1:@b@ down; server 127.0.0.1:@c@ down;",
               method));
    for (unsigned i = 0; i < 3; i++) hang();
    cr_assert(EVENTUALLY(origin_requests(a) == 3));
    tell("b", "up");
    tell("c", "up");
    get(60);
    cr_assert_eq(origin_requests(a), 3);
}

E2E(methods, random_two_avoids_the_busy)
{
    assert_busy_is_avoided("random two;");
}

E2E(methods, random_two_least_conn_is_the_same)
{
    assert_busy_is_avoided("random two least_conn;");
}

/* Each of three has its share of what chance gives. */
E2E(methods, random_spares_nobody)
{
    origin_t *o[3];
    for (unsigned i = 0; i < 3; i++) o[i] = origin_start(text("o%u", i), origin_say, ok);
    start("random; server 127.0.0.1:@o0@; server 127.0.0.1:@o1@; server 127.0.0.1:@o2@;");
    get(90);
    for (unsigned i = 0; i < 3; i++)
        cr_assert(origin_requests(o[i]) >= 8, "%u of 90", origin_requests(o[i]));
}

/* A hot key goes to the next servers of the ring when its own has 1.25 times its fair share. */
E2E(methods, a_bounded_ring_spreads_a_hot_key)
{
    enum { SERVERS = 4, ALL = 16, MOST = 5 };
    origin_t *o[SERVERS];
    unsigned sum = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        o[i] = origin_start(text("o%u", i), origin_hang_or_say, ok);
    start("hash $request_uri consistent bounded=1.25; server 127.0.0.1:@o0@; server 127.0.0.1:@o1@;"
          "server 127.0.0.1:@o2@; server 127.0.0.1:@o3@;");
    for (unsigned i = 0; i < ALL; i++) {
        hang();
        unsigned now = 0;
        cr_assert(EVENTUALLY(({ now = 0; for (int j = 0; j < SERVERS; j++)
                                    now += origin_requests(o[j]); now; }) == i + 1), "%u", now);
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        cr_assert(origin_requests(o[i]) <= MOST, "%u of %d", origin_requests(o[i]), ALL);
        sum += origin_requests(o[i]) > 0;
    }
    cr_assert_eq(sum, SERVERS);
}

E2E(methods, max_conns_is_that_of_all_workers)
{
    enum { ALL = 9, MOST = 4 };
    origin_t *a = origin_start("a", origin_hang_or_say, ok);
    origin_t *b = origin_start("b", origin_hang_or_say, ok);
    start("server 127.0.0.1:@a@ max_conns=4; server 127.0.0.1:@b@;");
    for (unsigned i = 0; i < ALL; i++) {
        hang();
        cr_assert(EVENTUALLY(origin_requests(a) + origin_requests(b) == i + 1));
    }
    cr_assert_eq(origin_requests(a), MOST);
}

/* --- the slow --- */

static _Atomic bool late_head, late_end; /* of "a" */

static void serve_late(visit_t *v)
{
    enum { LATE_MS = 300 };
    while (visit_request(v)) {
        if (late_head) pause_ms(LATE_MS);
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        if (late_end) pause_ms(LATE_MS);
        visit_send(v, "k");
    }
}

/* How many of 60 requests it gets; chance gives it 20. */
static unsigned share_of(origin_t *o)
{
    unsigned before = origin_requests(o);
    get(60);
    return origin_requests(o) - before;
}

/* Another one that was slow for once, on a busy machine, is believed to be so for a while. */
static void assert_slow_is_avoided(const char *method)
{
    origin_t *a = origin_start("a", serve_late, NULL);
    origin_start("b", origin_say, ok);
    origin_start("c", origin_say, ok);
    start(text("%s server 127.0.0.1:@a@; server 127.0.0.1:@b@; server 127.0.0.1:@c@;", method));
    cr_assert(EVENTUALLY(share_of(a) <= 10));
}

E2E(methods, least_time_avoids_whose_head_is_late)
{
    late_head = true;
    assert_slow_is_avoided("least_time header;");
}

E2E(methods, least_time_avoids_whose_end_is_late)
{
    late_end = true;
    assert_slow_is_avoided("least_time last_byte;");
}

E2E(methods, random_two_least_time_avoids_the_slow)
{
    late_head = true;
    assert_slow_is_avoided("random two least_time=header;");
}

E2E(methods, random_two_least_time_may_look_at_the_end)
{
    late_end = true;
    assert_slow_is_avoided("random two least_time=last_byte;");
}

/* It is asked again when its time is over. */
E2E(methods, an_ejected_server_comes_back)
{
    late_head = true;
    origin_t *a = origin_start("a", serve_late, NULL);
    origin_start("b", origin_say, ok);
    origin_start("c", origin_say, ok);
    start("eject_outliers 5 min=50ms time=1s max_ejected=50; server 127.0.0.1:@a@;"
          "server 127.0.0.1:@b@; server 127.0.0.1:@c@;");
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200 &&
                         subject_log_count("is out for 1000 ms: it takes") > 0));
    late_head = false;
    unsigned before = origin_requests(a);
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200 && origin_requests(a) > before + 2));
}

/* --- who comes back --- */

static _Atomic bool ill;
static _Atomic unsigned checks;

static void moody(visit_t *v)
{
    while (visit_request(v)) {
        bool check = visit_target_is(v, "/health");
        checks += check;
        visit_send(v, check && ill ? "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" : ok);
    }
}

/* From many networks, so that ip_hash has something to choose by. */
static void get_from(unsigned i)
{
    CURL *c = fetch_new(text("http://127.0.0.1:@http@/%u", i));
    curl_easy_setopt(c, CURLOPT_INTERFACE, text("127.%u.%u.9", i % 7, i));
    cr_assert_eq(fetch(c)->status, 200);
}

static void assert_comes_back_slowly(const char *method)
{
    enum { ALL = 60 };
    origin_t *m = origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start(text("%s server 127.0.0.1:@moody@ slow_start=600s; server 127.0.0.1:@other@;"
               " health_check uri=/health interval=50ms timeout=20s;", method));
    ill = true;
    subject_log_await("is unhealthy");
    ill = false;
    subject_log_await("is healthy again");
    unsigned before = origin_requests(m) - checks;
    for (unsigned i = 0; i < ALL; i++) get_from(i);
    unsigned got = origin_requests(m) - checks - before;
    cr_assert(got <= ALL / 6, "%u of %d", got, ALL);
}

E2E(methods, slow_start_with_hash)
{
    assert_comes_back_slowly("hash $request_uri;");
}

E2E(methods, slow_start_with_ip_hash)
{
    assert_comes_back_slowly("ip_hash;");
}

E2E(methods, slow_start_with_least_time)
{
    assert_comes_back_slowly("least_time header;");
}

E2E(methods, slow_start_with_random)
{
    assert_comes_back_slowly("random;");
}

/* --- when checks come --- */

/* Half of 100 ms on average; a sum of so many is near that. */
E2E(methods, jitter_puts_checks_off)
{
    enum { ALL = 15, INTERVAL_MS = 10, EXPECTED_MS = ALL * (INTERVAL_MS + 50) };
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start("server 127.0.0.1:@moody@; server 127.0.0.1:@other@;"
          "health_check uri=/health interval=10ms jitter=100ms;");
    cr_assert(EVENTUALLY(checks >= 1));
    unsigned before = checks;
    int64_t from = now_ms();
    cr_assert(EVENTUALLY(checks >= before + ALL));
    cr_assert_geq(now_ms() - from, EXPECTED_MS / 2);
}
