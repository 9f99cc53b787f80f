#include "modules/upstream/proxy_target.h"

#include <stdio.h>

#include "http/http.h"
#include "http/request.h"
#include "http/scan.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Connections to origins outside any group of the configuration. */
static keepalive_t stray_idle;

/* --- URLs --- */

typedef struct url {
    proxy_target_t target;
    str_t authority;  /* host[:port] or unix:/path */
    str_t name;       /* the host, to be resolved or found among the groups; p NULL: addr */
    net_addr_t addr;
    uint16_t port;    /* of `name` */
    bool has_port;
} url_t;

/* "unix:/path" up to the ":" in front of a URI part. */
static size_t unix_length(str_t s)
{
    return str_find(s, 5, ':');
}

static size_t authority_length(str_t s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#') n++;
    return n;
}

static bool parse_unix(str_t rest, url_t *out)
{
    size_t n = unix_length(rest);
    out->authority = str_sub(rest, 0, n);
    out->target.host = STR("localhost");
    out->target.port = STR("");
    if (n < rest.n) out->target.uri = str_sub(rest, n + 1, rest.n);
    return net_parse(out->authority, 0, &out->addr);
}

/* $proxy_port, and $proxy_host: as written but for the port that goes without saying. */
static void set_names(url_t *u)
{
    str_t a = u->authority;
    size_t colon = a.n;
    if (a.n && a.p[a.n - 1] == ':') u->authority = a = str_sub(a, 0, a.n - 1);
    while (colon && ascii_digit(a.p[colon - 1])) colon--;
    u->has_port = colon && colon < a.n && a.p[colon - 1] == ':';
    str_t usual_port = u->target.tls ? STR("443") : STR("80");
    u->target.port = u->has_port ? str_sub(a, colon, a.n) : usual_port;
    bool usual = u->has_port && str_eq(u->target.port, usual_port);
    u->target.host = usual ? str_sub(a, 0, colon - 1) : a;
}

static bool parse_host(str_t rest, url_t *out)
{
    size_t n = authority_length(rest);
    uint16_t usual = out->target.tls ? HTTPS_PORT : HTTP_PORT;
    str_t host;
    out->authority = str_sub(rest, 0, n);
    if (n < rest.n) out->target.uri = str_sub(rest, n, rest.n);
    if (!uri_split_host(out->authority, &host, &out->port)) return false;
    set_names(out);
    if (!out->port) out->port = usual;
    if (!net_parse(out->authority, usual, &out->addr)) out->name = host;
    return true;
}

/* NULL, or what is wrong. */
static const char *parse_url(str_t text, const proxy_schemes_t *schemes, url_t *out)
{
    *out = (url_t){.target.tls = str_istarts(text, schemes->secure)};
    bool plain = str_istarts(text, schemes->plain);
    if (!out->target.tls && !plain && !schemes->optional) return "invalid URL prefix";
    size_t skip = out->target.tls ? schemes->secure.n : plain ? schemes->plain.n : 0;
    str_t rest = str_sub(text, skip, text.n);
    bool ok = str_starts(rest, STR("unix:")) ? parse_unix(rest, out) : parse_host(rest, out);
    return ok ? NULL : "invalid host in URL";
}

/* --- the directive --- */

bool proxy_target_parse(conf_t *cf, const tree_node_t *node, const proxy_schemes_t *schemes,
                        proxy_pass_t *out)
{
    url_t url;
    str_t text = node->words[1].text;
    out->node = node;
    out->schemes = schemes;
    out->groups = upstream_groups(cf);
    if (!text_compile(cf, node, 1, text, &out->text)) return false;
    if (!text_is_constant(&out->text)) return true;
    const char *why = parse_url(text, schemes, &url);
    if (why)
        return conf_error(cf, node, 1, schemes->hint, "%s: %s", schemes->directive, why);
    out->target = url.target;
    out->slashed = pool_concat(cf->pool, text, STR("/"));
    return true;
}

/* --- groups --- */

static upstream_t *block_of(const upstream_groups_t *groups, const url_t *u)
{
    return u->name.p && !u->has_port ? upstream_find(groups, u->name) : NULL;
}

static str_t single_key(pool_t *pool, const url_t *u)
{
    if (!u->name.p && u->addr.sa.sa_family == AF_UNIX) return u->authority;
    str_t host = u->name.p ? pool_lower(pool, u->name) : STR("");
    char text[NET_TEXT_MAX];
    if (!u->name.p) return pool_str(pool, str_make(text, net_format(&u->addr, true, text)));
    return pool_printf(pool, STR_FMT ":%u", STR_ARG(host), u->port);
}

static upstream_t *make_single(pool_t *pool, str_t key, const url_t *u)
{
    return upstream_single(pool, key, u->name, u->port, u->name.p ? NULL : &u->addr);
}

bool proxy_target_bind(conf_t *cf, proxy_pass_t *pass)
{
    url_t url;
    upstream_groups_t *groups = pass->groups;
    if (!text_is_constant(&pass->text)) return true;
    parse_url(pass->text.source, pass->schemes, &url);
    upstream_t *g = block_of(groups, &url);
    str_t key = g ? STR("") : single_key(groups->pool, &url);
    if (!g) g = hash_map_get(&groups->singles, key);
    if (!g) {
        g = make_single(groups->pool, key, &url);
        g->idle = POOL_NEW(groups->pool, keepalive_t);
        hash_map_set(&groups->singles, key, g);
        *VEC_PUSH(groups->pool, &groups->all) = g;
        if (!upstream_share_single(cf, g)) return false;
    }
    pass->target.group = g;
    return true;
}

static bool evaluate(const proxy_pass_t *pass, request_t *r, proxy_target_t *out)
{
    url_t url;
    str_t text = text_eval(&pass->text, r);
    const char *why = parse_url(text, pass->schemes, &url);
    if (why) {
        LOG(&r->log, LOG_ERR, 0, "%s in upstream \"" STR_FMT "\"", why, STR_ARG(text));
        return false;
    }
    *out = url.target;
    out->evaluated = true;
    out->group = block_of(pass->groups, &url);
    str_t key = out->group ? STR("") : single_key(r->pool, &url);
    if (!out->group) out->group = hash_map_get(&pass->groups->singles, key);
    if (!out->group) {
        out->group = make_single(r->pool, key, &url);
        out->group->idle = &stray_idle;
        out->group->http = http_conf(r->conf);
    }
    return true;
}

bool proxy_target_find(const proxy_pass_t *pass, request_t *r, proxy_target_t *out)
{
    if (!text_is_constant(&pass->text)) return evaluate(pass, r, out);
    *out = pass->target;
    return true;
}

/* --- the URI --- */

static str_t with_args(request_t *r, str_t path, str_t rest)
{
    if (!r->args.n) return pool_concat(r->pool, path, rest);
    return pool_printf(r->pool, STR_FMT STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(rest),
                       STR_ARG(r->args));
}

/* The target as the client wrote it, in origin-form. */
static str_t raw_target(request_t *r)
{
    str_t target = request_target(r);
    uri_t uri;
    if (target.n == 0 || target.p[0] == '/' || !uri_split(target, &uri) || !uri.scheme.p)
        return target;
    if (r->head.method_id == METHOD_OPTIONS && uri.path.n == 1 && !uri.args.p &&
        target.p[target.n - 1] != '/')
        return STR("*"); /* RFC 9112 3.2.4 */
    return uri.args.p ? with_args(r, uri.path, STR("")) : uri.path;
}

/* How much of the URI the location's name has matched: what the URI part stands for. */
static size_t matched_length(const request_t *r)
{
    const site_location_t *l = r->location;
    bool prefix = l && (l->match == SITE_PREFIX || l->match == SITE_EXACT ||
                        l->match == SITE_STRONG);
    return prefix && !r->uri_broken && str_starts(r->uri, l->name) ? l->name.n : 0;
}

static bool is_sendable(str_t target)
{
    return target.n && scan_target(target.p, target.p, target.p + target.n) == target.p + target.n;
}

/* What came out of variables may hold anything: what may stand in no target is escaped. */
static str_t made_sendable(request_t *r, str_t target)
{
    if (is_sendable(target)) return target;
    char *out = pool_bytes(r->pool, target.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < target.n; i++) {
        unsigned char c = (unsigned char)target.p[i];
        bool bad = c <= ' ' || c == 0x7f || c == '#';
        if (bad) n += (size_t)snprintf(out + n, 4, "%%%02X", c);
        else out[n++] = (char)c;
    }
    return str_make(out, n);
}

static str_t with_slash(request_t *r, str_t uri)
{
    return uri.n && uri.p[0] == '/' ? uri : pool_concat(r->pool, STR("/"), uri);
}

str_t proxy_target_uri(const proxy_target_t *t, request_t *r)
{
    if (t->evaluated && t->uri.n) return made_sendable(r, with_slash(r, t->uri));
    if (t->uri.n == 0 && !r->uri_changed) return raw_target(r);
    size_t matched = t->uri.n ? matched_length(r) : 0;
    str_t rest = uri_escape(r->pool, str_sub(r->uri, matched, r->uri.n), URI_ESCAPE_PATH);
    if (str_eq(r->uri, STR("*"))) return r->uri;
    bool replaced = t->uri.n && matched;
    str_t path = with_args(r, replaced ? t->uri : STR(""), rest);
    return made_sendable(r, with_slash(r, path));
}
