/*
 * value: typed values from text, each with the text of what would be right, and back. Pure.
 *
 * The parsers return NULL when the text is good and *out is set, else a hint: what a right value
 * looks like ("for example 500ms, 60s, 5m"). Nothing allocates or suspends.
 */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include "core/base/str.h"

/* Durations are milliseconds. A type of its own, so that a row cannot mistake it for a size. */
typedef unsigned long long msec_t;

const char *value_flag(str_t text, bool *out);                 /* on, off */
const char *value_number(str_t text, unsigned long long *out); /* 42 */
const char *value_size(str_t text, unsigned long long *out);   /* 512, 8k, 1m, 2g; in bytes */

/*
 * 500ms 30s 5m 1h30m 2d 1w 1M 1y; the units from the largest down, each once, spaces between
 * allowed; a bare number at the end: seconds. A month is 30 days, a year 365.
 */
const char *value_msec(str_t text, msec_t *out);

/* "name=rest": true and *rest when text begins with it. */
bool value_keyed(str_t text, const char *name, str_t *rest);

/* The value as one would write it (8k, 90s), NUL-terminated, in out, which has VALUE_TEXT_MAX bytes
   and is returned. */
enum { VALUE_TEXT_MAX = 24 };
const char *value_show_number(char *out, unsigned long long v);
const char *value_show_size(char *out, unsigned long long v);
const char *value_show_msec(char *out, unsigned long long v);

#endif
