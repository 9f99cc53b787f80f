/* The command line, signals, and what workers are made of. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define HERE "-p @dir@/ -c @dir@/proxyd.conf -e @dir@/error.log "
#define SAYS(what) "server { listen 127.0.0.1:@http@; return 200 " what "; }"

static void write_conf(const char *directives)
{
    file_write("proxyd.conf", text("pid @dir@/proxyd.pid;\n%s\nevents {}\n", directives));
}

/* --- the command line --- */

E2E(command_line, version_and_usage)
{
    ran_t r = subject_run("-v");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "proxyd version: proxyd/");
    assert_lacks(r.output, "configure arguments:");
    assert_has(subject_run("-V").output, "configure arguments:");
    r = subject_run("-h");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "-g directives");
    assert_text(subject_run("-?").output, r.output);
}

E2E(command_line, what_is_wrong_with_it)
{
    ran_t r = subject_run("-z");
    cr_assert_eq(r.status, 1);
    assert_text(r.output, "proxyd: invalid option: \"z\"\n");
    r = subject_run("-s restart");
    cr_assert_eq(r.status, 1);
    assert_text(r.output, "proxyd: invalid option: \"-s restart\"\n");
}

E2E(command_line, help_on_directives)
{
    ran_t r = subject_run("help worker_connections");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "worker_connections");
    assert_has(r.output, "512");
    cr_assert_eq(subject_run("help no_such_directive").status, 1);
}

/* One room owns a directive in a context: a second one would never be asked, or hide the first. */
E2E(command_line, no_directive_is_there_twice)
{
    str_t rest = str_of(subject_run("help").output), line, name = STR("");
    const char *seen = "\n";
    bool begins = true;
    while (str_cut(&rest, '\n', &line)) {
        str_t context, list = str_trim(line);
        if (begins) name = str_sub(line, 0, strcspn(pool_cstr(harness_pool, line), " ;"));
        begins = line.n == 0;
        if (!str_starts(list, STR("Context: "))) continue;
        list = str_sub(list, 9, list.n);
        while (str_cut(&list, ',', &context)) {
            context = str_trim(context);
            const char *one = text("\n" STR_FMT " in " STR_FMT "\n", STR_ARG(name),
                                   STR_ARG(context));
            cr_expect_null(strstr(seen, one), "twice: %s", one);
            seen = text("%s%s", seen, one + 1);
        }
    }
    assert_has(seen, "\nproxy_cache in location\n");
}

E2E(command_line, t_says_ok_and_makes_nothing)
{
    write_conf("http { access_log off; server { listen 127.0.0.1:@http@; } }");
    ran_t r = subject_run(HERE "-t");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_text(r.output, harness_expand("proxyd: the configuration file @dir@/proxyd.conf "
                                         "syntax is ok\n"
                                         "proxyd: configuration file @dir@/proxyd.conf "
                                         "test is successful\n"));
    cr_assert_not(file_exists("error.log") || file_exists("proxyd.pid"));
    assert_text(subject_run(HERE "-tq").output, "");
}

E2E(command_line, t_says_where_the_mistakes_are)
{
    write_conf("worker_procesess 2;");
    ran_t r = subject_run(HERE "-t");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("@dir@/proxyd.conf:2:1: unknown directive "
                                        "\"worker_procesess\""));
    assert_has(r.output, "worker_processes");
    assert_has(r.output, harness_expand("proxyd: configuration file @dir@/proxyd.conf test "
                                        "failed\n"));
    r = subject_run(HERE "-tq");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "unknown directive");
}

E2E(command_line, t_sees_logs_that_cannot_be_written)
{
    write_conf("error_log @dir@/missing/error.log;");
    ran_t r = subject_run(HERE "-t");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("open() \"@dir@/missing/error.log\" failed (2: No such "
                                        "file or directory)"));
    write_conf("pid @dir@/missing/p.pid;");
    cr_assert_eq(subject_run(HERE "-t").status, 1);
}

E2E(command_line, a_missing_file_is_said)
{
    ran_t r = subject_run("-p @dir@/ -c @dir@/none.conf -t");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("@dir@/none.conf"));
    assert_has(r.output, "No such file or directory");
}

E2E(command_line, T_dumps_every_file)
{
    file_write("more.conf", "# more\nworker_priority 3;\n");
    write_conf("include more.conf;");
    ran_t r = subject_run(HERE "-T");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_has(r.output, harness_expand("# configuration file @dir@/proxyd.conf:\n"));
    assert_has(r.output, harness_expand("# configuration file @dir@/more.conf:\n# more\n"));
}

E2E(command_line, g_stands_before_the_file)
{
    write_conf("worker_priority 3;");
    cr_assert_eq(subject_run(HERE "-t -g worker_processes%203;").status, 0);
    ran_t r = subject_run(HERE "-t -g worker_priority%204;");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "\"worker_priority\" directive is duplicate");
    cr_assert_eq(subject_run(HERE "-t -g nonsense%201;").status, 1);
}

E2E(command_line, prefix_and_error_log)
{
    file_write("p/conf/x.conf", "daemon off; pid p.pid; events {} http { access_log off; }");
    file_write("p/client_body_temp/x", "");
    ran_t r = subject_run("-p p -c conf/x.conf -e no/e.log -t");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("open() \"@dir@/p/no/e.log\" failed"));
    r = subject_run("-p p -c conf/x.conf -e e.log -t");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_has(r.output, harness_expand("@dir@/p/conf/x.conf syntax is ok"));
}

/* --- signals by -s --- */

E2E(command_line, s_needs_a_running_master)
{
    write_conf("");
    ran_t r = subject_run(HERE "-s stop");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("open() \"@dir@/proxyd.pid\" failed (2: No such file or "
                                        "directory)"));
    file_write("proxyd.pid", "what\n");
    r = subject_run(HERE "-s stop");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "invalid PID number");
    file_write("proxyd.pid", text("%d\n", (int)getpid())); /* left over, now somebody else's */
    r = subject_run(HERE "-s stop");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "is no proxyd");
}

E2E(command_line, s_signals_the_master)
{
    static const struct {
        const char *name, *said;
    } signals[] = {{"reload", "signal 1 (SIGHUP) received from "},
                   {"reopen", "signal 10 (SIGUSR1) received from "},
                   {"quit", "signal 3 (SIGQUIT) received from "}};
    subject_http("", SAYS("x"));
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(subject_run(text(HERE "-s %s", signals[i].name)).status, 0);
        subject_log_await(signals[i].said);
    }
    cr_assert_eq(subject_wait(), 0);
    cr_assert_not(file_exists("proxyd.pid"));
}

/* --- starting and stopping --- */

E2E(process, goes_into_the_background_when_it_serves)
{
    write_conf("error_log error.log notice; http { access_log off; " SAYS("x") "}");
    cr_assert_eq(subject_run(HERE).status, 0, "%s", file_read("error.log"));
    assert_text(wire_get("http", "/")->body.p, "x");
    pid_t pid = atoi(file_read("proxyd.pid"));
    cr_assert_gt(pid, 1);
    cr_assert_eq(getsid(pid), pid);
    cr_assert_eq(subject_run(HERE "-s quit").status, 0);
    cr_assert(EVENTUALLY(!file_exists("proxyd.pid")));
}

E2E(process, stops_accepting_on_winch_in_the_background)
{
    write_conf("error_log error.log notice; http { access_log off; " SAYS("x") "}");
    cr_assert_eq(subject_run(HERE).status, 0);
    pid_t pid = atoi(file_read("proxyd.pid"));
    kill(pid, SIGWINCH);
    subject_log_await("exited with code 0");
    kill(pid, SIGHUP);
    assert_text(wire_get("http", "/")->body.p, "x");
    kill(pid, SIGTERM);
    cr_assert(EVENTUALLY(!file_exists("proxyd.pid")));
}

E2E(process, says_who_is_in_the_way_and_leaves_nothing)
{
    origin_start("a", origin_echo, NULL);
    origin_start("b", origin_echo, NULL);
    write_conf("http { access_log off; server { listen 127.0.0.1:@a@; listen 127.0.0.1:@b@;"
               " listen unix:@dir@/s.sock; } }");
    ran_t r = subject_run(HERE);
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("bind() to 127.0.0.1:@a@ failed (98: Address already in "
                                        "use)"));
    assert_has(r.output, harness_expand("bind() to 127.0.0.1:@b@ failed (98: Address already in "
                                        "use)"));
    assert_has(r.output, text("is held by process %d ", (int)getpid()));
    cr_assert_not(file_exists("proxyd.pid") || file_exists("s.sock"));
}

/* nginx takes the program anew by it; who tries that here is told, and nothing ends. */
E2E(process, usr2_is_told_to_have_no_effect)
{
    subject_http("", "server { listen 127.0.0.1:@http@; location / { return 200 here; } }");
    subject_signal(SIGUSR2);
    subject_log_await("(SIGUSR2) received from");
    subject_log_await("ignored: another program is taken by a restart");
    assert_text(wire_get("http", "/")->body.p, "here");
}

E2E(process, a_second_one_on_the_same_addresses_is_refused)
{
    subject_http("", SAYS("first") "server { listen unix:@dir@/s.sock; return 200 unix; }");
    const char *id = file_read("proxyd.pid");
    ran_t r = subject_run(HERE);
    subject_tolerate("Address already in use");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, harness_expand("bind() to unix:@dir@/s.sock failed"));
    assert_text(file_read("proxyd.pid"), id);
    assert_text(wire_get("http", "/")->body.p, "first");
    assert_text(wire_get(harness_expand("@dir@/s.sock"), "/")->body.p, "unix");
}

E2E(process, quit_finishes_what_is_in_flight)
{
    origin_t *o = origin_start("origin", origin_late, NULL);
    subject_http("", ORIGIN_SITE);
    wire_t *idle = wire_open("http"), *busy = wire_open("http");
    wire_send(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    subject_signal(SIGQUIT);
    subject_log_await("gracefully shutting down");
    cr_assert(wire_closed(idle));
    origin_open_gate(o);
    assert_text(wire_reply(busy)->body.p, "late");
    cr_assert(wire_closed(busy));
    cr_assert_eq(subject_wait(), 0);
}

E2E(process, term_and_int_do_not_wait)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        origin_t *o = origin_start("origin", origin_silent, NULL);
        subject_http("", ORIGIN_SITE);
        wire_t *w = wire_open("http");
        wire_send(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_assert(EVENTUALLY(origin_requests(o) == 1));
        cr_assert_eq(subject_stop(signals[i]), 0);
        wire_rest(w);
        cr_assert(wire_closed(w));
        cr_assert_not(file_exists("proxyd.pid"));
        origin_stop(o);
    }
}

E2E(process, serves_alone_without_a_master)
{
    subject_http("master_process off;", SAYS("alone"));
    assert_text(wire_get("http", "/")->body.p, "alone");
    cr_assert_eq(subject_workers(NULL, 0), 0);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert_not(file_exists("proxyd.pid"));
}

E2E(process, unix_sockets_are_for_everybody_and_replaced_when_left_over)
{
    struct stat st;
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", file_path("s.sock"));
    cr_assert_eq(bind(dead, (struct sockaddr *)&to, sizeof(to)), 0);
    close(dead);
    subject_http("", "server { listen unix:@dir@/s.sock; return 200 unix; }");
    cr_assert_eq(stat(to.sun_path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0666);
    assert_text(wire_get(to.sun_path, "/")->body.p, "unix");
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert_not(file_exists("s.sock"));
}

E2E(process, logs_are_reopened)
{
    subject_http("worker_processes 2; error_log second.log debug;",
                 "access_log access.log; " SAYS("x"));
    wire_get("http", "/one");
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "/one")));
    rename(file_path("access.log"), file_path("access.old"));
    rename(file_path("second.log"), file_path("second.old"));
    subject_signal(SIGUSR1);
    cr_assert(EVENTUALLY(file_exists("access.log") && file_exists("second.log")));
    /* The master opens them first: a worker may write to the old one until it is told. */
    cr_assert(EVENTUALLY((wire_get("http", "/two"), strstr(file_read("access.log"), "/two"))));
    subject_stop(SIGQUIT);
    assert_has(file_read("second.log"), "gracefully shutting down");
    assert_lacks(file_read("second.old"), "gracefully shutting down");
    assert_has(file_read("access.old"), "/one");
}

/* --- what workers are --- */

static pid_t the_worker(void)
{
    pid_t pid = 0;
    subject_log_await("serving, configuration 1"); /* before, it still has the master's rights */
    cr_assert(EVENTUALLY(subject_workers(&pid, 1) == 1));
    return pid;
}

static const char *proc(pid_t pid, const char *file)
{
    char *out = pool_zalloc(harness_pool, 8192);
    FILE *f = fopen(text("/proc/%d/%s", (int)pid, file), "r");
    cr_assert_not_null(f);
    size_t n = fread(out, 1, 8191, f);
    fclose(f);
    for (size_t i = 0; i + 1 < n; i++)
        if (!out[i]) out[i] = ' '; /* cmdline */
    return out;
}

E2E(process, workers_have_no_rights)
{
    if (geteuid() != 0) cr_skip_test("needs root");
    subject_http("user daemon;", SAYS("x"));
    const char *status = proc(the_worker(), "status");
    assert_lacks(status, "\nUid:\t0\t");
    assert_has(status, "\nCapPrm:\t0000000000000000\n");
    assert_has(status, "\nCapEff:\t0000000000000000\n");
    assert_has(status, "\nCapBnd:\t0000000000000000\n");
    assert_has(status, "\nCapAmb:\t0000000000000000\n");
    assert_has(status, "\nNoNewPrivs:\t1\n");
    assert_has(proc(subject_pid(), "status"), "\nUid:\t0\t");
}

E2E(process, workers_are_confined_unless_told_otherwise)
{
    subject_http("", SAYS("x"));
    const char *status = proc(the_worker(), "status");
    if (strstr(status, "\nSeccomp:\t0\n")) cr_skip_test("a sanitizer, or no seccomp");
    assert_has(status, "\nSeccomp:\t2\n");
    subject_reload(subject_configuration("worker_seccomp off;", SAYS("y")));
    subject_log_await("exited with code 0");
    assert_has(proc(the_worker(), "status"), "\nSeccomp:\t0\n");
}

E2E(process, a_user_needs_a_master_that_is_root)
{
    if (geteuid() == 0) cr_skip_test("is root");
    write_conf("user daemon;");
    assert_has(subject_run(HERE "-t").output, "makes sense only if the master process runs with "
                                              "super-user privileges, ignored");
}

E2E(process, can_be_told_apart_in_ps)
{
    subject_http("", SAYS("x"));
    pid_t worker = the_worker();
    cr_assert(EVENTUALLY(strstr(proc(worker, "cmdline"), "proxyd: worker process")));
    assert_has(proc(subject_pid(), "cmdline"), "proxyd: master process");
    assert_text(proc(worker, "comm"), "proxyd\n");
}

E2E(process, workers_are_set_up_as_configured)
{
    char where[256] = "";
    subject_http("worker_cpu_affinity 1; worker_priority 19; worker_rlimit_nofile 777;"
                 " worker_rlimit_core 1m; working_directory /tmp; env LANG=x;", SAYS("x"));
    pid_t pid = the_worker();
    wire_get("http", "/");
    assert_has(proc(pid, "status"), "\nCpus_allowed_list:\t0\n");
    assert_has(proc(pid, "limits"), "Max open files            777                  777 ");
    assert_has(proc(pid, "limits"), "Max core file size        1048576              1048576 ");
    cr_assert_gt(readlink(text("/proc/%d/cwd", (int)pid), where, sizeof(where) - 1), 0);
    assert_text(where, "/tmp");
    long nice = 0;
    cr_assert_eq(sscanf(proc(pid, "stat"),
                        "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
                        " %*d %ld", &nice), 1);
    cr_assert_eq(nice, 19); /* which is allowed to everybody */
}

E2E(process, worker_connections_hold)
{
    wire_t *w[8];
    subject_tolerate("worker_connections are not enough");
    subject_start(harness_expand("error_log error.log info; events { worker_connections 4; }"
                                 "http { access_log off; " SAYS("x") "}"));
    for (int i = 0; i < 8; i++) w[i] = wire_open("http");
    wire_t *late = wire_open("http");
    wire_send(late, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    subject_log_await("4 worker_connections are not enough");
    for (int i = 0; i < 8; i++) wire_close(w[i]);
    assert_text(wire_reply(late)->body.p, "x");
}

/* --- logs --- */

E2E(process, logs_to_several_places)
{
    char line[4096] = "";
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(harness_port("dead_syslog")),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    subject_http("error_log stderr notice; error_log quiet.log emerg;"
                 "error_log syslog:server=127.0.0.1:@dead_syslog@,facility=local2,tag=front,"
                 "nohostname notice;", SAYS("x"));
    subject_signal(SIGUSR1);
    cr_assert_gt(recv(fd, line, sizeof(line) - 1, 0), 0);
    cr_assert_eq(strncmp(line, "<149>", 5), 0, "%s", line); /* local2 (18) * 8 + notice (5) */
    assert_has(line, " front: ");
    cr_assert(EVENTUALLY(strstr(file_read("stderr.txt"), "[notice]")));
    subject_log_await("reopening logs");
    assert_text(file_read("quiet.log"), "");
    close(fd);
}

E2E(process, warns_of_more_connections_than_files)
{
    file_write("proxyd.conf", "pid @dir@/proxyd.pid; worker_rlimit_nofile 100;"
                              "events { worker_connections 200; }");
    ran_t r = subject_run(HERE "-t");
    cr_assert_eq(r.status, 0);
    assert_has(r.output, "200 worker_connections exceed open file resource limit: 100");
}
