/* Names of origins: what DNS says of them, changes, keeps to itself, or says wrong. */
#include <signal.h>
#include <unistd.h>

#include "tests/e2e/hammer.h"
#include "tests/e2e/nameserver.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* Origins on one port of several addresses, by the program under test itself. */
#define ORIGINS \
    "server { listen 127.0.0.1:@o@; return 200 1; } " \
    "server { listen 127.0.0.2:@o@; return 200 2; } " \
    "server { listen 127.0.0.3:@o@; return 200 3; } " \
    "server { listen 127.0.0.4:@o@; return 200 4; } "
#define FRONT \
    "server { listen 127.0.0.1:@http@; location / { proxy_pass http://app; } " \
    "location /status { status; } }"
#define RESOLVER "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 2s; "
#define BRISK "resolver 127.0.0.1:@dns@ ipv6=off valid=100ms; resolver_timeout 1500ms; "
#define GROUP "upstream app { server app.test:@o@ resolve; } "

static nameserver_t *ns;

static void start(const char *answer, const char *main_level, const char *http)
{
    ns = nameserver_start("dns");
    if (answer) nameserver_set(ns, "app.test", answer);
    subject_http(main_level, http);
}

/* Who answers: a digit for an origin, "-" for none. */
static char who(void)
{
    reply_t *r = wire_get("http", "/");
    return r->status == 200 ? r->body.p[0] : '-';
}

/* As many times as it takes to have had an answer from each worker, in all likelihood. */
static bool all_say(const char *set)
{
    unsigned seen = 0, want = (1u << strlen(set)) - 1;
    for (int i = 0; i < 24; i++) {
        const char *at = strchr(set, who());
        if (!at) return false;
        seen |= 1u << (at - set);
    }
    return seen == want;
}

E2E(discover, a_name_is_all_its_addresses_in_all_workers)
{
    start("A 60 127.0.0.2 127.0.0.3", "worker_processes 3;", RESOLVER ORIGINS GROUP FRONT);
    cr_assert(all_say("23"));
    const char *list = subject_ctl("upstream app").output;
    assert_has(list, harness_expand("127.0.0.2:@o@ "));
    assert_has(list, harness_expand("127.0.0.3:@o@ "));
    assert_has(list, harness_expand("  app.test:@o@\n"));
}

E2E(discover, changes_are_seen_by_all_workers_when_the_ttl_is_over)
{
    start("A 1 127.0.0.2", "worker_processes 3;", RESOLVER ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3 127.0.0.4");
    cr_assert(EVENTUALLY(all_say("34")));
    nameserver_set(ns, "app.test", "A 1 127.0.0.4");
    cr_assert(EVENTUALLY(all_say("4")));
}

E2E(discover, one_worker_asks_for_all)
{
    start("A 1 127.0.0.2", "worker_processes 4;", BRISK ORIGINS GROUP FRONT);
    for (int i = 0; i < 40; i++) who();
    unsigned before = nameserver_asked(ns, "app.test");
    int64_t from = now_ms();
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") >= before + 12));
    /* Four workers would have needed 300 ms for it. */
    cr_assert_geq(now_ms() - from, 900);
}

E2E(discover, an_answer_is_used_for_as_long_as_it_holds)
{
    start("A 3600 127.0.0.2", "worker_processes 2;", RESOLVER ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    unsigned asked = nameserver_asked(ns, "app.test");
    pause_ms(1500);
    cr_assert(all_say("2"));
    cr_assert_eq(nameserver_asked(ns, "app.test"), asked);
}

E2E(discover, addresses_of_ipv6)
{
    start("AAAA 60 ::1", "", "resolver 127.0.0.1:@dns@; resolver_timeout 2s; "
                             "server { listen [::1]:@o@; return 200 6; } " ORIGINS GROUP FRONT);
    cr_assert(all_say("6"));
    assert_has(subject_ctl("upstream app").output, harness_expand("[::1]:@o@ "));
}

E2E(discover, valid_overrides_the_ttl)
{
    start("A 3600 127.0.0.2", "",
          "resolver 127.0.0.1:@dns@ ipv6=off valid=100ms; " ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "A 3600 127.0.0.3");
    cr_assert(EVENTUALLY(all_say("3")));
}

E2E(discover, a_group_may_have_its_own_resolver)
{
    start("A 1 127.0.0.2", "",
          "resolver 127.0.0.1:@dead@; resolver_timeout 100ms; " ORIGINS
          "upstream app { resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 2s; "
          "server app.test:@o@; } " FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(all_say("3")));
}

static void keeps_the_last_answer(const char *failure, const char *said)
{
    start("A 1 127.0.0.2", "worker_processes 2;", BRISK ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", failure);
    subject_log_await(said);
    cr_assert(all_say("2"));
    unsigned asked = nameserver_asked(ns, "app.test");
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") > asked), "it is not tried again");
    cr_assert_eq(subject_log_count("could not be resolved"), 1);
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(all_say("3")));
}

E2E(discover, a_failing_server_leaves_the_last_good_answer)
{
    keeps_the_last_answer("SERVFAIL", "could not be resolved (2: Server failure), the addresses of "
                                      "before are used");
}

E2E(discover, a_silent_server_leaves_the_last_good_answer)
{
    keeps_the_last_answer("SILENT",
                          "could not be resolved (110: Operation timed out), the addresses");
}

E2E(discover, a_name_that_is_gone_leaves_the_last_good_answer)
{
    keeps_the_last_answer("NXDOMAIN", "could not be resolved (3: Host not found), the addresses");
}

E2E(discover, an_answer_to_another_question_is_none)
{
    keeps_the_last_answer("MISMATCHED A 1 127.0.0.4",
                          "could not be resolved (110: Operation timed out), the addresses");
}

E2E(discover, a_name_that_does_not_resolve_keeps_nobody_from_starting)
{
    start("NXDOMAIN", "worker_processes 2;", RESOLVER ORIGINS GROUP FRONT);
    cr_assert_eq(who(), '-');
    assert_has(subject_ctl("upstream app").output, " unresolved\n");
    assert_has(wire_get("http", "/status/upstreams/app")->body.p, "\"state\":\"unresolved\"}");
    subject_reload(subject_configuration("worker_processes 2;", RESOLVER ORIGINS GROUP FRONT));
    subject_log_await("configuration 2");
    cr_assert_eq(who(), '-');
    nameserver_set(ns, "app.test", "A 60 127.0.0.2");
    cr_assert(EVENTUALLY(who() == '2'));
}

E2E(discover, other_servers_serve_while_a_name_does_not_resolve)
{
    start("SERVFAIL", "worker_processes 2;",
          BRISK ORIGINS "upstream app { server app.test:@o@; server 127.0.0.4:@o@; } " FRONT);
    cr_assert(all_say("4"));
    nameserver_set(ns, "app.test", "A 60 127.0.0.2");
    cr_assert(EVENTUALLY(all_say("24")));
}

E2E(discover, a_truncated_answer_is_asked_for_over_tcp)
{
    start("TRUNCATED A 60 127.0.0.2 127.0.0.3", "", RESOLVER ORIGINS GROUP FRONT);
    cr_assert(all_say("23"));
    cr_assert_gt(nameserver_asked_tcp(ns, "app.test"), 0);
}

E2E(discover, a_reload_keeps_what_is_known)
{
    start("A 3600 127.0.0.2", "worker_processes 2;", RESOLVER ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "SILENT");
    subject_reload(subject_configuration("worker_processes 3;", RESOLVER ORIGINS GROUP FRONT));
    subject_log_await("configuration 2");
    cr_assert(all_say("2"));
}

E2E(discover, another_worker_takes_over_when_the_one_that_asks_dies)
{
    pid_t pids[3];
    start("A 1 127.0.0.2", "worker_processes 3;", BRISK ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    subject_tolerate("exited on signal 9");
    subject_log_await("serving, configuration 1");
    cr_assert_eq(subject_workers(pids, 3), 3);
    for (int i = 0; i < 2; i++) kill(pids[i], SIGKILL);
    cr_assert(EVENTUALLY(subject_log_count("exited on signal 9") == 2));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(subject_workers(pids, 3) == 3 && all_say("3")));
}

/* --- SRV --- */

E2E(discover, a_service_has_ports_weights_and_backups)
{
    start(NULL, "", RESOLVER ORIGINS
          "server { listen 127.0.0.1:@p@; return 200 5; } "
          "upstream app { server app.test service=http resolve max_fails=0; } " FRONT);
    nameserver_set(ns, "_http._tcp.app.test",
                   "SRV 1 10 3 @o@ two.test, 10 1 @o@ three.test, 20 0 @p@ one.test");
    nameserver_set(ns, "two.test", "A 60 127.0.0.2");
    nameserver_set(ns, "three.test", "A 60 127.0.0.3");
    nameserver_set(ns, "one.test", "A 60 127.0.0.1");
    cr_assert(EVENTUALLY(who() == '2'));
    unsigned two = 0, three = 0;
    for (int i = 0; i < 40; i++) {
        char c = who();
        two += c == '2';
        three += c == '3';
    }
    cr_assert(two == 30 && three == 10, "%u %u", two, three);
    assert_has(wire_get("http", text("/status/upstreams/app/servers/%s",
                                     harness_expand("127.0.0.1:@p@")))->body.p,
               "\"backup\":true,\"weight\":1");
    nameserver_set(ns, "_http._tcp.app.test", "SRV 1 5 1 @p@ one.test");
    cr_assert(EVENTUALLY(all_say("5")));
}

E2E(discover, a_service_name_with_a_dot_is_taken_as_it_is)
{
    start(NULL, "", RESOLVER ORIGINS "upstream app { server test service=web._tcp.app; } " FRONT);
    nameserver_set(ns, "web._tcp.app.test", "TRUNCATED SRV 60 0 0 @o@ two.test");
    nameserver_set(ns, "two.test", "A 60 127.0.0.2");
    cr_assert(EVENTUALLY(all_say("2")));
}

E2E(discover, a_target_that_does_not_resolve_is_left_out)
{
    start(NULL, "", RESOLVER ORIGINS "upstream app { server app.test service=http; } " FRONT);
    nameserver_set(ns, "_http._tcp.app.test", "SRV 60 0 1 @o@ none.test, 0 1 @o@ two.test");
    nameserver_set(ns, "two.test", "A 60 127.0.0.2");
    cr_assert(EVENTUALLY(all_say("2")));
}

/* --- at run time --- */

E2E(discover, a_name_is_added_and_followed)
{
    start("A 1 127.0.0.2", "worker_processes 2;",
          BRISK ORIGINS "upstream app { server 127.0.0.4:@o@; } " FRONT);
    cr_assert(all_say("4"));
    cr_assert_eq(subject_ctl("upstream app add app.test:@o@").status, 0);
    cr_assert(EVENTUALLY(all_say("24")));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(all_say("34")));
    cr_assert_eq(subject_ctl("upstream app remove app.test:@o@").status, 0);
    cr_assert(EVENTUALLY(all_say("4")));
}

/* --- what an operator says of a name --- */

#define STATED \
    BRISK ORIGINS "upstream app { server app.test:@o@ resolve; server 127.0.0.4:@o@;" \
                  " state @dir@/kept/state; } " FRONT

static void tell(const char *words)
{
    ran_t ran = subject_ctl(text("upstream app server %s", words));
    cr_assert_eq(ran.status, 0, "%s: %s", words, ran.output);
    assert_text(ran.output, "");
}

static bool lists(const char *address, const char *state)
{
    const char *list = subject_ctl("upstream app").output;
    const char *at = strstr(list, harness_expand(text("%s:@o@ ", address)));
    return at && strncmp(at + strcspn(at, " ") + strspn(at + strcspn(at, " "), " "), state,
                         strlen(state)) == 0;
}

E2E(discover, what_is_said_of_a_name_holds_for_addresses_that_come)
{
    start("A 1 127.0.0.2", "worker_processes 2;", STATED);
    cr_assert(EVENTUALLY(all_say("24")));
    tell("app.test:@o@ down");
    cr_assert(all_say("4"));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.3", "down")));
    cr_assert(all_say("4"));
    nameserver_set(ns, "app.test", "A 1 127.0.0.1 127.0.0.2");
    cr_assert(EVENTUALLY(lists("127.0.0.1", "down") && lists("127.0.0.2", "down")));
    cr_assert(all_say("4"));
    tell("app.test:@o@ up");
    cr_assert(EVENTUALLY(all_say("124")));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3"); /* which was down when it was last seen */
    cr_assert(EVENTUALLY(all_say("34")));
}

/* An address that was told something else since keeps that. */
E2E(discover, what_is_said_of_an_address_holds_for_it_alone)
{
    start("A 1 127.0.0.2", "worker_processes 2;", STATED);
    cr_assert(EVENTUALLY(all_say("24")));
    tell("app.test:@o@ down");
    tell("127.0.0.2:@o@ up");
    cr_assert(EVENTUALLY(all_say("24")));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.3", "down")));
    nameserver_set(ns, "app.test", "A 1 127.0.0.2 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.2", "up") && lists("127.0.0.3", "down")));
    cr_assert(all_say("24"));
}

E2E(discover, what_is_said_of_a_name_outlives_a_reload_and_a_restart)
{
    start("A 1 127.0.0.2", "worker_processes 2;", STATED);
    cr_assert(EVENTUALLY(all_say("24")));
    tell("app.test:@o@ down weight=3");
    tell("127.0.0.2:@o@ up weight=1");
    subject_reload(subject_configuration("worker_processes 2;", STATED));
    subject_log_await("reconfiguring");
    nameserver_set(ns, "app.test", "A 1 127.0.0.2 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.3", "down") && lists("127.0.0.2", "up")));
    cr_assert(EVENTUALLY(all_say("24")));
    assert_has(file_read("kept/state"),
               harness_expand("peer \"app.test:@o@\" weight=3 max_conns=0 down;\n"));
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    subject_http("worker_processes 2;", STATED);
    nameserver_set(ns, "app.test", "A 1 127.0.0.1 127.0.0.2 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.1", "down") && lists("127.0.0.2", "up")));
    cr_assert(all_say("24"));
}

E2E(discover, a_name_that_does_not_resolve_yet_can_be_told)
{
    start("SERVFAIL", "worker_processes 2;", STATED);
    cr_assert(all_say("4"));
    tell("app.test:@o@ down");
    assert_has(subject_ctl("upstream app").output, "unresolved, down");
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(lists("127.0.0.3", "down")));
    cr_assert(all_say("4"));
}

/* --- */

E2E(discover, a_target_without_a_block_is_followed_too)
{
    start("A 1 127.0.0.2", "worker_processes 2;",
          BRISK ORIGINS "server { listen 127.0.0.1:@http@; "
                           "location / { proxy_pass http://app.test:@o@; } }");
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "A 1 127.0.0.3");
    cr_assert(EVENTUALLY(all_say("3")));
    nameserver_set(ns, "app.test", "SERVFAIL");
    subject_log_await("the addresses of before are used");
    cr_assert(all_say("3"));
}

/* --- clients --- */

E2E(discover, a_client_that_leaves_does_not_wait_for_dns)
{
    start("SILENT", "",
          "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 60s; " ORIGINS GROUP FRONT);
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") > 0));
    pause_ms(50);
    wire_close(w);
    subject_log_await("prematurely closed connection");
}

/* It is answered before the worker goes, when the name servers had their time. */
E2E(discover, a_request_that_waits_for_dns_holds_a_stop_no_longer_than_resolver_timeout)
{
    start("SILENT", "",
          "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 700ms; " ORIGINS GROUP FRONT);
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") > 0));
    subject_signal(SIGQUIT);
    cr_assert_eq(wire_reply(w)->status, 502);
    cr_assert_eq(subject_wait(), 0);
}

E2E(discover, worker_shutdown_timeout_ends_a_request_that_waits_for_dns)
{
    start("SILENT", "worker_shutdown_timeout 300ms;",
          "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 1h; " ORIGINS GROUP FRONT);
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") > 0));
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert(wire_closed(w));
}

E2E(discover, changes_under_load_cost_no_request)
{
    start("A 1 127.0.0.2", "worker_processes 2;",
          "resolver 127.0.0.1:@dns@ ipv6=off valid=50ms; " ORIGINS GROUP FRONT);
    hammer_t *h = hammer_start("http", 2, 2);
    for (int i = 0; i < 12; i++) {
        nameserver_set(ns, "app.test", i % 2 ? "A 1 127.0.0.2 127.0.0.3" : "A 1 127.0.0.4");
        pause_ms(100);
    }
    hammer_result_t result = hammer_stop(h);
    cr_assert_eq(result.failures, 0, "%lu failures, first: %s", result.failures,
                 result.first_failure);
    cr_assert_gt(result.answers, 100);
}

E2E(discover, a_worker_that_stops_does_not_wait_for_dns)
{
    start("A 1 127.0.0.2", "worker_processes 2;",
          "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 60s; " ORIGINS GROUP FRONT);
    cr_assert(all_say("2"));
    nameserver_set(ns, "app.test", "SILENT");
    unsigned asked = nameserver_asked(ns, "app.test");
    cr_assert(EVENTUALLY(nameserver_asked(ns, "app.test") > asked));
    int64_t from = now_ms();
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert_lt(now_ms() - from, 10000);
}
