/* upstream_module: the module of the upstream blocks. */
#include "modules/upstream/discover.h"
#include "modules/upstream/upstream_ctl.h"
#include "modules/upstream/upstream_status.h"
#include "modules/upstream/upstream_vars.h"

static unsigned index_;

static bool begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    upstream_conf_t *c = conf_own(cf, &upstream_module);
    c->groups = POOL_NEW(cf->pool, upstream_groups_t);
    c->groups->pool = cf->pool;
    hash_map_init(&c->groups->by_name, cf->pool);
    hash_map_init(&c->groups->singles, cf->pool);
    return true;
}

static int worker_start(const void *main_struct)
{
    discover_start(((const upstream_conf_t *)main_struct)->groups);
    return 0;
}

static void worker_stop(const void *main_struct)
{
    (void)main_struct;
    discover_stop();
}

static const http_hooks_t hooks = {.variables = upstream_vars, .begin = begin};

const module_t upstream_module = {
    .name = "upstream",
    .index = &index_,
    .rows = upstream_conf_rows,
    .conf_size = sizeof(upstream_conf_t),
    .hooks = &hooks,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .sections = upstream_status,
    .commands = upstream_ctl,
};
