#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"

static char written[64 * 1024];

static log_target_t memory_target(int level)
{
    return (log_target_t){.fd = memfd_create("log", MFD_CLOEXEC), .level = level};
}

static const char *what_was_written(const log_target_t *target)
{
    ssize_t n = pread(target->fd, written, sizeof(written) - 1, 0);
    cr_assert_geq(n, 0);
    written[n] = '\0';
    return written;
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t re;
    cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    cr_assert_eq(regexec(&re, text, 0, NULL, 0), 0, "\"%s\" does not match %s", text, pattern);
    regfree(&re);
}

#define TIME "^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "

Test(log, writes_nginx_layout)
{
    log_target_t target = memory_target(LOG_ERR);
    log_t log = {.targets = &target, .level = LOG_ERR, .connection = 17};
    LOG(&log, LOG_ERR, ECONNREFUSED, "connect() failed");
    assert_matches(what_was_written(&target),
                   TIME "\\[error\\] ([0-9]+)#\\1: \\*17 connect\\(\\) failed "
                        "\\(111: Connection refused\\)\n$");
}

Test(log, leaves_out_what_there_is_not)
{
    log_target_t target = memory_target(LOG_NOTICE);
    log_t log = {.targets = &target, .level = LOG_NOTICE};
    LOG(&log, LOG_NOTICE, 0, "start worker process %d", 42);
    assert_matches(what_was_written(&target),
                   TIME "\\[notice\\] [0-9]+#[0-9]+: start worker process 42\n$");
}

Test(log, keeps_errno)
{
    log_target_t target = {.fd = -1, .level = LOG_ERR};
    log_t log = {.targets = &target, .level = LOG_ERR};
    errno = ENOENT;
    LOG(&log, LOG_ERR, EPIPE, "to nowhere");
    cr_assert_eq(errno, ENOENT);
}

Test(log, asks_each_target_for_its_level)
{
    log_target_t errors = memory_target(LOG_ERR), all = memory_target(LOG_DEBUG);
    errors.next = &all;
    log_t log = {.targets = &errors, .level = LOG_DEBUG};
    LOG(&log, LOG_WARNING, 0, "a warning");
    LOG(&log, LOG_ERR, 0, "an error");
    cr_assert_null(strstr(what_was_written(&errors), "a warning"));
    cr_assert_not_null(strstr(what_was_written(&errors), "an error"));
    cr_assert_not_null(strstr(what_was_written(&all), "a warning"));
    cr_assert_not_null(strstr(what_was_written(&all), "an error"));
}

Test(log, evaluates_nothing_above_its_level)
{
    int calls = 0;
    log_target_t target = memory_target(LOG_ERR);
    log_t log = {.targets = &target, .level = LOG_ERR};
    LOG(&log, LOG_INFO, 0, "%d", ++calls);
    cr_assert_eq(calls, 0);
    cr_assert_str_eq(what_was_written(&target), "");
}

static size_t client_context(const void *arg, char *out, size_t n)
{
    int len = snprintf(out, n, ", client: %s", (const char *)arg);
    return (size_t)len < n ? (size_t)len : n;
}

Test(log, appends_the_context)
{
    log_target_t target = memory_target(LOG_ERR);
    log_t log = {.targets = &target, .level = LOG_ERR, .context = client_context, .arg = "::1"};
    LOG(&log, LOG_ERR, EPIPE, "writev() failed");
    assert_matches(what_was_written(&target),
                   "writev\\(\\) failed \\(32: Broken pipe\\), client: ::1\n$");
}

Test(log, escapes_control_bytes)
{
    log_target_t target = memory_target(LOG_ERR);
    log_t log = {.targets = &target, .level = LOG_ERR};
    LOG(&log, LOG_ERR, 0, "host \"%s\"", "a\nb\x1b[0m\x7f\xc3\xa4");
    cr_assert_not_null(strstr(what_was_written(&target),
                              "host \"a\\x0ab\\x1b[0m\\x7f\xc3\xa4\"\n"));
}

Test(log, cuts_long_lines_and_ends_them)
{
    log_target_t target = memory_target(LOG_ERR);
    log_t log = {.targets = &target, .level = LOG_ERR, .context = client_context, .arg = "x"};
    LOG(&log, LOG_ERR, EPIPE, "%*s", 10000, "y");
    LOG(&log, LOG_ERR, 0, "next");
    const char *text = what_was_written(&target), *end = strchr(text, '\n');
    cr_assert_not_null(end);
    cr_assert_leq(end + 1 - text, LOG_LINE_MAX);
    cr_assert_geq(end + 1 - text, LOG_LINE_MAX - 8);
    assert_matches(end + 1, TIME "\\[error\\] [0-9]+#[0-9]+: next");
}

Test(log, writes_syslog_packets)
{
    int pair[2];
    char packet[512];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    log_target_t target = {
        .fd = pair[0], .level = LOG_ERR, .syslog = "host proxyd: ", .facility = 23};
    log_t log = {.targets = &target, .level = LOG_ERR};
    LOG(&log, LOG_ERR, 0, "no live upstreams");
    ssize_t n = recv(pair[1], packet, sizeof(packet) - 1, MSG_DONTWAIT);
    cr_assert_gt(n, 0);
    packet[n] = '\0';
    assert_matches(packet, "^<187>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} host "
                           "proxyd: "
                           "\\[error\\] [0-9]+#[0-9]+: no live upstreams$");
}

Test(log, knows_the_level_names)
{
    static const char *const names[] = {"emerg", "alert",  "crit", "error",
                                        "warn",  "notice", "info", "debug"};
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(log_level(str_of(names[i])), i);
        cr_assert_str_eq(log_level_name(i), names[i]);
    }
    cr_assert_eq(log_level(STR("err")), -1);
    cr_assert_eq(log_level(STR("ERROR")), -1);
    cr_assert_eq(log_level(STR("")), -1);
}

Test(log, never_escapes_half_a_byte)
{
    char out[8];
    cr_assert_eq(log_escape(out, 8, STR("ab\n\n")), 6);
    cr_assert_eq(memcmp(out, "ab\\x0a", 6), 0);
    cr_assert_eq(log_escape(out, 3, STR("\n")), 0);
    cr_assert_eq(log_escape(out, 0, STR("a")), 0);
    cr_assert_eq(log_escape(out, 4, str_make("\0", 1)), 4);
    cr_assert_eq(memcmp(out, "\\x00", 4), 0);
}
