/*
 * regex: compiled patterns over PCRE2 with JIT, matched on a stack of their own.
 *
 * A regex lives in the pool it was compiled in. Matching has limits, so that a pattern cannot run
 * away on a hostile subject. Nothing suspends.
 */
#ifndef CORE_BASE_REGEX_H
#define CORE_BASE_REGEX_H

#include "core/base/pool.h"

enum { REGEX_GROUPS_MAX = 32, REGEX_ERROR_MAX = 160 };

typedef struct regex regex_t;

typedef struct regex_match {
    str_t subject;               /* what was matched; groups are offsets into it */
    unsigned count;              /* groups, the whole match included; 0: no match */
    int32_t start[REGEX_GROUPS_MAX], end[REGEX_GROUPS_MAX]; /* -1: the group did not take part */
} regex_match_t;

/*
 * Perl's syntax over bytes (no UTF-8 unless the pattern begins with "(*UTF)"). NULL and a text in
 * error (REGEX_ERROR_MAX bytes) when the pattern is wrong; *at is the offset in it.
 */
regex_t *regex_compile(pool_t *pool, str_t pattern, bool fold_case, char *error, size_t *at);

/*
 * 1 match (m filled, may be NULL), 0 none, -1 a limit was hit: nothing is known. m is touched only
 * on a match. An empty group that took part is not the same as one that did not.
 */
int regex_match(const regex_t *re, str_t subject, regex_match_t *m);

/* A group's text; an empty slice with p == NULL when it did not take part. */
str_t regex_group(const regex_match_t *m, unsigned group);

/* Named groups: the i-th name and its group number; false when there are no more. */
bool regex_name(const regex_t *re, unsigned i, str_t *name, unsigned *group);

unsigned regex_groups(const regex_t *re); /* the whole match not counted */

#endif
