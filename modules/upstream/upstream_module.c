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

/* Turns pass by all servers: with fewer idle connections than servers none would be met again. */
static bool check(conf_t *cf, void *conf)
{
    upstream_conf_t *c = conf;
    bool told = cf->scope->context != CONF_UPSTREAM ||
                conf_was_set(cf, &upstream_module, "keepalive");
    if (!told && c->keepalive.keep < c->servers.n * 2) c->keepalive.keep = c->servers.n * 2;
    return true;
}

static const http_hooks_t hooks = {.variables = upstream_vars, .begin = begin};

const module_t upstream_module = {
    .name = "upstream",
    .index = &index_,
    .rows = upstream_conf_rows,
    .conf_size = sizeof(upstream_conf_t),
    .check = check,
    .hooks = &hooks,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .sections = upstream_status,
    .commands = upstream_ctl,
};
