#include "core/base/panic.h"

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/str.h"

enum { REPORT_MAX = 1024, FRAMES_MAX = 48, HANDLER_STACK = 64 * 1024 };

static int report_fd = -1;
static size_t (*report_hook)(char *out, size_t n);

void panic_set_fd(int fd)
{
    report_fd = fd;
}

void panic_set_hook(size_t (*hook)(char *out, size_t n))
{
    report_hook = hook;
}

static void put(const char *text, size_t n)
{
    ssize_t ignored = write(STDERR_FILENO, text, n);
    if (report_fd > STDERR_FILENO) ignored = write(report_fd, text, n);
    (void)ignored;
}

_Noreturn void panic(const char *fmt, ...)
{
    char line[REPORT_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    line[len++] = '\n';
    put("proxyd: panic: ", 15);
    put(line, len);
    abort();
}

_Noreturn void panic_assert(const char *expr, const char *file, int line)
{
    panic("assertion failed: %s (%s:%d)", expr, file, line);
}

static void put_number(const char *label, uint64_t v)
{
    char digits[20];
    put(label, strlen(label));
    put(digits, str_put_u64(digits, v));
}

static void report(int sig)
{
    char text[REPORT_MAX];
    void *frames[FRAMES_MAX];
    put_number("proxyd: crash: process ", (uint64_t)getpid());
    put_number(", signal ", (uint64_t)sig);
    put("\n", 1);
    size_t n = report_hook ? report_hook(text, sizeof(text)) : 0;
    if (n) {
        put("proxyd: crash: serving ", 23);
        put(text, n);
        put("\n", 1);
    }
    int depth = backtrace(frames, FRAMES_MAX);
    backtrace_symbols_fd(frames, depth, STDERR_FILENO);
    if (report_fd > STDERR_FILENO) backtrace_symbols_fd(frames, depth, report_fd);
}

static void on_fatal(int sig)
{
    report(sig);
    signal(sig, SIG_DFL);
    raise(sig);
}

void panic_install(void)
{
    static char handler_stack[HANDLER_STACK];
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof(handler_stack)};
    struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER};
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    void *warm[1];

    sigaltstack(&stack, NULL);
    sigemptyset(&sa.sa_mask);
    backtrace(warm, 1); /* loads libgcc now, since that allocates */
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) sigaction(fatal[i], &sa, NULL);
}
