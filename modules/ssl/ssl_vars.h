/* ssl_vars: $ssl_...: what was agreed on in the handshake, and with whom. Nothing suspends. */
#ifndef MODULES_SSL_SSL_VARS_H
#define MODULES_SSL_SSL_VARS_H

#include "http/var.h"

extern const var_def_t ssl_var_defs[];

#endif
