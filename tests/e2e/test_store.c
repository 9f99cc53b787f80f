/* proxy_cache_path: what it says of itself, its manager, purges by the control socket. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SITE "server { listen 127.0.0.1:@http@; location / { status; } }"
#define CACHE \
    "proxy_cache_path cache levels=1:2 use_temp_path=off keys_zone=one:1m memory=2m inactive=5m " \
    "max_size=100m min_free=1m manager_files=50 manager_threshold=100ms manager_sleep=10ms " \
    "loader_files=50 loader_threshold=100ms loader_sleep=10ms; "

static void expect_error(const char *directive, const char *message)
{
    file_write("bad.conf", text("events { } http { %s }", directive));
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1, "%s", r.output);
    assert_has(r.output, message);
}

E2E(store, wrong_parameters_are_said_with_the_right_ones)
{
    expect_error("proxy_cache_path c levels=1:2;", "must have \"keys_zone\" parameter");
    expect_error("proxy_cache_path c keys_zone=a;", "invalid keys zone \"a\"");
    expect_error("proxy_cache_path c keys_zone=a:1m levels=1:3;", "invalid \"levels\" \"1:3\"");
    expect_error("proxy_cache_path c keys_zone=a:1m levels=1:2:2:1;", "invalid \"levels\"");
    expect_error("proxy_cache_path c keys_zone=a:1m levels=1:;", "invalid \"levels\"");
    expect_error("proxy_cache_path c keys_zone=a:1m memory=1k;", "\"memory\" must be at least 1m");
    expect_error("proxy_cache_path c keys_zone=a:1m use_temp_path=x;", "invalid \"use_temp_path\"");
    expect_error("proxy_cache_path c keys_zone=a:1m nonsense=1;", "invalid parameter");
    expect_error("proxy_cache_path c keys_zone=a:1m; proxy_cache_path d keys_zone=a:1m;",
                 "declared twice");
    expect_error("proxy_cache_path c keys_zone=a:1m; proxy_cache_path c/ keys_zone=b:1m;",
                 "used twice");
}

/* Some child of the master with that in its title; 0: there is none. */
static pid_t find_process(const char *title)
{
    char line[256], *command = NULL;
    int pid = 0;
    cr_assert(asprintf(&command, "ps -o pid=,args= --ppid %d", (int)subject_pid()) > 0);
    FILE *ps = popen(command, "r");
    free(command);
    while (ps && fgets(line, sizeof(line), ps))
        if (strstr(line, title)) pid = atoi(line);
    if (ps) pclose(ps);
    return pid;
}

E2E(store, the_manager_is_replaced_and_follows_a_reload)
{
    subject_http("worker_processes 2;", CACHE SITE);
    subject_log_await("objects of 0 files loaded");
    pid_t first = find_process("cache manager process");
    cr_assert_neq(first, 0);
    subject_tolerate("cache manager process");
    kill(first, SIGKILL);
    subject_log_await("exited on signal 9");
    pid_t second = 0;
    cr_assert(EVENTUALLY((second = find_process("cache manager process")) && second != first));
    subject_reload(subject_configuration("worker_processes 2;", CACHE SITE));
    subject_log_await("configuration 2, 2 worker processes");
    cr_assert(EVENTUALLY(find_process("cache manager process") != second));
    subject_reload(subject_configuration("worker_processes 2;", SITE));
    subject_log_await("configuration 3, 2 worker processes");
    cr_assert(EVENTUALLY(!find_process("cache manager process")));
}

/* --- what a killed process leaves --- */

static void begin_answer(visit_t *v)
{
    static char body[100000];
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nCache-Control: max-age=9\r\n\r\n");
    visit_send_n(v, body, sizeof(body));
    visit_gate(v);
}

static unsigned count_temporary(void)
{
    unsigned n = 0;
    DIR *d = opendir(file_path("cache/temp"));
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

E2E(store, what_a_killed_worker_was_making_is_taken_away)
{
    origin_start("origin", begin_answer, NULL);
    subject_http("worker_processes 1;", CACHE
                 "server { listen 127.0.0.1:@http@; location / { proxy_cache one; "
                 "proxy_pass http://127.0.0.1:@origin@; } }");
    subject_tolerate("worker process");
    wire_t *w = wire_open("http");
    wire_send(w, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(EVENTUALLY(count_temporary() == 1));
    kill(find_process("worker process"), SIGKILL);
    cr_assert(EVENTUALLY(count_temporary() == 0));
}

E2E(store, tells_of_itself_and_is_purged_over_the_control_socket)
{
    subject_http("", CACHE SITE);
    assert_has(wire_get("http", "/")->body.p, "\"cache\":{\"one\":{\"hits\":0,");
    cr_expect_eq(subject_ctl("purge one key http://a/b").status, 0);
    cr_expect_eq(subject_ctl("purge one tag red soft").status, 0);
    cr_expect_eq(subject_ctl("purge one prefix http://a/").status, 0);
    cr_expect_eq(subject_ctl("purge one all").status, 0);
    cr_expect_eq(subject_ctl("purge one all soft").status, 0);
    ran_t r = subject_ctl("purge two all");
    cr_expect_eq(r.status, 1);
    assert_has(r.output, "there is no cache zone \"two\"");
    cr_expect_eq(subject_ctl("purge one key").status, 1);
    cr_expect_eq(subject_ctl("purge one all hard").status, 1);
    cr_expect_eq(subject_ctl("purge one colour red").status, 1);
    cr_expect(file_exists("cache/purges"));
}

E2E(store, a_directory_that_cannot_be_used_costs_the_cache_alone)
{
    file_write("blocked", "not a directory");
    subject_launch(subject_configuration("", "proxy_cache_path blocked/c keys_zone=one:1m; " SITE));
    subject_tolerate("blocked");
    cr_assert_neq(subject_wait(), 0);
}
