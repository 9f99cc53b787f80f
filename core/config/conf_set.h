/*
 * conf_set: the set functions of rows with a typed field.
 *
 * Each takes the words of the directive into the field, or says what is wrong with them. Used by
 * the macros in module.h; a module's own set function may call them, too. Nothing suspends.
 */
#ifndef CORE_CONFIG_CONF_SET_H
#define CORE_CONFIG_CONF_SET_H

#include "core/base/vec.h"
#include "core/config/tree.h"

typedef struct conf conf_t;         /* core/config/conf.h */
typedef struct conf_row conf_row_t; /* core/config/module.h */

typedef VEC(str_t) conf_strs_t;

bool conf_set_flag(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* bool */
bool conf_set_number(conf_t *, const conf_row_t *, void *, const tree_node_t *); /* unsigned */
bool conf_set_size(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* size_t */
bool conf_set_msec(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* msec_t */
bool conf_set_str(conf_t *, const conf_row_t *, void *, const tree_node_t *);    /* str_t */
bool conf_set_path(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* str_t */
bool conf_set_enum(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* unsigned */
bool conf_set_mask(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* unsigned */
bool conf_set_strs(conf_t *, const conf_row_t *, void *, const tree_node_t *);   /* conf_strs_t */

#endif
