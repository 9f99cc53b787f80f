#include "modules/upstream/proxy_vars.h"

#include "modules/upstream/proxy.h"

enum { HOST, PORT };

static str_t get_target(request_t *r, const var_def_t *def, str_t name)
{
    (void)name;
    const proxy_conf_t *c = request_conf(r, proxy_index);
    proxy_target_t target;
    if (!c->pass || !proxy_target_find(c->pass, r, &target)) return (str_t){NULL, 0};
    return def->data == HOST ? target.host : target.port;
}

static str_t get_forwarded_for(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    str_t before = header_join(&r->head.headers, STR("X-Forwarded-For"));
    str_t client = request_client_text(r);
    if (!before.p) return client;
    return pool_printf(r->pool, STR_FMT ", " STR_FMT, STR_ARG(before), STR_ARG(client));
}

const var_def_t proxy_vars[] = {
    {"proxy_host", get_target, HOST, VAR_NO_CACHE},
    {"proxy_port", get_target, PORT, VAR_NO_CACHE},
    {"proxy_add_x_forwarded_for", get_forwarded_for, 0, VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};
