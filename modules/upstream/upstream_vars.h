/* upstream_vars: $upstream_...: what the request's exchanges with origins left. Nothing suspends. */
#ifndef MODULES_UPSTREAM_UPSTREAM_VARS_H
#define MODULES_UPSTREAM_UPSTREAM_VARS_H

#include "http/var.h"

extern const var_def_t upstream_vars[]; /* ends with name NULL */

#endif
