/*
 * var: $variables: their definitions by modules, their values in a request.
 *
 * A value is text in the request's pool or in what the request holds. Looking a variable up by index is
 * what happens at run time; names are resolved while the configuration is read. Getters may suspend
 * only where their definition says so (none in http/).
 */
#ifndef HTTP_VAR_H
#define HTTP_VAR_H

#include "core/config/conf.h"

typedef struct request request_t;
typedef struct var_def var_def_t;

enum {
    VAR_PREFIX = 1,     /* the name is a prefix; the rest of the name is handed to get (http_, arg_) */
    VAR_NO_CACHE = 2,   /* ask anew each time */
    VAR_CHANGEABLE = 4, /* `set` and captures may give it another value */
};

/*
 * The value, or p == NULL when there is none ("" in texts, "-" in logs). name is what follows the
 * prefix (VAR_PREFIX), in lower case; else the whole name.
 */
typedef str_t (*var_get_fn)(request_t *r, const var_def_t *def, str_t name);

struct var_def {
    const char *name; /* without $ */
    var_get_fn get;
    uintptr_t data;   /* for get */
    unsigned flags;
};

/* One variable that the configuration uses or sets. */
typedef struct var {
    str_t name;           /* lower case */
    const var_def_t *def; /* NULL: only ever `set` */
    str_t rest;           /* of a prefix definition */
    /* A variable defined by a directive (map, geo, split_clients): get with its own data. */
    str_t (*get)(request_t *r, void *data);
    void *data;
} var_t;

typedef struct var_set var_set_t; /* all variables of one configuration; lives in its pool */

var_set_t *var_set_new(pool_t *pool, const module_t *const *modules);

/* The index of the variable for use in a text; unknown names are an error said at the word (returns -1). */
int var_use(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name);

/* The index of a variable that a directive defines or sets (made when new); -1: said (not changeable). */
int var_define(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name);

var_t *var_at(var_set_t *set, unsigned index);
unsigned var_count(const var_set_t *set);

/* When the configuration has been read: every variable used must be defined by now. False: said. */
bool var_set_check(conf_t *cf, var_set_t *set);

/* The value in this request; p == NULL when there is none. */
str_t var_get(request_t *r, unsigned index);
void var_put(request_t *r, unsigned index, str_t value);

/* By name at run time (X-headers, tests); slower. */
str_t var_get_named(request_t *r, str_t name);

#endif
