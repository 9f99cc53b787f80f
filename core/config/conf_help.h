/*
 * conf_help: what the directive tables say about a directive, for people (proxyd help DIRECTIVE).
 *
 * Everything shown comes from the rows. Nothing suspends.
 */
#ifndef CORE_CONFIG_CONF_HELP_H
#define CORE_CONFIG_CONF_HELP_H

#include "core/config/module.h"

/* Writes the help of a directive, or of all directives when name is empty; false: there is none of
   that name (nothing is written). */
bool conf_help(const module_t *const *list, str_t name, int fd);

/* The row's arguments as one would write them down: " on | off;", " TIME;", " NAME { ... }". */
str_t conf_help_syntax(pool_t *pool, const conf_row_t *row);

/* The bounds of numbers, sizes and durations: "1 to 1048576"; empty when there are none. */
str_t conf_help_bounds(pool_t *pool, const conf_row_t *row);

#endif
