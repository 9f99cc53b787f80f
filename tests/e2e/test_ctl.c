/* The control socket: what a running server is told, and by whom. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/keeper.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SITE "server { listen 127.0.0.1:@http@; location / { return 200 ok; } }"

static unsigned mode_of(const char *name)
{
    struct stat st;
    return lstat(file_path(name), &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_mode & 0777 : 0;
}

E2E(ctl, stands_beside_the_pid_file_for_its_owner_alone)
{
    subject_http("worker_processes 3;", SITE);
    cr_assert_eq(mode_of("proxyd.sock"), 0600);
    for (int i = 0; i < 5; i++) {
        ran_t ran = subject_ctl("status server");
        cr_assert_eq(ran.status, 0, "%s", ran.output);
        assert_has(ran.output, "\"generation\":1,");
        assert_has(ran.output, "\"workers\":3,");
    }
    cr_assert_eq(subject_stop(SIGTERM), 0);
    cr_assert_not(file_exists("proxyd.sock"));
}

E2E(ctl, the_socket_survives_a_reload)
{
    subject_http("worker_processes 2;", SITE);
    ino_t before, after;
    struct stat st;
    cr_assert_eq(lstat(file_path("proxyd.sock"), &st), 0);
    before = st.st_ino;
    subject_reload(subject_configuration("worker_processes 4;", SITE));
    subject_log_await("configuration 2, 4 worker processes");
    cr_assert_eq(lstat(file_path("proxyd.sock"), &st), 0);
    after = st.st_ino;
    cr_assert_eq(before, after);
    cr_assert(EVENTUALLY(strstr(subject_ctl("status server").output, "\"generation\":2,")));
}

E2E(ctl, moves_with_its_directive)
{
    subject_http("", SITE);
    subject_reload(subject_configuration("control other.sock mode=0660;", SITE));
    subject_log_await("configuration 2");
    cr_assert_eq(mode_of("other.sock"), 0660);
    cr_assert(EVENTUALLY(!file_exists("proxyd.sock")));
    cr_assert_eq(subject_ctl("status").status, 0);
    subject_reload(subject_configuration("control off;", SITE));
    subject_log_await("configuration 3");
    cr_assert(EVENTUALLY(!file_exists("other.sock")));
    ran_t ran = subject_ctl("status");
    cr_assert_eq(ran.status, 2);
    assert_has(ran.output, "the configuration says \"control off\"");
}

E2E(ctl, a_test_of_the_configuration_creates_nothing)
{
    file_write("proxyd.conf", "pid @dir@/proxyd.pid; events { } http { " SITE " }");
    ran_t ran = subject_run(text("-t -p %s/ -c %s", harness_dir(), file_path("proxyd.conf")));
    cr_assert_eq(ran.status, 0, "%s", ran.output);
    cr_assert_not(file_exists("proxyd.sock"));
    ran = subject_ctl("status");
    cr_assert_eq(ran.status, 2);
    assert_has(ran.output, "is a server running with this configuration?");
}

E2E(ctl, a_socket_left_over_is_replaced)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", file_path("proxyd.sock"));
    cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    close(fd);
    subject_http("", SITE);
    cr_assert_eq(mode_of("proxyd.sock"), 0600);
    cr_assert_eq(subject_ctl("status").status, 0);
}

E2E(ctl, what_is_wrong_with_the_directive)
{
    static const char *const bad[][2] = {
        {"control x mode=0999;", "mode=0600, or mode=0660"},
        {"control x 0600;", "mode=0600, or mode=0660"},
        {"control /0123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "90123456789012345678901234567890;", "at most 107 bytes"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        file_write("bad.conf", text("%s events { }", bad[i][0]));
        ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
        cr_assert_eq(ran.status, 1, "%s", bad[i][0]);
        assert_has(ran.output, bad[i][1]);
    }
    file_write("bad.conf", "control @dir@/a.sock; events { } "
                           "http { server { listen unix:@dir@/a.sock; } }");
    ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "the directive \"control\" has the socket");
}

E2E(ctl, a_path_too_long_for_a_socket_is_no_reason_not_to_serve)
{
    char deep[121] = {0};
    memset(deep, 'x', sizeof(deep) - 1);
    file_write("long.conf", text("pid @dir@/%s.pid; events { } http { " SITE " }", deep));
    ran_t ran = subject_run(text("-t -e stderr -p %s/ -c long.conf", harness_dir()));
    cr_assert_eq(ran.status, 0, "%s", ran.output);
    assert_has(ran.output, "there is no control socket: the path beside the pid file is too long");
}

E2E(ctl, commands_are_listed_without_a_server)
{
    ran_t ran = subject_run("ctl help");
    cr_assert_eq(ran.status, 0);
    assert_has(ran.output, "  status [SECTION [NAME...]]\n");
}

E2E(ctl, refusals_say_why)
{
    subject_http("", SITE);
    ran_t ran = subject_ctl("statsu");
    cr_assert_eq(ran.status, 1);
    assert_text(ran.output,
                "proxyd ctl: unknown command \"statsu\"; did you mean \"status\"?\n");
    ran = subject_ctl("wholly-unknown");
    assert_has(ran.output, "\"proxyd ctl help\" lists them");
    ran = subject_ctl("status a b c d e");
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "usage: status [SECTION [NAME...]]");
    ran = subject_ctl("status nowhere");
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "no such section");
    ran = subject_ctl("a\"b\\c%20;{}$x");
    assert_has(ran.output, "unknown command \"a\"b\\c ;{}$x\"");
}

static const char *tell(const char *bytes)
{
    wire_t *w = wire_open(file_path("proxyd.sock"));
    wire_send(w, bytes);
    return pool_cstr(harness_pool, wire_rest(w));
}

E2E(ctl, the_protocol_is_one_line_and_a_text)
{
    subject_http("", SITE);
    cr_assert(str_starts(str_of(tell("status server\n")), STR("0\n{\"version\":")));
    cr_assert(str_starts(str_of(tell("status 'server' ;\n")), STR("0\n{\"version\":")));
    assert_text(tell("\n"), "1\nno command; \"proxyd ctl help\" lists them\n");
    assert_has(tell("status {\n"), "1\nthe request is no line of words");
    assert_has(tell("status \"server\n"), "1\nthe request is no line of words");
    char *big = pool_bytes(harness_pool, 9001);
    memset(big, 'x', 9000);
    big[9000] = '\0';
    assert_text(tell(big), "1\nthe request is too long\n");
    char *many = pool_bytes(harness_pool, 201);
    for (int i = 0; i < 100; i++) memcpy(many + 2 * i, "x ", 3);
    assert_text(tell(text("%s\n", many)), "1\ntoo many words\n");
}

E2E(ctl, who_leaves_early_costs_nothing)
{
    subject_http("", SITE);
    for (int i = 0; i < 20; i++) {
        wire_t *w = wire_open(file_path("proxyd.sock"));
        if (i % 2) wire_send(w, "status");
        wire_close(w);
    }
    cr_assert_eq(subject_ctl("status").status, 0);
}

/* Neither at once, nor never: one that says nothing, one that stops in the middle of a line. */
E2E(ctl, who_does_not_say_what_he_wants_is_sent_away)
{
    subject_http("", SITE);
    int64_t from = now_ms();
    wire_t *silent = wire_open(file_path("proxyd.sock"));
    wire_t *half = wire_open(file_path("proxyd.sock"));
    wire_send(half, "stat");
    cr_assert_eq(subject_ctl("status").status, 0, "others are served meanwhile");
    assert_text(pool_cstr(harness_pool, wire_rest(silent)),
                "1\nthe request did not come in time\n");
    cr_assert_geq(now_ms() - from, 9000);
    assert_text(pool_cstr(harness_pool, wire_rest(half)),
                "1\nthe request did not come in time\n");
}

E2E(ctl, connections_of_the_operator_are_not_counted_as_accepted)
{
    subject_http("", SITE);
    const char *first = subject_ctl("status server connections").output;
    cr_assert(first[0] == '{', "%s", first);
    for (int i = 0; i < 5; i++) subject_ctl("status");
    assert_text(subject_ctl("status server connections").output, first);
}

E2E(ctl, a_server_without_workers_serves_it_itself)
{
    subject_http("master_process off;", SITE);
    cr_assert_eq(subject_ctl("status").status, 0);
}

/* As by ^Z and "fg": the answer comes while the command is stopped. */
E2E(ctl, a_command_that_is_stopped_goes_on)
{
    pid_t worker;
    int status;
    subject_http("", SITE);
    cr_assert(EVENTUALLY(subject_workers(&worker, 1) == 1));
    const char *argv[] = {subject_program(), "-p", text("%s/", harness_dir()), "-c",
                          file_path("proxyd.conf"), "ctl", "status", "server", NULL};
    kill(worker, SIGSTOP); /* nobody answers */
    pid_t pid = keeper_run(argv, harness_dir(), file_path("ctl.txt"));
    const char *stat = text("/proc/%d/stat", (int)pid);
    bool waits = EVENTUALLY(strstr(file_read(stat), "(proxyd) S "));
    kill(pid, SIGSTOP);
    bool stopped = EVENTUALLY(strstr(file_read(stat), "(proxyd) T "));
    kill(pid, SIGCONT);
    kill(worker, SIGCONT);
    cr_assert(waits && stopped);
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status) && status == 0, "%s", file_read("ctl.txt"));
    assert_has(file_read("ctl.txt"), "\"generation\":1,");
}
