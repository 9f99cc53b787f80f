/*
 * acme_names: the directive acme_certificate of a server. In the master; nothing suspends.
 */
#ifndef MODULES_SSL_ACME_NAMES_H
#define MODULES_SSL_ACME_NAMES_H

#include "modules/ssl/acme.h"

enum { ACME_NAMES_MOST = 100 };

/* The set function of the row, whose field is a struct acme_certificate *. */
bool acme_names_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node);

/* Whether it is $acme_certificate or $acme_certificate_key, in place of a file. */
bool acme_names_is_variable(str_t text);

/* Whether it is a name that an authority could be asked for: of DNS, lower case, no wildcard. */
bool acme_names_is_good(str_t name);

#endif
