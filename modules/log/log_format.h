/*
 * log_format: the layout of access log lines: literals and variables, escaped for a log.
 *
 * Made while the configuration is read, constant afterwards. May suspend only where a variable may.
 */
#ifndef MODULES_LOG_LOG_FORMAT_H
#define MODULES_LOG_LOG_FORMAT_H

#include "core/base/hash.h"
#include "http/text.h"

typedef enum log_escape {
    LOG_ESCAPE_DEFAULT, /* \xHH for quotes, backslashes and what is not printable; "-" for none */
    LOG_ESCAPE_JSON,    /* as inside a JSON string; nothing for none */
    LOG_ESCAPE_NONE,
} log_escape_t;

typedef struct log_format {
    str_t name;
    log_escape_t escape;
    text_list_t texts; /* one after the other */
} log_format_t;

/* The words of a log_format directive from `word` on. NULL: said. */
log_format_t *log_format_new(conf_t *cf, const tree_node_t *node, unsigned word);

/* The format named combined, which every http block has. NULL: said. */
log_format_t *log_format_combined(conf_t *cf, const tree_node_t *node);

/* The line for the request, newline included, in the request's pool. */
str_t log_format_line(const log_format_t *f, request_t *r);

#endif
