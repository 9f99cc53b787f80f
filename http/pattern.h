/*
 * pattern: a regular expression of the configuration whose groups become $1..$9 and $names.
 *
 * Used by server_name, location, map, rewrite, if. Lives in the configuration's pool. Nothing
 * suspends.
 */
#ifndef HTTP_PATTERN_H
#define HTTP_PATTERN_H

#include "core/base/regex.h"
#include "core/config/conf.h"

typedef struct request request_t;

typedef struct pattern {
    str_t source;         /* as written, without "~" */
    const regex_t *regex;
    int *vars;            /* variable index per named group, as regex_name numbers them */
} pattern_t;

/* Compiles; named groups become variables of the configuration. False: said at the word. */
bool pattern_compile(conf_t *cf, const tree_node_t *node, unsigned word, str_t source,
                     bool fold_case, pattern_t *out);

/*
 * 1 match, 0 none, -1 a limit was hit (logged; r->pattern_failed is set: the request must be
 * refused, since who wrote the pattern may have meant to keep it out). On a match r->captures and
 * the named variables are set; with r NULL nothing is. subject must live as long as the request.
 */
int pattern_match(const pattern_t *p, request_t *r, str_t subject);

#endif
