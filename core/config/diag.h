/*
 * diag: what is wrong with a configuration: place, reason and way out, many at once.
 *
 *     proxyd.conf:12:24: proxy_read_timeout: "10x" is not a duration
 *         proxy_read_timeout 10x;
 *                            ^^^ for example 500ms, 60s, 5m
 *
 * At most DIAG_SHOWN errors are kept, the rest is counted. Warnings do not fail a load. Nothing suspends.
 */
#ifndef CORE_CONFIG_DIAG_H
#define CORE_CONFIG_DIAG_H

#include "core/base/log.h"
#include "core/base/pool.h"

enum { DIAG_SHOWN = 20 };

typedef struct diag_source { /* a file or another text that places refer to */
    const char *name;
    str_t text;
    struct diag_source *next;
} diag_source_t;

typedef struct diag_place {
    const diag_source_t *source; /* NULL: no place */
    uint32_t line, column;       /* from 1; column counts bytes */
    uint32_t length;             /* bytes to underline */
} diag_place_t;

typedef struct diag diag_t;

diag_t *diag_new(pool_t *pool);

/* `hint` (may be NULL) is the way out, shown under the place. fmt gives the reason. */
void diag_error(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void diag_warn(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

unsigned diag_errors(const diag_t *d);

/* Writes everything, in the order of the files: for people (fd), and as log lines ([emerg], [warn]). */
void diag_print(const diag_t *d, int fd);
void diag_log(const diag_t *d, const log_t *log);

#endif
