/*
 * value: typed values from text, each with its bounds and the text of what would be right. Pure.
 *
 * Functions return NULL when the text is good and *out is set, else a hint: what a right value looks
 * like ("for example 500ms, 60s, 5m"). Nothing allocates or suspends.
 */
#ifndef CORE_CONFIG_VALUE_H
#define CORE_CONFIG_VALUE_H

#include "core/config/module.h"

const char *value_flag(str_t text, bool *out);                 /* on, off */
const char *value_number(str_t text, unsigned long long *out); /* 42 */
const char *value_size(str_t text, unsigned long long *out);   /* 512, 8k, 1m, 2g; in bytes */
const char *value_msec(str_t text, msec_t *out); /* 500ms 30s 5m 1h30m 2d 1w 1M 1y; bare: seconds */

/* "name=rest": true and *rest when text begins with it. */
bool value_keyed(str_t text, const char *name, str_t *rest);

#endif
