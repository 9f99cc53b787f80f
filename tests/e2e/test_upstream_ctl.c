/* Servers changed while they serve: `proxyd ctl upstream` and the state file. */
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/hammer.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static const char say_a[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
static const char say_b[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb";
static const char say_c[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc";

#define SERVER \
    "server { listen 127.0.0.1:@http@; location / { proxy_pass http://app; } " \
    "location /status { status; } }"
#define GROUP "upstream app { server 127.0.0.1:@a@; server 127.0.0.1:@b@; } " SERVER

static origin_t *a, *b, *c;

static void start_origins(void)
{
    a = origin_start("a", origin_say, say_a);
    b = origin_start("b", origin_say, say_b);
    c = origin_start("c", origin_say, say_c);
}

/* Which of the origins answered how often. */
typedef struct shares {
    unsigned a, b, c, failed;
} shares_t;

static shares_t ask(unsigned n)
{
    shares_t s = {0};
    for (unsigned i = 0; i < n; i++) {
        reply_t *r = wire_get("http", "/");
        if (r->status != 200) s.failed++;
        else if (r->body.p[0] == 'a') s.a++;
        else if (r->body.p[0] == 'b') s.b++;
        else s.c++;
    }
    return s;
}

static void tell(const char *words)
{
    ran_t ran = subject_ctl(text("upstream app %s", words));
    cr_assert_eq(ran.status, 0, "%s: %s", words, ran.output);
    assert_text(ran.output, "");
}

static void refused(const char *words, const char *why)
{
    ran_t ran = subject_ctl(text("upstream app %s", words));
    cr_assert_eq(ran.status, 1, "%s: %s", words, ran.output);
    assert_has(ran.output, why);
}

static const char *state_of(const char *port)
{
    return wire_get("http", text("/status/upstreams/app/servers/%s",
                                 harness_expand(text("127.0.0.1:@%s@", port))))->body.p;
}

E2E(upstream_ctl, lists_groups_and_servers)
{
    start_origins();
    subject_http("worker_processes 2;", GROUP);
    assert_text(subject_ctl("upstream").output, "app\n");
    ask(10);
    const char *list = subject_ctl("upstream app").output;
    assert_has(list, "server                   state      weight active   requests   failures\n");
    assert_has(list, harness_expand("127.0.0.1:@a@"));
    assert_has(list, " up              1      0          5          0\n");
    assert_text(subject_ctl("upstream APP list").output, list);
}

E2E(upstream_ctl, down_drain_and_up_hold_in_all_workers)
{
    start_origins();
    subject_http("worker_processes 4;", GROUP);
    cr_assert_eq(ask(20).a, 10);
    tell("server 127.0.0.1:@a@ down");
    shares_t s = ask(40);
    cr_assert(s.b == 40, "%u %u", s.a, s.b);
    assert_has(state_of("a"), "\"state\":\"down\"");
    tell("server 127.0.0.1:@a@ up");
    s = ask(40);
    cr_assert(s.a == 20 && s.b == 20, "%u %u", s.a, s.b);
    tell("server 127.0.0.1:@b@ drain");
    s = ask(40);
    cr_assert(s.a == 40, "%u %u", s.a, s.b);
    assert_has(state_of("b"), "\"state\":\"draining\"");
}

E2E(upstream_ctl, weights_hold_in_all_workers)
{
    start_origins();
    subject_http("worker_processes 4;", GROUP);
    tell("server 127.0.0.1:@a@ weight=3 max_conns=100");
    shares_t s = ask(80);
    cr_assert(s.a == 60 && s.b == 20, "%u %u", s.a, s.b);
    assert_has(state_of("a"), "\"weight\":3,\"max_conns\":100");
}

E2E(upstream_ctl, servers_come_and_go)
{
    start_origins();
    subject_http("worker_processes 4;", GROUP);
    tell("add 127.0.0.1:@c@ weight=2");
    shares_t s = ask(80);
    cr_assert(s.a == 20 && s.b == 20 && s.c == 40, "%u %u %u", s.a, s.b, s.c);
    tell("server 127.0.0.1:@c@ weight=1");
    s = ask(60);
    cr_assert(s.c == 20, "%u %u %u", s.a, s.b, s.c);
    tell("remove 127.0.0.1:@c@");
    s = ask(40);
    cr_assert(s.a == 20 && s.b == 20, "%u %u %u", s.a, s.b, s.c);
    tell("add 127.0.0.1:@c@ backup");
    cr_assert_eq(ask(20).c, 0);
    tell("server 127.0.0.1:@a@ down");
    tell("server 127.0.0.1:@b@ down");
    cr_assert_eq(ask(20).c, 20);
}

/* Keys of one server move, and no others. */
E2E(upstream_ctl, a_ring_takes_in_who_comes)
{
    char before[60], after[60];
    start_origins();
    subject_http("worker_processes 3;",
                 "upstream app { hash $arg_k consistent; server 127.0.0.1:@a@; "
                 "server 127.0.0.1:@b@; } " SERVER);
    for (int i = 0; i < 60; i++) before[i] = wire_get("http", text("/?k=%d", i))->body.p[0];
    tell("add 127.0.0.1:@c@");
    unsigned moved = 0;
    for (int i = 0; i < 60; i++) {
        after[i] = wire_get("http", text("/?k=%d", i))->body.p[0];
        cr_assert(after[i] == before[i] || after[i] == 'c');
        moved += after[i] == 'c';
    }
    cr_assert(moved > 5 && moved < 40, "%u", moved);
    tell("remove 127.0.0.1:@c@");
    for (int i = 0; i < 60; i++)
        cr_assert_eq(wire_get("http", text("/?k=%d", i))->body.p[0], before[i]);
}

E2E(upstream_ctl, changes_outlive_a_reload)
{
    start_origins();
    subject_http("worker_processes 2;", GROUP);
    tell("add 127.0.0.1:@c@");
    tell("server 127.0.0.1:@a@ down");
    subject_reload(subject_configuration("worker_processes 3;", GROUP));
    subject_log_await("configuration 2");
    shares_t s = ask(40);
    cr_assert(s.b == 20 && s.c == 20, "%u %u %u", s.a, s.b, s.c);
}

E2E(upstream_ctl, a_server_that_came_into_the_configuration_is_not_there_twice)
{
    start_origins();
    subject_http("worker_processes 2;", GROUP);
    tell("add 127.0.0.1:@c@");
    subject_reload(subject_configuration(
        "worker_processes 2;", "upstream app { server 127.0.0.1:@a@; server 127.0.0.1:@b@; "
                               "server 127.0.0.1:@c@; } " SERVER));
    subject_log_await("configuration 2");
    shares_t s = ask(60);
    cr_assert(s.a == 20 && s.b == 20 && s.c == 20, "%u %u %u", s.a, s.b, s.c);
}

#define KEPT \
    "upstream app { state state/app.conf; server 127.0.0.1:@a@; server 127.0.0.1:@b@; } " SERVER

E2E(upstream_ctl, the_state_file_keeps_changes_over_a_restart)
{
    start_origins();
    subject_http("worker_processes 2;", KEPT);
    tell("add 127.0.0.1:@c@ weight=2");
    tell("server 127.0.0.1:@a@ drain");
    tell("server 127.0.0.1:@c@ weight=5");
    const char *file = file_read("state/app.conf");
    assert_has(file, harness_expand("server \"127.0.0.1:@c@\" \"weight=2\";\n"));
    assert_has(file, harness_expand("peer \"127.0.0.1:@a@ 127.0.0.1:@a@\" weight=1 max_conns=0 "
                                    "drain;\n"));
    assert_has(file, harness_expand("peer \"127.0.0.1:@c@ 127.0.0.1:@c@\" weight=5 "
                                    "max_conns=0;\n"));
    cr_assert_eq(subject_stop(SIGTERM), 0);
    subject_http("worker_processes 3;", KEPT);
    shares_t s = ask(60);
    cr_assert(s.b == 10 && s.c == 50, "%u %u %u", s.a, s.b, s.c);
    tell("server 127.0.0.1:@a@ up");
    tell("remove 127.0.0.1:@c@");
    cr_assert(!strstr(file_read("state/app.conf"), ":"), "%s", file_read("state/app.conf"));
}

E2E(upstream_ctl, a_group_may_begin_with_its_state_file_alone)
{
    static const char empty[] = "upstream app { state state/app.conf; } " SERVER;
    start_origins();
    subject_http("worker_processes 2;", empty);
    cr_assert_eq(wire_get("http", "/")->status, 502);
    tell("add 127.0.0.1:@a@");
    cr_assert_eq(ask(10).a, 10);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    subject_http("worker_processes 2;", empty);
    cr_assert_eq(ask(10).a, 10);
    tell("remove 127.0.0.1:@a@");
    cr_assert_eq(wire_get("http", "/")->status, 502);
}

E2E(upstream_ctl, a_broken_state_file_is_told_and_not_fatal)
{
    start_origins();
    cr_assert_eq(mkdir(file_path("state"), 0777), 0);
    cr_assert_eq(chmod(file_path("state"), 0777), 0);
    file_write("state/app.conf", "server 127.0.0.1:@c@ weight=2;\nserver 127.0.0.1:@c@ wait=2;\n");
    subject_http("", KEPT);
    subject_log_await("the state file cannot be used, the group starts as configured: invalid "
                      "parameter \"wait=2\"");
    shares_t s = ask(20);
    cr_assert(s.a == 10 && s.b == 10, "%u %u %u", s.a, s.b, s.c);
    tell("server 127.0.0.1:@a@ down");
    assert_has(file_read("state/app.conf"), " down;\n");
}

E2E(upstream_ctl, a_state_file_that_cannot_be_written_is_told)
{
    start_origins();
    cr_assert_eq(mkdir(file_path("state"), 0755), 0);
    if (geteuid() != 0) cr_assert_eq(chmod(file_path("state"), 0555), 0);
    subject_http("", KEPT);
    ran_t ran = subject_ctl("upstream app server 127.0.0.1:@a@ down");
    cr_assert_eq(ran.status, 0);
    assert_has(ran.output, "done, but a restart will forget it: the state file");
    cr_assert_eq(ask(20).b, 20);
    chmod(file_path("state"), 0755);
}

E2E(upstream_ctl, says_what_is_wrong)
{
    start_origins();
    subject_http("", GROUP);
    ran_t ran = subject_ctl("upstream nobody");
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "there is no upstream \"nobody\"; \"proxyd ctl upstream\" lists them");
    refused("server 10.1.2.3:80 down", "\"10.1.2.3:80\" is no server of \"app\"");
    refused("server 127.0.0.1:@a@", "say what: up, down, drain, weight=N, max_conns=N");
    refused("server 127.0.0.1:@a@ weight=0", "\"weight=0\" is none of up, down, drain");
    refused("server 127.0.0.1:@a@ sideways", "\"sideways\" is none of");
    refused("server", "usage: upstream [NAME");
    refused("hello 127.0.0.1:@a@", "usage: upstream [NAME");
    refused("add 127.0.0.1:@a@", "is a server of \"app\" already");
    refused("add 127.0.0.1:@c@ wait=3", "invalid parameter \"wait=3\" (weight= max_conns=");
    refused("add 10.0.0.1:99999", "invalid host in upstream");
    refused("add a;b{", "invalid host in upstream");
    refused("remove 127.0.0.1:@a@", "stands in the configuration");
    refused("remove 127.0.0.1:@c@", "is no server of \"app\"");
    for (int i = 1; i <= 32; i++) tell(text("add 127.0.1.%d:80 down", i));
    refused("add 127.0.1.33:80", "there is no room: at most 32 servers");
    cr_assert_eq(ask(20).a, 10);
}

E2E(upstream_ctl, targets_without_a_block_have_state_too)
{
    start_origins();
    subject_http("worker_processes 3;",
                 "server { listen 127.0.0.1:@http@; "
                 "location / { proxy_pass http://127.0.0.1:@a@; } location /status { status; } }");
    ask(10);
    const char *name = harness_expand("127.0.0.1:@a@");
    assert_text(subject_ctl("upstream").output, text("%s\n", name));
    const char *path = text("/status/upstreams/%s", name);
    assert_has(wire_get("http", path)->body.p, "\"requests\":10,");
    ran_t ran = subject_ctl(text("upstream %s add 127.0.0.1:@b@", name));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "servers are added to an upstream block alone");
    cr_assert_eq(subject_ctl(text("upstream %s server %s down", name, name)).status, 0);
    for (int i = 0; i < 6; i++) cr_assert_eq(wire_get("http", "/")->status, 502);
    cr_assert_eq(subject_ctl(text("upstream %s server %s up", name, name)).status, 0);
    cr_assert_eq(ask(5).a, 5);
}

/* What a worker holds of a server that goes stays whole until its last exchange is over. */
E2E(upstream_ctl, changes_under_load_cost_no_request)
{
    start_origins();
    subject_http("worker_processes 3;", GROUP);
    hammer_t *h = hammer_start("http", 3, 3);
    for (int i = 0; i < 15; i++) {
        tell("add 127.0.0.1:@c@");
        tell(i % 2 ? "server 127.0.0.1:@a@ drain" : "server 127.0.0.1:@a@ up weight=2");
        tell("remove 127.0.0.1:@c@");
    }
    cr_assert(EVENTUALLY(hammer_answers(h) > 500));
    hammer_result_t result = hammer_stop(h);
    cr_assert_eq(result.failures, 0, "%lu failures, first: %s", result.failures,
                 result.first_failure);
    cr_assert_gt(origin_requests(c), 0);
}
