/* health_conf: the directives health_check and match. */
#ifndef MODULES_UPSTREAM_HEALTH_CONF_H
#define MODULES_UPSTREAM_HEALTH_CONF_H

#include "modules/upstream/health.h"

extern const conf_row_t health_conf_rows[];

/* For the module's hooks (http/hooks.h, core/config/module.h). */
bool health_conf_begin(conf_t *cf, const tree_node_t *http);
bool health_conf_check(conf_t *cf, void *conf);
bool health_conf_finish(conf_t *cf);

#endif
