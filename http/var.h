/*
 * var: $variables: their definitions by modules, their values in a request.
 *
 * A value is text in the request's pool or in what the request holds. Names are resolved while the
 * configuration is read (in any case: $Host is $host); at run time a variable is an index.
 *
 * In a request r->vars[index] is a value and r->vars_known[index] says whether it is one: zero at
 * first, then what `set`, a named capture or the getter's first answer put there. Both arrays are
 * made on the first use. Getters may suspend only where their definition says so (none in http/).
 */
#ifndef HTTP_VAR_H
#define HTTP_VAR_H

#include "core/config/conf.h"

typedef struct request request_t;
typedef struct var_def var_def_t;

enum {
    VAR_PREFIX = 1,     /* the name is a prefix; get is handed the rest of it (http_, arg_) */
    VAR_NO_CACHE = 2,   /* ask anew each time */
    VAR_CHANGEABLE = 4, /* `set`, captures, map may give another value (of a prefix: always) */
    VAR_STORED = 8,     /* it is stored elsewhere, by the var_put_fn that `data` is */
};

/*
 * The value, or p == NULL when there is none ("" in texts, "-" in logs). name is what follows the
 * prefix (VAR_PREFIX), in lower case; else the whole name.
 */
typedef str_t (*var_get_fn)(request_t *r, const var_def_t *def, str_t name);

typedef void (*var_put_fn)(request_t *r, str_t value);

struct var_def {
    const char *name; /* without $, lower case */
    var_get_fn get;
    uintptr_t data;   /* for get */
    unsigned flags;
};

/* One variable that the configuration uses or sets. */
typedef struct var {
    str_t name;           /* lower case */
    const var_def_t *def; /* NULL: defined by a directive, or only ever `set` */
    str_t rest;           /* of a prefix definition */
    /* Of a directive (map, geo, split_clients): get with its own data; comes before def. */
    str_t (*get)(request_t *r, void *data);
    void *data;
    bool no_cache;        /* ask get anew each time */
    bool defined;         /* by a module or a directive */
    const tree_node_t *node; /* where it was used first */
    unsigned word;
} var_t;

typedef struct var_set var_set_t; /* all variables of one configuration; lives in its pool */

/* With the definitions of all modules of the list, whose names must differ (asserted). */
var_set_t *var_set_new(pool_t *pool, const module_t *const *list);

/* The index of the variable for use in a text; it may be defined further down (var_set_check). */
int var_use(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name);

/*
 * The index of a variable that a directive defines or sets (made when new). Without a getter of its
 * own (var_at, `get`) its value is "" until it is put. -1: said (not changeable).
 */
int var_define(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name);

/* The same for the word "$name" of a directive, in the configuration being read. */
int var_define_word(conf_t *cf, const tree_node_t *node, unsigned word);

/* Valid until the next var_use or var_define. */
var_t *var_at(var_set_t *set, unsigned index);
unsigned var_count(const var_set_t *set);

/* When the configuration has been read: every variable used must be defined by now. False: said. */
bool var_set_check(conf_t *cf, var_set_t *set);

/* The value in this request; p == NULL when there is none. */
str_t var_get(request_t *r, unsigned index);
void var_put(request_t *r, unsigned index, str_t value);

/* Whether `set` or a capture has given it a value, or one is cached. */
bool var_known(const request_t *r, unsigned index);

/* By name at run time (X-headers, tests); slower. */
str_t var_get_named(request_t *r, str_t name);

#endif
