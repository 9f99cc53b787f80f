#include "modules/cache/cache_key.h"

#include "http/uri.h"
#include "modules/cache/vary.h"

/* Path and query as asked for; of a request that was sent elsewhere, where it was sent. */
static str_t path_of(request_t *r)
{
    uri_t uri;
    pool_t *pool = r->pool;
    str_t path = r->uri, args = r->args;
    if (!r->uri_changed && uri_split(r->head.target, &uri)) path = uri.path, args = uri.args;
    return args.p ? pool_join(pool, (str_t[]){path, STR("?"), args}, 3) : path;
}

/* "example.org", or with a port that is not the scheme's own. */
static str_t host_of(request_t *r)
{
    char digits[20];
    str_t host = r->host.n ? r->host : r->server->name;
    uint16_t port = net_port(&r->conn->listen->addr);
    uint16_t usual = str_eq(r->scheme, STR("https")) ? 443 : 80;
    if (port == usual || port == 0) return host;
    str_t text = str_make(digits, str_put_u64(digits, port));
    return pool_join(r->pool, (str_t[]){host, STR(":"), text}, 3);
}

reference_target_t cache_key_target(request_t *r)
{
    return (reference_target_t){r->scheme, host_of(r), path_of(r)};
}

static str_t default_text(request_t *r, const reference_target_t *t)
{
    return pool_join(r->pool, (str_t[]){t->scheme, STR("://"), t->host, t->path}, 4);
}

/* The request whose key is being made. */
static const request_t *making;

/*
 * Parts are told apart by what cache_key_part puts behind the key: so that they have the key of the
 * whole in common, it is empty there.
 */
str_t cache_key_slice_range(request_t *r)
{
    const cache_conf_t *c = request_conf(r, cache_index);
    if (!c->slice || making == r) return (str_t){NULL, 0};
    return header_value(&r->head.headers, HEADER_RANGE);
}

static str_t own_text(const cache_conf_t *c, request_t *r)
{
    making = r;
    str_t text = text_eval(&c->key, r);
    making = NULL;
    return text;
}

static str_t bounded(str_t text)
{
    return text.n <= STORE_KEY_MAX ? text : (str_t){NULL, 0};
}

str_t cache_key_text(const cache_conf_t *c, request_t *r)
{
    reference_target_t target;
    if (c->key.set) return bounded(own_text(c, r));
    target = cache_key_target(r);
    return bounded(default_text(r, &target));
}

/* The request as it would be for the target: what variables are asked anew for. */
static bool aim(request_t *in, const reference_target_t *target)
{
    uri_t uri;
    if (!uri_split(target->path, &uri) || !uri_normalise(in->pool, uri.path, true, &in->uri))
        return false;
    in->head.target = target->path;
    in->args = uri.args;
    in->uri_changed = false;
    in->vars = NULL;
    in->vars_known = NULL;
    return true;
}

str_t cache_key_range(pool_t *pool, const range_t *part)
{
    return pool_printf(pool, "bytes=%llu-%llu", (unsigned long long)part->from,
                       (unsigned long long)(part->from + part->n - 1));
}

str_t cache_key_of(const cache_conf_t *c, request_t *r, const reference_target_t *target)
{
    if (!c->key.set) return bounded(default_text(r, target));
    request_t *in = request_copy(r, r->sink);
    str_t text = aim(in, target) ? bounded(own_text(c, in)) : (str_t){NULL, 0};
    text = request_copy_text(r->pool, text);
    request_end(in);
    return text;
}

str_t cache_key_part(pool_t *pool, str_t whole, const range_t *part)
{
    return bounded(pool_join(pool, (str_t[]){whole, STR("\n"), cache_key_range(pool, part)}, 3));
}

str_t cache_key_tail(pool_t *pool, str_t whole)
{
    return bounded(pool_concat(pool, whole, STR("\ntail")));
}

str_t cache_key_parts(pool_t *pool, str_t whole)
{
    return bounded(pool_concat(pool, whole, STR("\nparts")));
}

str_t cache_key_variant(request_t *r, str_t vary)
{
    vary_t fields = {.any = false};
    str_t name;
    if (!vary.n) return STR("");
    while (str_cut(&vary, ',', &name)) *VEC_PUSH(r->pool, &fields.fields) = name;
    return vary_key(r->pool, &fields, &r->head.headers);
}
