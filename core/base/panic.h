/*
 * panic: what happens when an invariant of our own does not hold.
 *
 * panic() and a failed ASSERT write one line to standard error and the error log's descriptor and
 * abort. Nothing a peer can send may reach one. panic_install() (worker and master start) makes
 * fatal signals write a short crash report: the signal, a backtrace, and what the hook adds
 * (the live request). Everything the report does is async-signal-safe.
 */
#ifndef CORE_BASE_PANIC_H
#define CORE_BASE_PANIC_H

#include <stddef.h>

_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_assert(const char *expr, const char *file, int line);

#define ASSERT(expr) ((expr) ? (void)0 : panic_assert(#expr, __FILE__, __LINE__))

/* Installs the handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT on a stack of their own. */
void panic_install(void);

/* The descriptor that reports go to besides standard error (-1: none). */
void panic_set_fd(int fd);

/*
 * A hook that describes what was being served into out (at most n bytes) and returns the length;
 * called from the signal handler, so it may only read memory it can trust.
 */
void panic_set_hook(size_t (*hook)(char *out, size_t n));

#endif
