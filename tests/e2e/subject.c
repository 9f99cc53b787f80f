#include "tests/e2e/subject.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/vec.h"
#include "tests/e2e/keeper.h"

enum { ARGUMENTS_MAX = 32 };

static struct {
    pid_t pid;
    bool ended;
    int status;
    unsigned runs;
    VEC(const char *) tolerated;
} subject;

const char *subject_program(void)
{
    const char *program = getenv("PROXYD");
    cr_assert(program, "PROXYD must name the binary");
    return program;
}

/* --- starting --- */

const char *subject_configuration(const char *main_level, const char *http)
{
    return text("error_log error.log info;\n"
                "%s\n"
                "events { worker_connections 1024; }\n"
                "http {\n"
                "%s\n"
                "%s\n"
                "}\n",
                main_level, strstr(http, "access_log") ? "" : "access_log off;", http);
}

static void write_configuration(const char *configuration)
{
    file_write("proxyd.conf", text("pid @dir@/proxyd.pid; daemon off;\n%s", configuration));
}

void subject_launch(const char *configuration)
{
    const char *log = text("%s/error.log", harness_dir());
    const char *argv[] = {
        subject_program(),        "-p", text("%s/", harness_dir()), "-e", log, "-c",
        file_path("proxyd.conf"), NULL};
    write_configuration(configuration);
    subject.ended = false;
    subject.pid = keeper_run(argv, harness_dir(), file_path("stderr.txt"));
    cr_assert_gt(subject.pid, 0, "%s does not start", argv[0]);
}

static bool running(void)
{
    return !subject.ended && !(subject.ended = keeper_wait(subject.pid, 0, &subject.status));
}

static void await_port(const char *name, uint16_t port)
{
    bool up = EVENTUALLY(!running() || harness_accepts(port));
    cr_assert(up && running(), "nobody listens on @%s@ (%u):\n%s%s", name, port,
              file_read("stderr.txt"), subject_log());
}

void subject_await(void)
{
    bool up = EVENTUALLY(!running() || file_read("proxyd.pid")[0]);
    cr_assert(up && running(), "%s did not start:\n%s%s", subject_program(),
              file_read("stderr.txt"), subject_log());
    harness_each_port(await_port);
}

void subject_start(const char *configuration)
{
    subject_launch(configuration);
    subject_await();
}

void subject_http(const char *main_level, const char *http)
{
    subject_start(subject_configuration(main_level, http));
}

/* --- controlling --- */

pid_t subject_pid(void)
{
    return subject.pid;
}

void subject_signal(int signo)
{
    cr_assert_eq(kill(subject.pid, signo), 0);
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int subject_wait(void)
{
    if (!subject.ended) subject.ended = keeper_wait(subject.pid, PATIENCE_MS, &subject.status);
    cr_assert(subject.ended, "it does not end:\n%s", subject_log());
    return exit_code(subject.status);
}

int subject_stop(int signo)
{
    subject_signal(signo);
    return subject_wait();
}

void subject_reload(const char *configuration)
{
    write_configuration(configuration);
    subject_signal(SIGHUP);
}

static bool is_worker(const char *pid)
{
    char path[64], state = 0;
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *f = fopen(path, "re");
    bool is = f && fscanf(f, "%*d (%*[^)]) %c %d", &state, &parent) == 2;
    if (f) fclose(f);
    return is && parent == subject.pid && state != 'Z';
}

unsigned subject_workers(pid_t *pids, unsigned most)
{
    unsigned n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!ascii_digit(e->d_name[0]) || !is_worker(e->d_name)) continue;
        if (n < most) pids[n] = atoi(e->d_name);
        n++;
    }
    if (d) closedir(d);
    return n;
}

unsigned subject_descriptors(pid_t pid, bool (*is)(const char *what))
{
    char path[64], what[512];
    unsigned n = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        ssize_t got = readlinkat(dirfd(d), e->d_name, what, sizeof(what) - 1);
        what[got > 0 ? got : 0] = '\0';
        n += !is || is(what);
    }
    if (d) closedir(d);
    return n;
}

/* --- what it says --- */

const char *subject_log(void)
{
    return file_read("error.log");
}

void subject_log_await(const char *part)
{
    bool there = EVENTUALLY(strstr(subject_log(), part));
    cr_assert(there, "no \"%s\" in the error log:\n%s", part, subject_log());
}

unsigned subject_log_count(const char *part)
{
    unsigned n = 0;
    for (const char *p = subject_log(); (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

void subject_tolerate(const char *part)
{
    *VEC_PUSH(harness_pool, &subject.tolerated) = text("%s", part);
}

static bool tolerated(const char *line)
{
    VEC_EACH(const char *, it, &subject.tolerated)
    if (strstr(line, *it)) return true;
    return false;
}

static const char *find_bad_line(const char *log)
{
    static const char *const bad[] = {
        "[alert]", "[emerg]", "[crit]", "panic:", "crash:", "ERROR: ", "runtime error:"};
    str_t rest = str_of(log), line;
    while (str_cut(&rest, '\n', &line)) {
        const char *l = text(STR_FMT, STR_ARG(line));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            if (strstr(l, bad[i]) && !tolerated(l)) return l;
    }
    return NULL;
}

static const char *end_badly(bool passed)
{
    const char *bad = NULL;
    if (subject.ended ? false : running()) {
        kill(subject.pid, passed ? SIGQUIT : SIGTERM);
        subject.ended = keeper_wait(subject.pid, passed ? PATIENCE_MS : 3000, &subject.status);
        if (!subject.ended)
            bad = "it does not end when asked to";
        else if (exit_code(subject.status) != 0)
            bad = text("it ended with status %d", exit_code(subject.status));
    }
    if (!bad) bad = find_bad_line(subject_log());
    return bad ? bad : find_bad_line(file_read("stderr.txt"));
}

const char *subject_end(bool passed)
{
    const char *bad = subject.pid ? end_badly(passed) : NULL;
    if (subject.pid && (bad || !passed))
        bad = text("--- %s\n--- error log\n%s--- standard error\n%s---", bad ? bad : "failed",
                   subject_log(), file_read("stderr.txt"));
    memset(&subject, 0, sizeof(subject));
    return bad;
}

/* --- other command lines --- */

ran_t subject_run(const char *arguments)
{
    const char *argv[ARGUMENTS_MAX + 2] = {subject_program()};
    const char *output = file_path(text("run%u.txt", ++subject.runs));
    str_t rest = str_of(harness_expand(arguments)), word;
    int status = 0;
    for (unsigned n = 1; n <= ARGUMENTS_MAX && str_cut(&rest, ' ', &word); n++) {
        char *copy = pool_cstr(harness_pool, word);
        for (char *p; (p = strstr(copy, "%20")); memmove(p + 1, p + 3, strlen(p + 3) + 1)) *p = ' ';
        argv[n] = copy;
    }
    pid_t pid = keeper_run(argv, harness_dir(), output);
    cr_assert_gt(pid, 0);
    cr_assert(keeper_wait(pid, PATIENCE_MS, &status), "\"%s\" does not end", arguments);
    return (ran_t){exit_code(status), file_read(output)};
}

ran_t subject_ctl(const char *words)
{
    return subject_run(text("-p %s/ -c %s ctl %s", harness_dir(), file_path("proxyd.conf"), words));
}
