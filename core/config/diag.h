/*
 * diag: what is wrong with a configuration: place, reason and way out, many at once.
 *
 *     proxyd.conf:12:24: proxy_read_timeout: "10x" is not a duration
 *         proxy_read_timeout 10x;
 *                            ^^^ for example 500ms, 60s, 5m
 *
 * At most DIAG_SHOWN errors are kept, the rest is counted; what was said before of the same place
 * is not said again. Warnings do not fail a load. Everything lives in the pool. Nothing suspends.
 */
#ifndef CORE_CONFIG_DIAG_H
#define CORE_CONFIG_DIAG_H

#include "core/base/log.h"
#include "core/base/pool.h"

enum { DIAG_SHOWN = 20 };

typedef struct diag_source { /* a file or another text that places refer to */
    const char *name;
    str_t text;
    unsigned order; /* sources are shown in the order in which they were made known */
} diag_source_t;

typedef struct diag_place {
    const diag_source_t *source; /* NULL: no place */
    uint32_t line, column;       /* from 1; column counts bytes */
    uint32_t length;             /* bytes to underline */
} diag_place_t;

typedef struct diag diag_t;

diag_t *diag_new(pool_t *pool);

/* Makes a text known. name and text must live as long as the diag. */
diag_source_t *diag_source(diag_t *d, const char *name, str_t text);

/* `hint` (may be NULL; copied) is the way out, shown under the place. fmt gives the reason. */
void diag_error(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void diag_warn(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

unsigned diag_errors(const diag_t *d);

/* The first error that was said, with its way out: "REASON (HINT)"; "" when there is none. */
str_t diag_first(const diag_t *d);

/* Writes everything, in the order of the files: for people (fd), or as log lines in the layout of
   nginx: [emerg] or [warn], "REASON in FILE:LINE", and behind it "; HINT". */
void diag_print(const diag_t *d, int fd);
void diag_log(const diag_t *d, const log_t *log);

#endif
