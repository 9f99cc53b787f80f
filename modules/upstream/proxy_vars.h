/* proxy_vars: $proxy_host, $proxy_port, $proxy_add_x_forwarded_for. Nothing suspends. */
#ifndef MODULES_UPSTREAM_PROXY_VARS_H
#define MODULES_UPSTREAM_PROXY_VARS_H

#include "http/var.h"

extern const var_def_t proxy_vars[]; /* ends with name NULL */

#endif
