/* Reloads, workers that come and go: nobody who is being served may notice. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/hammer.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SAYS(what) "server { listen 127.0.0.1:@http@; return 200 " what "; }"

static const char *with_workers(unsigned n, const char *http)
{
    return subject_configuration(text("worker_processes %u;", n), http);
}

/* Until the new configuration is served and the old workers have left. */
static void reload_and_await(const char *configuration, unsigned workers)
{
    subject_log_await("serving, configuration 1,");
    unsigned served = subject_log_count("serving, configuration ");
    subject_reload(configuration);
    bool taken = EVENTUALLY(subject_log_count("serving, configuration ") > served);
    cr_assert(taken, "not taken:\n%s", subject_log());
    bool left = EVENTUALLY(subject_workers(NULL, 0) == workers);
    cr_assert(left, "%u workers, not %u:\n%s", subject_workers(NULL, 0), workers, subject_log());
}

static void assert_unharmed(hammer_t *h)
{
    hammer_result_t r = hammer_stop(h);
    cr_assert_eq(r.failures, 0, "%lu of %lu failed, the first: %s", r.failures, r.answers,
                 r.first_failure);
    cr_assert_gt(r.answers, 100);
}

E2E(reload, changes_the_answer)
{
    subject_http("", SAYS("old"));
    assert_text(wire_get("http", "/")->body.p, "old");
    reload_and_await(subject_configuration("", SAYS("new")), 1);
    assert_text(wire_get("http", "/")->body.p, "new");
}

E2E(reload, fifty_times_under_load_without_a_failed_request)
{
    subject_start(with_workers(2, SAYS("same")));
    hammer_t *h = hammer_start("http", 2, 2);
    for (int i = 0; i < 50; i++) reload_and_await(with_workers(2, SAYS("same")), 2);
    assert_unharmed(h);
}

E2E(reload, the_number_of_workers_changes_under_load)
{
    static const unsigned counts[] = {4, 2, 3, 1, 4, 1};
    subject_start(with_workers(1, SAYS("same")));
    hammer_t *h = hammer_start("http", 3, 1);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        reload_and_await(with_workers(counts[i], SAYS("same")), counts[i]);
    assert_unharmed(h);
}

E2E(reload, addresses_come_and_go)
{
    const char *both = subject_configuration("", SAYS("a") "server { listen 127.0.0.1:@dead_b@;"
                                                           " return 200 b; }");
    subject_http("", SAYS("a"));
    hammer_t *h = hammer_start("http", 2, 1);
    reload_and_await(both, 1);
    assert_text(wire_get("dead_b", "/")->body.p, "b");
    reload_and_await(subject_configuration("", SAYS("a")), 1);
    assert_unharmed(h);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(harness_port("dead_b")),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert(connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0, "still listening");
    close(fd);
}

E2E(reload, a_broken_configuration_changes_nothing_and_says_why)
{
    subject_tolerate("no_such_directive");
    subject_http("", SAYS("old"));
    subject_log_await("serving, configuration 1");
    pid_t before, after;
    cr_assert_eq(subject_workers(&before, 1), 1);
    subject_reload(subject_configuration("", SAYS("new") " no_such_directive 1;"));
    subject_log_await("unknown directive \"no_such_directive\" in ");
    subject_log_await("the one before goes on serving");
    assert_text(wire_get("http", "/")->body.p, "old");
    cr_assert_eq(subject_workers(&after, 1), 1);
    cr_assert_eq(before, after);
}

E2E(reload, an_address_in_use_changes_nothing_and_says_why)
{
    origin_start("other", origin_echo, NULL);
    subject_tolerate("Address already in use");
    subject_http("", SAYS("old"));
    subject_reload(subject_configuration("", SAYS("new") "server { listen 127.0.0.1:@other@; }"));
    subject_log_await(harness_expand("bind() to 127.0.0.1:@other@ failed "
                                     "(98: Address already in use)"));
    subject_log_await("the one before goes on serving");
    assert_text(wire_get("http", "/")->body.p, "old");
}

E2E(reload, requests_in_flight_are_finished_by_the_old_workers)
{
    origin_t *o = origin_start("origin", origin_late, NULL);
    subject_http("", ORIGIN_SITE);
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    subject_reload(subject_configuration("", SAYS("new")));
    subject_log_await("gracefully shutting down");
    assert_text(wire_get("http", "/")->body.p, "new");
    cr_assert_eq(subject_workers(NULL, 0), 2);
    origin_open_gate(o);
    assert_text(wire_reply(w)->body.p, "late");
    cr_assert(EVENTUALLY(subject_workers(NULL, 0) == 1));
}

E2E(reload, a_worker_that_takes_too_long_is_cut_off)
{
    origin_t *o = origin_start("origin", origin_silent, NULL);
    subject_http("worker_shutdown_timeout 100ms;", ORIGIN_SITE);
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    subject_reload(subject_configuration("", SAYS("new")));
    subject_log_await("shutdown timed out");
    wire_rest(w);
    cr_assert(wire_closed(w));
    cr_assert(EVENTUALLY(subject_workers(NULL, 0) == 1));
}

E2E(reload, the_pid_file_moves)
{
    subject_http("", SAYS("a"));
    const char *id = file_read("proxyd.pid");
    file_write("proxyd.conf", text("pid @dir@/other.pid; daemon off;\n%s",
                                   subject_configuration("", SAYS("b"))));
    subject_signal(SIGHUP);
    cr_assert(EVENTUALLY(file_exists("other.pid") && !file_exists("proxyd.pid")));
    assert_text(file_read("other.pid"), id);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert_not(file_exists("other.pid"));
}

/* --- workers that die --- */

E2E(reload, a_killed_worker_is_replaced)
{
    subject_tolerate("exited on signal 9");
    subject_start(with_workers(2, SAYS("alive")));
    subject_log_await("serving, configuration 1, 2 worker processes");
    pid_t pids[2], after[2];
    cr_assert_eq(subject_workers(pids, 2), 2);
    kill(pids[0], SIGKILL);
    subject_log_await(text("worker process %d exited on signal 9", (int)pids[0]));
    cr_assert(EVENTUALLY(subject_log_count("start worker process") == 3));
    cr_assert(EVENTUALLY(subject_workers(after, 2) == 2));
    for (int i = 0; i < 20; i++) assert_text(wire_get("http", "/")->body.p, "alive");
}

E2E(reload, workers_that_keep_dying_young_are_started_ever_more_slowly)
{
    subject_tolerate("exited on signal 9");
    subject_tolerate("died within");
    subject_http("", SAYS("alive"));
    subject_log_await("serving, configuration 1");
    const char *said = "4 workers in a row died within 1000 ms of their start, the next is started "
                       "in 400 ms";
    for (int i = 0; i < 100 && !strstr(subject_log(), said); i++) { /* not all die that young */
        pid_t pid = 0;
        cr_assert(EVENTUALLY(subject_workers(&pid, 1) == 1));
        kill(pid, SIGKILL);
        subject_log_await(text("worker process %d exited on signal 9", (int)pid));
        if (i >= 3) pause_ms(20);
    }
    subject_log_await(said);
    cr_assert(EVENTUALLY(subject_workers(NULL, 0) == 1));
    assert_text(wire_get("http", "/")->body.p, "alive");
}

E2E(reload, workers_end_when_the_master_is_killed)
{
    subject_tolerate("the master process has gone");
    subject_start(with_workers(2, SAYS("alive")));
    subject_log_await("serving, configuration 1");
    pid_t pids[2];
    cr_assert_eq(subject_workers(pids, 2), 2);
    subject_signal(SIGKILL);
    cr_assert_eq(subject_wait(), 128 + SIGKILL);
    cr_assert(EVENTUALLY(kill(pids[0], 0) < 0 && kill(pids[1], 0) < 0));
}
