/*
 * things: two modules for the tests of the configuration, and what loading a text with them gives.
 */
#ifndef TESTS_UNIT_CORE_CONFIG_THINGS_H
#define TESTS_UNIT_CORE_CONFIG_THINGS_H

#include "core/config/conf.h"

enum {
    HTTP = 1u << CONF_USER_SHIFT,
    SERVER = HTTP << 1,
    LOCATION = HTTP << 2,
    ANY = HTTP | SERVER | LOCATION,
};

typedef struct things {
    unsigned connections, color, colors;
    msec_t timeout;
    size_t size;
    bool gzip;
    str_t name, root;
    conf_strs_t headers, rules;
    unsigned checked, seen_at_check;
} things_t;

typedef struct blocks {
    conf_strs_t log; /* what was read, in order */
} blocks_t;

extern const module_t things_module, blocks_module;

typedef VEC(conf_scope_t *) things_scopes_t;

extern pool_t *things_pool;
extern conf_t things_conf;            /* what things_load reads with */
extern things_scopes_t things_scopes; /* of the blocks, in the order in which they ended */
extern bool things_keep_local;        /* handed to conf_block */

void things_setup(void);
void things_teardown(void);

/* Reads the text, which has no error of syntax; things_load_good: no error at all. */
const conf_scope_t *things_load(const char *text);
const conf_scope_t *things_load_good(const char *text);

/* The struct of a scope, and of the i-th block that ended. */
const things_t *things_of(const conf_scope_t *scope);
const things_t *things_ended(uint32_t i);

/* Everything that is wrong with what was loaded. */
str_t things_said(void);

/* The text has one error: its reason, and the hint under it (NULL: none). */
void things_expect_error(const char *text, const char *reason, const char *hint);

#endif
