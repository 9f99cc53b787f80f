#include "http/http_block.h"

#include "core/process/generation.h"
#include "core/process/worker.h"
#include "http/accept.h"
#include "http/http.h"
#include "http/http_listen.h"
#include "http/mux.h"
#include "http/origin.h"
#include "http/parse.h"
#include "http/tunnel.h"

/* --- http --- */

static bool check_addresses(conf_t *cf)
{
    bool ok = true;
    VEC_EACH(listen_t *const, it, http_addresses_read(cf)) {
        const site_address_t *address = (*it)->data;
        if (address->ssl && !address->shake_hands)
            ok = conf_error(cf, address->fallback->node, 0, "use a build that has the module ssl",
                            "\"ssl\" of listen " STR_FMT " is not supported by this build",
                            STR_ARG(http_listen_name(cf, *it)));
    }
    return ok;
}

static bool finish(conf_t *cf, conf_scope_t *scope)
{
    conf_scope_t *outer = cf->scope;
    bool ok = true;
    cf->scope = scope;
    for (const http_hooks_t *const *h = hooks_table.all; *h; h++)
        if ((*h)->finish) ok = (*h)->finish(cf) && ok;
    const http_conf_t *c = http_conf_read(cf);
    ok = ok && check_addresses(cf);
    ok = var_set_check(cf, c->vars) && ok;
    tempdir_want(&generation_of(cf)->tempdirs, c->client_body_temp_path);
    cf->scope = outer;
    return ok;
}

static bool begin(conf_t *cf, const tree_node_t *node)
{
    bool ok = true;
    for (const http_hooks_t *const *h = hooks_table.all; *h; h++)
        if ((*h)->begin) ok = (*h)->begin(cf, node) && ok;
    return ok;
}

/* The worker begins to stop: what idles closes. Or what still runs is cut off. */
static void on_stop(void)
{
    accept_stop_idle();
    origin_close_idle();
    mux_stop_all();
}

static void on_cancel(void)
{
    accept_cancel_all();
    tunnel_cancel_all();
}

/* An idle connection to an origin costs nobody anything; of a client, perhaps a request in
   flight. */
static unsigned on_shortage(void)
{
    unsigned closed = origin_reclaim() + mux_reclaim();
    return closed ? closed : accept_reclaim();
}

bool http_block_http(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    http_conf_t *c = conf;
    hooks_make(cf->modules);
    c->block = POOL_NEW(cf->pool, http_block_t);
    c->vars = var_set_new(cf->pool, cf->modules);
    worker_on_stop(on_stop, on_cancel);
    worker_on_shortage(on_shortage);
    if (!begin(cf, node)) return false;
    conf_scope_t *scope = conf_block(cf, node, CONF_HTTP, false);
    return scope && finish(cf, scope);
}

/* --- server --- */

bool http_block_server_name(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    http_block_t *block = ((http_conf_t *)conf)->block;
    for (unsigned i = 1; i < node->n; i++)
        *VEC_PUSH(cf->pool, &block->names) = (http_block_name_t){node, i};
    return true;
}

static bool add_names(conf_t *cf, http_block_t *block, site_address_t *address)
{
    bool ok = true;
    VEC_EACH(http_block_name_t, it, &block->names)
        ok = site_add_name(cf, address, it->node, it->word, it->node->words[it->word].text,
                           block->server) && ok;
    if (block->names.n == 0)
        ok = site_add_name(cf, address, block->server->node, 0, STR(""), block->server);
    return ok;
}

static bool add_to_address(conf_t *cf, http_block_t *block, const http_block_listen_t *l)
{
    site_address_t *address = l->listen->data;
    if (l->fallback && address->fallback_set)
        return conf_error(cf, l->node, 1, "only one server of an address can be its default",
                          "a duplicate default server for " STR_FMT,
                          STR_ARG(http_listen_name(cf, l->listen)));
    if (!address->fallback || l->fallback) address->fallback = block->server;
    address->fallback_set |= l->fallback;
    if (!address->servers.n) *VEC_PUSH(cf->pool, &block->addresses) = l->listen;
    *VEC_PUSH(cf->pool, &address->servers) = block->server;
    return add_names(cf, block, address);
}

static bool add_server(conf_t *cf, http_block_t *block, const tree_node_t *node)
{
    bool ok = true;
    if (block->listens.n == 0 && !http_listen_default(cf, block, node)) return false;
    if (block->names.n) {
        const http_block_name_t *first = block->names.v;
        block->server->name = first->node->words[first->word].text;
    }
    VEC_EACH(http_block_listen_t, it, &block->listens)
        ok = add_to_address(cf, block, it) && ok;
    return ok;
}

bool http_block_server(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    http_block_t *block = ((http_conf_t *)conf)->block;
    site_server_t *server = POOL_NEW(cf->pool, site_server_t);
    server->node = node;
    block->server = server;
    block->location = NULL;
    block->listens.n = block->names.n = 0;
    conf_scope_t *scope = conf_block(cf, node, CONF_SERVER, false);
    if (!scope) return false;
    server->conf = scope->structs;
    *VEC_PUSH(cf->pool, &block->scopes) = scope->structs;
    return add_server(cf, block, node);
}

/* --- location --- */

bool http_block_location(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    http_block_t *block = ((http_conf_t *)conf)->block;
    site_location_t *location = POOL_NEW(cf->pool, site_location_t), *outer = block->location;
    if (!site_location_parse(cf, node, location)) return false;
    bool ok = site_add_location(cf, block->server, outer, location);
    block->location = location;
    conf_scope_t *scope = conf_block(cf, node, CONF_LOCATION, false);
    block->location = outer;
    if (!scope) return false;
    location->conf = scope->structs;
    *VEC_PUSH(cf->pool, &block->scopes) = scope->structs;
    return ok;
}

/* --- limit_except --- */

static bool add_method(conf_t *cf, const tree_node_t *node, unsigned word, uint32_t *methods)
{
    parse_method_t method = parse_method(node->words[word].text);
    if (method == METHOD_OTHER)
        return conf_error(cf, node, word, "for example GET, POST, DELETE",
                          "invalid method \"" STR_FMT "\"", STR_ARG(node->words[word].text));
    *methods |= 1u << method;
    if (method == METHOD_GET) *methods |= 1u << METHOD_HEAD;
    return true;
}

/* What the block does not say holds as in the location, also what locations do not inherit. */
bool http_block_limit_except(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    site_location_t *location = ((http_conf_t *)conf)->block->location;
    for (unsigned i = 1; i < node->n; i++)
        if (!add_method(cf, node, i, &location->methods)) return false;
    conf_scope_t *scope = conf_block(cf, node, CONF_LIMIT_EXCEPT, true);
    if (scope) location->limited = scope->structs;
    return scope;
}
