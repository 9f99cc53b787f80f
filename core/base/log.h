/*
 * log: the error log. Lines have nginx's layout, since operators and log watchers grep for it:
 *
 *     2026/11/22 10:00:00 [error] 4242#4242: *17 TEXT (111: Connection refused), client: ..., ...
 *
 * A log_t says where lines go and what belongs behind them; it is small and copied freely. Targets
 * belong to the configuration generation that opened them. Control bytes in what is logged are
 * written as \xHH, a line is cut at LOG_LINE_MAX. A line is one write(2); a log that cannot be
 * written costs the line, never the request. Nothing suspends. Levels are syslog's: LOG_EMERG (0)
 * to LOG_DEBUG (7).
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdint.h>
#include <syslog.h>

#include "core/base/str.h"

enum { LOG_LINE_MAX = 2048 };

/* One place lines are written to. */
typedef struct log_target {
    struct log_target *next;
    int fd;
    int level;            /* lines above this level are not written here */
    const char *path;     /* NULL: not a file of ours (standard error, syslog) */
    const char *syslog;   /* "HOST TAG: ", what stands behind the time; NULL: a plain line */
    int facility;         /* of syslog */
} log_target_t;

typedef struct log {
    log_target_t *targets;
    int level;            /* the highest level of any target */
    uint64_t connection;  /* 0: none */
    /* Appends ", client: ..., server: ..." to out (at most n bytes), returns the length; or
       NULL. */
    size_t (*context)(const void *arg, char *out, size_t n);
    const void *arg;
} log_t;

/* The log of the process before and between configurations; goes to standard error at first. */
extern log_t log_main;

/* err: an errno that is appended as " (N: text)"; 0 for none. */
void log_write(const log_t *log, int level, int err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#define LOG(to, at, err, ...) \
    ((at) <= (to)->level ? log_write((to), (at), (err), __VA_ARGS__) : (void)0)

/* Sends a message to a syslog target, in the layout of RFC 3164. */
void log_syslog(const log_target_t *t, int level, str_t message);

/* "error" to LOG_ERR and so on with nginx's names; -1 when there is no such level. */
int log_level(str_t name);
const char *log_level_name(int level);

/* Copies s to out (n bytes) with control bytes escaped as \xHH; returns the length written. */
size_t log_escape(char *out, size_t n, str_t s);

#endif
