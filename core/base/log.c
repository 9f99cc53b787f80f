#include "core/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"

static log_target_t stderr_target = {.fd = STDERR_FILENO, .level = LOG_NOTICE};

log_t log_main = {.targets = &stderr_target, .level = LOG_NOTICE};

static const char *const level_names[] = {"emerg", "alert",  "crit", "error",
                                          "warn",  "notice", "info", "debug"};

int log_level(str_t name)
{
    for (int i = 0; i <= LOG_DEBUG; i++)
        if (str_eq(name, str_of(level_names[i]))) return i;
    return -1;
}

const char *log_level_name(int level)
{
    return level_names[level & 7];
}

size_t log_escape(char *out, size_t n, str_t s)
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = c >= 0x20 && c != 0x7f;
        if (at + (plain ? 1 : 4) > n) break;
        if (plain) {
            out[at++] = (char)c;
        } else {
            memcpy(out + at, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
            at += 4;
        }
    }
    return at;
}

/* A line under construction; text beyond the end is cut. */
typedef struct line {
    char text[LOG_LINE_MAX];
    size_t n;
} line_t;

static size_t room(const line_t *line)
{
    return sizeof(line->text) - 1 - line->n; /* one byte stays for the newline */
}

static void append(line_t *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void append(line_t *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line->text + line->n, room(line), fmt, args);
    va_end(args);
    if (n <= 0 || room(line) == 0) return;
    line->n += (size_t)n < room(line) ? (size_t)n : room(line) - 1;
}

static void append_message(line_t *line, const char *fmt, va_list args)
{
    static char raw[LOG_LINE_MAX]; /* as the line: not on a fiber's stack */
    int n = vsnprintf(raw, sizeof(raw), fmt, args);
    if (n < 0) return;
    size_t len = (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1;
    line->n += log_escape(line->text + line->n, room(line), str_make(raw, len));
}

void log_syslog(const log_target_t *t, int level, str_t message)
{
    static char packet[LOG_LINE_MAX + 256];
    int n = snprintf(packet, sizeof(packet), "<%d>" STR_FMT " %s" STR_FMT, t->facility * 8 + level,
                     STR_ARG(clock_syslog_time()), t->syslog, STR_ARG(message));
    if (n <= 0 || t->fd < 0) return;
    size_t len = (size_t)n < sizeof(packet) ? (size_t)n : sizeof(packet) - 1;
    send(t->fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void emit(const log_t *log, int level, line_t *line, size_t body)
{
    for (const log_target_t *t = log->targets; t; t = t->next) {
        if (level > t->level) continue;
        if (t->syslog) {
            log_syslog(t, level, str_make(line->text + body, line->n - body));
            continue;
        }
        line->text[line->n] = '\n';
        ssize_t ignored = write(t->fd, line->text, line->n + 1);
        (void)ignored;
    }
}

void log_write(const log_t *log, int level, int err, const char *fmt, ...)
{
    static line_t line; /* too large for a fiber's stack; nothing here suspends */
    int saved = errno;
    long pid = (long)getpid();
    va_list args;

    line.n = 0;
    append(&line, "%.*s ", STR_ARG(clock_error_time()));
    size_t body = line.n;
    append(&line, "[%s] %ld#%ld: ", log_level_name(level), pid, pid);
    if (log->connection) append(&line, "*%llu ", (unsigned long long)log->connection);
    va_start(args, fmt);
    append_message(&line, fmt, args);
    va_end(args);
    if (err) append(&line, " (%d: %s)", err, strerror(err));
    if (log->context) line.n += log->context(log->arg, line.text + line.n, room(&line));
    emit(log, level, &line, body);
    errno = saved;
}
