/* Active checks: servers that die, hang, talk nonsense, and come back; real ones among them. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char ill[] = "HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\n\r\n";

/* --- servers that are what the test wants them to be --- */

static _Atomic int state;       /* of whom: below */
static _Atomic unsigned checks; /* that they got */
static _Atomic unsigned asks;   /* requests that are no checks */
static _Atomic bool failing;    /* requests */

enum { WELL, ILL, SILENT, GARBAGE, CLOSING, MOSTLY_ILL };

/* Never ill four times in a row, until this many checks were made. */
enum { MOSTLY_CHECKS = 12 };

/* Checks are answered by state, requests are served unless told otherwise. */
static void moody(visit_t *v)
{
    while (visit_request(v)) {
        bool check = visit_target_is(v, "/health");
        unsigned number = check ? checks++ : asks++;
        int now = state;
        if (now == MOSTLY_ILL) now = number % 4 != 3 || number >= MOSTLY_CHECKS ? ILL : WELL;
        if (!check && failing) return;
        if (visit_target_is(v, "/hang")) {
            visit_await_left(v);
            return;
        }
        if (!check || now == WELL) visit_send(v, ok);
        else if (now == ILL) visit_send(v, ill);
        else if (now == SILENT) visit_await_left(v);
        else if (now == GARBAGE) visit_send(v, "SSH-2.0-OpenSSH_9.2\r\n");
        if (check && now != WELL && now != ILL) return;
    }
}

static void start(const char *main_level, const char *group)
{
    subject_http(main_level, text("upstream u { server 127.0.0.1:@moody@ %s }"
                                  "server { listen 127.0.0.1:@http@;"
                                  " location / { proxy_pass http://u; } }", group));
}

/* How many of n requests the moody one gets. */
static unsigned asked(unsigned n)
{
    unsigned before = asks;
    for (unsigned i = 0; i < n; i++) cr_assert_eq(wire_get("http", "/")->status, 200);
    return asks - before;
}

static bool is_out(void)
{
    return asked(4) == 0;
}

#define CHECK "health_check uri=/health interval=50ms timeout=20s"

E2E(health, a_server_that_is_ill_gets_no_requests_until_it_is_well)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start("worker_processes 2;", "; server 127.0.0.1:@other@; " CHECK ";");
    cr_assert_eq(asked(8), 4);
    for (unsigned round = 1; round <= 2; round++) {
        state = ILL;
        subject_log_await("of \"u\" is unhealthy: it answers 503");
        cr_assert(EVENTUALLY(is_out()));
        unsigned seen = checks;
        cr_assert(EVENTUALLY(checks > seen + 5), "it is still checked");
        cr_assert_eq(subject_log_count("is unhealthy"), round, "said once");
        state = WELL;
        cr_assert(EVENTUALLY(subject_log_count("is healthy again") == round));
        cr_assert(EVENTUALLY(!is_out()));
    }
}

E2E(health, fails_and_passes_are_counted_in_a_row)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    state = MOSTLY_ILL;
    start("", "; server 127.0.0.1:@other@; health_check uri=/health interval=20ms fails=4 "
              "passes=6;");
    subject_log_await("is unhealthy");
    cr_assert_geq(checks, MOSTLY_CHECKS + 4);
    cr_assert(is_out());
    unsigned before = checks;
    state = WELL;
    subject_log_await("is healthy again");
    cr_assert(checks - before >= 6, "after %u", checks - before);
}

/* How often it was said of the moody one that it is well again. */
static unsigned recoveries(void)
{
    return subject_log_count(harness_expand("127.0.0.1:@moody@ of \"u\" is healthy again"));
}

static void assert_told(int ill_how, const char *told)
{
    state = ill_how;
    subject_log_await(told);
    cr_assert(EVENTUALLY(is_out()));
    unsigned before = recoveries();
    state = WELL;
    cr_assert(EVENTUALLY(recoveries() > before));
}

E2E(health, every_way_to_be_ill_is_told)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start("", "; server 127.0.0.1:@other@; server 127.0.0.1:@dead@; " CHECK ";");
    subject_log_await("is unhealthy: 111: Connection refused");
    assert_told(GARBAGE, "is unhealthy: it answers with no valid HTTP");
    assert_told(CLOSING, "is unhealthy: it closes the connection");
}

E2E(health, who_takes_too_long_is_ill)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start("", "; server 127.0.0.1:@other@; health_check uri=/health interval=50ms timeout=1s;");
    assert_told(SILENT, "is unhealthy: it takes too long");
}

/* --- who checks --- */

E2E(health, one_worker_checks_for_all)
{
    origin_start("moody", moody, NULL);
    start("worker_processes 4;", "; health_check uri=/health interval=100ms;");
    cr_assert(EVENTUALLY(checks >= 2));
    unsigned before = checks;
    int64_t began = now_ms();
    pause_ms(1000);
    int64_t most = (now_ms() - began) / 100 * 2 + 2; /* four would make twice as many */
    cr_assert(checks - before <= most, "%u checks, not %u", checks - before, (unsigned)most);
}

E2E(health, another_worker_checks_when_the_first_is_killed)
{
    enum { WORKERS = 3 };
    pid_t pids[WORKERS], now[WORKERS];
    origin_start("moody", moody, NULL);
    subject_tolerate("exited on signal 9");
    subject_tolerate("workers in a row died within");
    start("worker_processes 3;", "; health_check uri=/health interval=20ms;");
    cr_assert(EVENTUALLY(subject_workers(pids, WORKERS) == WORKERS && checks > 0));
    subject_log_await("serving, configuration 1");
    for (unsigned i = 0; i < WORKERS; i++) {
        kill(pids[i], SIGKILL);
        cr_assert(EVENTUALLY(subject_workers(now, WORKERS) == WORKERS));
        unsigned before = checks;
        cr_assert(EVENTUALLY(checks > before + 3), "nobody checks any more");
    }
    state = ILL;
    subject_log_await("is unhealthy: it answers 503");
}

E2E(health, what_was_found_survives_a_reload)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    start("worker_processes 2;", "; server 127.0.0.1:@other@; " CHECK ";");
    state = ILL;
    subject_log_await("is unhealthy");
    cr_assert(EVENTUALLY(is_out()));
    subject_reload(subject_configuration(
        "worker_processes 2;",
        "upstream u { server 127.0.0.1:@moody@; server 127.0.0.1:@other@; " CHECK " fails=1000; }"
        "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }"));
    subject_log_await("serving, configuration 2");
    cr_assert(is_out());
    unsigned before = checks;
    cr_assert(EVENTUALLY(checks > before + 3));
    cr_assert_eq(subject_log_count("is unhealthy"), 1);
    state = WELL;
    subject_log_await("is healthy again");
    cr_assert(EVENTUALLY(!is_out()));
}

/* --- what is asked --- */

E2E(health, only_who_has_passed_is_asked_if_the_check_is_mandatory)
{
    origin_t *m = origin_start("moody", moody, NULL);
    state = SILENT;
    start("", "; health_check uri=/health interval=50ms timeout=60s mandatory;");
    cr_assert(EVENTUALLY(checks == 1));
    cr_assert_eq(wire_get("http", "/")->status, 502);
    subject_log_await("no live upstreams while connecting to upstream (127.0.0.1:");
    cr_assert_eq(subject_log_count("is unhealthy"), 1, "in the reason alone");
    cr_assert_eq(origin_requests(m), 1);
}

E2E(health, a_location_lends_its_host_and_fields)
{
    origin_t *m = origin_start("moody", moody, NULL);
    subject_http("", "upstream u { server 127.0.0.1:@moody@; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                     " proxy_set_header Host app.test; proxy_set_header X-Check yes;"
                     " proxy_set_header X-Client $remote_addr;"
                     " health_check uri=/health?a=b interval=50ms; } }");
    assert_text(origin_field(m, 0, "Host"), "app.test");
    assert_text(origin_field(m, 0, "X-Check"), "yes");
    cr_assert_null(origin_field(m, 0, "X-Client"));
    cr_assert(strncmp(origin_head(m, 0), "GET /health?a=b HTTP/1.1\r\n", 26) == 0);
}

E2E(health, a_check_may_be_of_another_port_or_of_the_connection_alone)
{
    origin_t *side = origin_start("side", origin_silent, NULL);
    origin_start("moody", moody, NULL);
    start("", "; health_check port=@side@ type=tcp interval=50ms;");
    cr_assert(origin_await_connections(side, 3));
    cr_assert_eq(wire_get("http", "/")->status, 200);
    origin_stop(side);
    subject_log_await("is unhealthy: 111: Connection refused");
    cr_assert_eq(wire_get("http", "/")->status, 502);
}

E2E(health, names_are_checked_at_their_addresses)
{
    origin_start("moody", moody, NULL);
    state = ILL;
    subject_http("worker_processes 2;",
                 "upstream u { server localhost:@moody@; " CHECK "; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    subject_log_await(text("127.0.0.1:%u of \"u\" is unhealthy: it answers 503",
                           harness_port("moody")));
    state = WELL;
    subject_log_await("is healthy again");
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200));
}

/* It comes back with next to none of its weight, also where keys lead to it. */
E2E(health, who_is_well_again_starts_slowly)
{
    static const char *const methods[] = {"least_conn;", "hash $request_uri consistent;", ""};
    origin_t *m = origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    subject_http("", text("upstream u { %s server 127.0.0.1:@moody@ slow_start=600s;"
                          " server 127.0.0.1:@other@; " CHECK "; }"
                          "upstream v { %s server 127.0.0.1:@moody@ slow_start=600s;"
                          " server 127.0.0.1:@other@; " CHECK "; }"
                          "upstream w { %s server 127.0.0.1:@moody@ slow_start=600s;"
                          " server 127.0.0.1:@other@; " CHECK "; }"
                          "server { listen 127.0.0.1:@http@; location /u { proxy_pass http://u; }"
                          " location /v { proxy_pass http://v; }"
                          " location /w { proxy_pass http://w; } }", methods[0], methods[1],
                          methods[2]));
    cr_assert(EVENTUALLY(checks > 3));
    state = ILL;
    cr_assert(EVENTUALLY(subject_log_count("is unhealthy") == 3));
    state = WELL;
    cr_assert(EVENTUALLY(subject_log_count("is healthy again") == 3));
    unsigned before = origin_requests(m) - checks;
    for (unsigned i = 0; i < 60; i++)
        cr_assert_eq(wire_get("http", text("/%c%u", "uvw"[i % 3], i))->status, 200);
    unsigned got = origin_requests(m) - checks - before;
    cr_assert(got <= 15, "%u of 60 requests", got);
}

/* Requests that hang, two connections each, have all that the worker may have. */
E2E(health, what_we_lack_ourselves_is_nobody_s_illness)
{
    enum { MOST = 8 };
    wire_t *w[MOST];
    origin_start("moody", moody, NULL);
    subject_tolerate("worker_connections are not enough");
    subject_start("error_log error.log info; events { worker_connections 16; } http {"
                  " upstream u { server 127.0.0.1:@moody@; health_check uri=/health interval=30ms;"
                  " }"
                  " server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } } }");
    cr_assert(EVENTUALLY(checks > 2));
    for (unsigned i = 0; i < MOST; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    subject_log_await("16 worker_connections are not enough");
    pause_ms(150);
    cr_assert_eq(subject_log_count("is unhealthy"), 0);
    for (unsigned i = 0; i < MOST; i++) wire_close(w[i]);
    unsigned before = checks;
    cr_assert(EVENTUALLY(checks > before + 2));
}

/* --- real servers --- */

E2E(health, match_looks_at_status_fields_and_body_of_nginx)
{
    peer_nginx("nginx", "server { listen 127.0.0.1:@nginx@; default_type text/html;"
                        " location = /a { add_header X-Ready yes; return 200 'all is ok'; }"
                        " location = /b { add_header X-Ready yes; return 201 'all is ok'; }"
                        " location = /c { return 200 'all is ok'; }"
                        " location = /d { add_header X-Ready yes; return 200 'all is lost'; }"
                        " location / { return 200 served; } }");
    subject_http("", "match good { status 200 300-399; header Content-Type = text/html;"
                     " header X-Ready; header ! X-Gone; header Server !~ apache; body ~ \"ok\"; }"
                     "upstream a { server 127.0.0.1:@nginx@; health_check uri=/a match=good; }"
                     "upstream b { server 127.0.0.1:@nginx@; health_check uri=/b match=good; }"
                     "upstream c { server 127.0.0.1:@nginx@; health_check uri=/c match=good; }"
                     "upstream d { server 127.0.0.1:@nginx@; health_check uri=/d match=good; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://a; } }");
    subject_log_await("of \"b\" is unhealthy: it answers 201");
    subject_log_await("of \"c\" is unhealthy: a header field is not as it should be");
    subject_log_await("of \"d\" is unhealthy: the body is not as it should be");
    cr_assert_eq(subject_log_count("of \"a\" is unhealthy"), 0);
    assert_text(wire_get("http", "/")->body.p, "served");
}

/* nginx takes connections with a PROXY protocol header and over TLS alone. */
E2E(health, checks_come_as_requests_do)
{
    certify("ca", NULL, "");
    certify("leaf", "ca", " -addext subjectAltName=DNS:origin.test");
    peer_nginx("nginx", "log_format l '$request_uri $ssl_server_name';"
                        "server { access_log @dir@/seen.log l;"
                        " listen 127.0.0.1:@nginx@ ssl proxy_protocol;"
                        " ssl_certificate @dir@/leaf.pem; ssl_certificate_key @dir@/leaf.key;"
                        " location / { return 200 served; } }");
    subject_http("", "upstream u { server 127.0.0.1:@nginx@; health_check uri=/health "
                     "interval=50ms; }"
                     "upstream v { server 127.0.0.1:@nginx@; health_check uri=/other; }"
                     "server { listen 127.0.0.1:@http@; proxy_protocol on; proxy_ssl_verify on;"
                     " proxy_ssl_trusted_certificate @dir@/ca.pem; proxy_ssl_server_name on;"
                     " location / { proxy_pass https://u; proxy_ssl_name origin.test; }"
                     " location /v { proxy_pass https://v; proxy_ssl_name wrong.test; } }");
    subject_log_await("of \"v\" is unhealthy: the TLS handshake fails");
    cr_assert(EVENTUALLY(strstr(file_read(file_path("seen.log")), "/health origin.test")));
    cr_assert_eq(subject_log_count("of \"u\" is unhealthy"), 0);
    assert_text(wire_get("http", "/")->body.p, "served");
}

/* nginx speaks nothing but HTTP/2 there. */
E2E(health, checks_speak_http_2_where_requests_do)
{
    peer_nginx("nginx", "log_format l '$server_protocol $request_uri $host';"
                        "server { access_log @dir@/seen.log l; listen 127.0.0.1:@nginx@ http2;"
                        " location / { return 200 'all is ok'; } }");
    subject_http("", "match good { status 200; body ~ ok; }"
                     "upstream u { server 127.0.0.1:@nginx@; health_check uri=/health match=good"
                     " interval=50ms; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u;"
                     " proxy_http_version 2; } }");
    cr_assert(EVENTUALLY(strstr(file_read(file_path("seen.log")), "HTTP/2.0 /health u")));
    pause_ms(150);
    cr_assert_eq(subject_log_count("is unhealthy"), 0);
    assert_text(wire_get("http", "/")->body.p, "all is ok");
}

/* Python's own gRPC. It says that it serves as long as there is no file "ill". */
static const char grpc_server[] =
    "import grpc, os\n"
    "from concurrent import futures\n"
    "def check(r, c):\n"
    "    if r == b'\\x0a\\x03gon': c.abort(grpc.StatusCode.NOT_FOUND, 'no such')\n"
    "    return b'\\x08\\x02' if os.path.exists('@dir@/ill') else b'\\x08\\x01'\n"
    "class H(grpc.GenericRpcHandler):\n"
    "    def service(self, d):\n"
    "        return {'/grpc.health.v1.Health/Check':\n"
    "            grpc.unary_unary_rpc_method_handler(check)}.get(d.method)\n"
    "s = grpc.server(futures.ThreadPoolExecutor(4), options=[('grpc.so_reuseport', 0)])\n"
    "if '%s': s.add_generic_rpc_handlers((H(),))\n"
    "s.add_insecure_port('127.0.0.1:@%s@')\n"
    "s.start()\n"
    "s.wait_for_termination()\n";

E2E(health, grpc_servers_are_asked_in_their_own_protocol)
{
    peer_python_script("grpc", text(grpc_server, "yes", "grpc"));
    peer_python_script("bare", text(grpc_server, "", "bare"));
    subject_http("", "upstream u { server 127.0.0.1:@grpc@; health_check type=grpc interval=50ms; }"
                     "upstream gone { server 127.0.0.1:@grpc@; health_check type=grpc"
                     " grpc_service=gon; }"
                     "upstream bare { server 127.0.0.1:@bare@; health_check type=grpc; }"
                     "upstream well { server 127.0.0.1:@bare@; health_check type=grpc"
                     " grpc_status=12; }"
                     "server { listen 127.0.0.1:@http@; location / { grpc_pass grpc://u; } }");
    subject_log_await("of \"gone\" is unhealthy: its gRPC status is 5");
    subject_log_await("of \"bare\" is unhealthy: its gRPC status is 12");
    file_write("ill", "");
    subject_log_await("of \"u\" is unhealthy: it says that it does not serve");
    unlink(file_path("ill"));
    subject_log_await("of \"u\" is healthy again");
    cr_assert_eq(subject_log_count("of \"well\" is unhealthy"), 0);
}

/* Both die, and one comes back. */
E2E(health, all_are_down_and_one_comes_back_within_an_interval)
{
    file_write("www/index.html", "here");
    pid_t one = peer_python("one", "www"), two = peer_python("two", "www");
    subject_http("worker_processes 2;",
                 "upstream u { server 127.0.0.1:@one@ fail_timeout=600s;"
                 " server 127.0.0.1:@two@ fail_timeout=600s; health_check interval=100ms; }"
                 "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    assert_text(wire_get("http", "/")->body.p, "here");
    kill(one, SIGKILL);
    kill(two, SIGKILL);
    cr_assert(EVENTUALLY(subject_log_count("of \"u\" is unhealthy: ") == 2));
    const char *why = text("no live upstreams while connecting to upstream (127.0.0.1:%u is "
                           "unhealthy: 111: Connection refused; 127.0.0.1:%u is unhealthy: 111: "
                           "Connection refused), client", harness_port("one"), harness_port("two"));
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 502 && subject_log_count(why) > 0));
    peer_python("two", "www");
    subject_log_await("is healthy again");
    cr_assert_eq(wire_get("http", "/")->status, 200);
}

/* It takes connections, but nobody is there. */
E2E(health, a_stopped_server_is_ill_and_one_that_goes_on_is_not)
{
    file_write("www/index.html", "here");
    pid_t one = peer_python("one", "www");
    peer_python("two", "www");
    subject_http("", "upstream u { server 127.0.0.1:@one@; server 127.0.0.1:@two@;"
                     " health_check interval=50ms timeout=2s; }"
                     "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; } }");
    kill(one, SIGSTOP);
    subject_log_await(text("%u of \"u\" is unhealthy: it takes too long", harness_port("one")));
    for (int i = 0; i < 6; i++) assert_text(wire_get("http", "/")->body.p, "here");
    kill(one, SIGCONT);
    subject_log_await("is healthy again");
}

/* What requests failed of is over when checks pass since, though none of them ever failed. */
E2E(health, a_rest_ends_when_checks_pass)
{
    origin_start("moody", moody, NULL);
    origin_start("other", origin_say, ok);
    failing = true;
    start("", "fail_timeout=600s; server 127.0.0.1:@other@; " CHECK ";");
    cr_assert(EVENTUALLY(wire_get("http", "/")->status == 200 &&
                         subject_log_count("temporarily disabled") > 0));
    failing = false;
    cr_assert(EVENTUALLY(!is_out()), "it rests for ten minutes");
    cr_assert_eq(subject_log_count("is unhealthy"), 0);
}
