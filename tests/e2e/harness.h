/*
 * harness: the frame around an end-to-end test: a directory, memory, names and free ports.
 *
 *     E2E(proxy, passes_the_body) { ... }
 *
 * defines a test that runs in a temporary directory of its own; when it is over, however it ended,
 * all processes it started are gone and the directory is removed. When it fails, the error log of
 * the program under test is shown. Texts (configurations, files) may hold placeholders:
 *
 *     @dir@      the directory
 *     @NAME@     what harness_set said, or else a free port of 127.0.0.1, reserved for the test;
 *                that of a name beginning with "dead" is never listened on
 */
#ifndef TESTS_E2E_HARNESS_H
#define TESTS_E2E_HARNESS_H

#include <criterion/criterion.h>

#include "core/base/pool.h"

enum {
    PATIENCE_MS = 30000, /* how long anything that must happen may take */
    TEST_SECONDS = 180,
    SOAK_MOST = 4000, /* of a test that lasts as long as SOAK_SECONDS in the environment says */
};

#define E2E(suite, name) E2E_WITHIN(suite, name, TEST_SECONDS)

#define E2E_WITHIN(suite, name, seconds) \
    static void suite##_##name##_steps(void); \
    Test(suite, name, .init = harness_begin, .fini = harness_end, .timeout = (seconds)) \
    { \
        suite##_##name##_steps(); \
        harness_finish(); \
    } \
    static void suite##_##name##_steps(void)

extern pool_t *harness_pool; /* until the end of the test; only for the test's own thread */

void harness_begin(void);
void harness_finish(void); /* after the last step: cleans up and fails when something is wrong */
void harness_end(void);    /* cleans up after a step that failed */

/* For what runs at the end: the test fails, with this said. */
void harness_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Calls fn(arg) when the test ends, before its processes are killed; the latest first. */
void harness_at_end(void (*fn)(void *arg), void *arg);

const char *harness_dir(void);

/* Raises how many files this process and what it starts may have open, if it can be. How many. */
unsigned harness_files(unsigned wanted);

/* Text in the test's memory. */
const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void harness_set(const char *name, const char *value);
const char *harness_expand(const char *with_placeholders);

/* The port of a name, reserved at first use. */
uint16_t harness_port(const char *name);

/* Whether somebody listens there. */
bool harness_accepts(uint16_t port);

/* Calls fn with every name that was given a port to listen on. */
void harness_each_port(void (*fn)(const char *name, uint16_t port));

/* Files by their name in the directory; placeholders in the content of file_write are replaced. */
const char *file_path(const char *name);
void file_write(const char *name, const char *content);
void file_put(const char *name, str_t content); /* as it is */
void file_fill(const char *name, size_t n);     /* n bytes of pattern() */
const char *file_read(const char *name);    /* "" when there is none */
bool file_exists(const char *name);

/* n bytes that differ from place to place, for bodies. */
str_t pattern(size_t n);

int64_t now_ms(void);
void pause_ms(int ms); /* between two looks at something that nobody announces */

/* Looks until the condition holds; a false result means that it did not in PATIENCE_MS. */
#define EVENTUALLY(condition) \
    ({ \
        int64_t until_ = now_ms() + PATIENCE_MS; \
        bool holds_; \
        while (!(holds_ = (condition)) && now_ms() < until_) pause_ms(5); \
        holds_; \
    })

#define assert_text(actual, expected) \
    do { \
        const char *actual_ = (actual), *expected_ = (expected); \
        cr_assert(actual_ && strcmp(actual_, expected_) == 0, "got:\n%s\ninstead of:\n%s", \
                  actual_ ? actual_ : "(nothing)", expected_); \
    } while (0)

#define assert_has(actual, part) \
    do { \
        const char *actual_ = (actual), *part_ = (part); \
        cr_assert(strstr(actual_, part_), "no \"%s\" in:\n%s", part_, actual_); \
    } while (0)

#define assert_lacks(actual, part) \
    do { \
        const char *actual_ = (actual), *part_ = (part); \
        cr_assert(!strstr(actual_, part_), "\"%s\" in:\n%s", part_, actual_); \
    } while (0)

#endif
