/* upstream_vars: $upstream_...: what exchanges with origins left behind. Nothing suspends. */
#ifndef MODULES_UPSTREAM_UPSTREAM_VARS_H
#define MODULES_UPSTREAM_UPSTREAM_VARS_H

#include "http/var.h"

extern const var_def_t upstream_vars[]; /* ends with name NULL */

#endif
