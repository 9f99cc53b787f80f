/*
 * var_core: the variables that every request has: those of its message, its connection, its reply.
 *
 * Names and values are nginx's. Nothing suspends.
 */
#ifndef HTTP_VAR_CORE_H
#define HTTP_VAR_CORE_H

#include "http/var.h"

extern const var_def_t var_core_defs[]; /* ends with name NULL */

#endif
