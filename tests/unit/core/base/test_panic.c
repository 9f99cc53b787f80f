#include <criterion/criterion.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/panic.h"

typedef struct outcome {
    int status;
    char text[4096];   /* what went to standard error */
    char report[4096]; /* what went to the descriptor */
} outcome_t;

static int report_fd;

static int memory_file(void)
{
    int fd = memfd_create("panic", MFD_CLOEXEC);
    cr_assert_gt(fd, STDERR_FILENO);
    return fd;
}

static void read_back(int fd, char *out, size_t n)
{
    ssize_t got = pread(fd, out, n - 1, 0);
    cr_assert_geq(got, 0);
    out[got] = '\0';
    close(fd);
}

/* Runs fn in a process of its own. */
static outcome_t run(void (*fn)(void))
{
    outcome_t o = {0};
    int text_fd = memory_file();
    report_fd = memory_file();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(text_fd, STDERR_FILENO);
        fn();
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &o.status, 0), pid);
    read_back(text_fd, o.text, sizeof(o.text));
    read_back(report_fd, o.report, sizeof(o.report));
    return o;
}

static size_t occurrences(const char *text, const char *needle)
{
    size_t n = 0;
    for (; (text = strstr(text, needle)); text++) n++;
    return n;
}

static void do_panic(void)
{
    panic("out of %s: %d", "luck", 13);
}

Test(panic, says_why_and_aborts)
{
    outcome_t o = run(do_panic);
    cr_assert(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGABRT);
    cr_assert_str_eq(o.text, "proxyd: panic: out of luck: 13\n");
}

static void do_long_panic(void)
{
    panic("%*s", 5000, "x");
}

Test(panic, cuts_a_long_line)
{
    outcome_t o = run(do_long_panic);
    cr_assert_eq(occurrences(o.text, "\n"), 1);
    cr_assert_lt(strlen(o.text), 1100);
}

static void do_assert(void)
{
    ASSERT(1 + 1 == 2);
    ASSERT(1 + 1 == 3);
}

Test(panic, names_the_assertion_and_its_place)
{
    outcome_t o = run(do_assert);
    cr_assert(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGABRT);
    cr_assert_not_null(strstr(o.text, "assertion failed: 1 + 1 == 3 ("));
    cr_assert_not_null(strstr(o.text, "test_panic.c:"));
}

static size_t live_request(char *out, size_t n)
{
    cr_assert_geq(n, 13);
    memcpy(out, "GET /secret H", 13);
    return 13;
}

static void do_crash(void)
{
    panic_install();
    panic_set_fd(report_fd);
    panic_set_hook(live_request);
    raise(SIGSEGV);
}

Test(panic, reports_a_crash_with_the_live_request)
{
    outcome_t o = run(do_crash);
    cr_assert(WIFSIGNALED(o.status) && WTERMSIG(o.status) == SIGSEGV, "the signal still kills");
    cr_assert_not_null(strstr(o.text, ", signal 11\n"));
    cr_assert_eq(occurrences(o.text, "proxyd: crash: serving GET /secret H\n"), 1);
    cr_assert_str_eq(o.report, o.text, "the descriptor gets the same");
}
