#include "modules/upstream/health_conf.h"

#include "http/http.h"
#include "modules/upstream/probe_grpc.h"

/* --- health_check --- */

static const char parameters[] = "uri= interval= jitter= fails= passes= match= port= timeout= "
                                 "type=tcp type=grpc grpc_service= grpc_status= mandatory";

static bool set_uri(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, health_t *h)
{
    h->uri = value;
    bool good = value.n && value.p[0] == '/';
    for (size_t i = 0; good && i < value.n; i++) good = value.p[i] > ' ' && value.p[i] != 0x7f;
    return good || conf_error(cf, node, word, "for example uri=/healthz",
                              "invalid uri \"" STR_FMT "\"", STR_ARG(value));
}

static bool set_type(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, health_t *h)
{
    h->tcp = str_eq(value, STR("tcp"));
    h->grpc = str_eq(value, STR("grpc"));
    return h->tcp || h->grpc || str_eq(value, STR("http")) ||
           conf_error(cf, node, word, "type=http, type=tcp, type=grpc",
                      "invalid type \"" STR_FMT "\"", STR_ARG(value));
}

static bool set_service(conf_t *cf, const tree_node_t *node, unsigned word, str_t value,
                        health_t *h)
{
    h->service = value;
    return value.n <= PROBE_GRPC_SERVICE_MAX ||
           conf_error(cf, node, word, NULL, "the name has more than %d bytes",
                      PROBE_GRPC_SERVICE_MAX);
}

static bool set_word(conf_t *cf, const tree_node_t *node, unsigned word, health_t *h)
{
    str_t text = node->words[word].text;
    if (str_eq(text, STR("mandatory"))) return h->mandatory = true;
    if (str_eq(text, STR("persistent"))) return true; /* what was found is always kept */
    return conf_error(cf, node, word, parameters, "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(text));
}

static bool set_time(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, msec_t *out)
{
    enum { LEAST_MS = 10 };
    if (!conf_msec(cf, node, word, value, out)) return false;
    return *out >= LEAST_MS || conf_error(cf, node, word, NULL, "must be at least 10ms");
}

static bool set_parameter(conf_t *cf, const tree_node_t *node, unsigned word, health_t *h)
{
    enum { COUNT_MOST = 1000000, PORT_MOST = 65535, GRPC_MOST = 65535 };
    str_t text = node->words[word].text, value;
    if (value_keyed(text, "uri", &value)) return set_uri(cf, node, word, value, h);
    if (value_keyed(text, "interval", &value)) return set_time(cf, node, word, value, &h->interval);
    if (value_keyed(text, "timeout", &value)) return set_time(cf, node, word, value, &h->timeout);
    if (value_keyed(text, "jitter", &value)) return conf_msec(cf, node, word, value, &h->jitter);
    if (value_keyed(text, "fails", &value))
        return conf_number(cf, node, word, value, 1, COUNT_MOST, &h->fails);
    if (value_keyed(text, "passes", &value))
        return conf_number(cf, node, word, value, 1, COUNT_MOST, &h->passes);
    if (value_keyed(text, "port", &value))
        return conf_number(cf, node, word, value, 1, PORT_MOST, &h->port);
    if (value_keyed(text, "type", &value)) return set_type(cf, node, word, value, h);
    if (value_keyed(text, "grpc_service", &value)) return set_service(cf, node, word, value, h);
    if (value_keyed(text, "grpc_status", &value))
        return conf_number(cf, node, word, value, 1, GRPC_MOST, &h->grpc_status);
    if (!value_keyed(text, "match", &value)) return set_word(cf, node, word, h);
    h->match_name = value;
    return true;
}

static bool set_check(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    health_conf_t *c = conf;
    health_t *h = c->check = POOL_NEW(cf->pool, health_t);
    *h = (health_t){.node = node, .uri = STR_INIT("/"), .interval = 5000, .timeout = 5000,
                    .fails = 1, .passes = 1};
    for (unsigned i = 1; i < node->n; i++)
        if (!set_parameter(cf, node, i, h)) return false;
    *VEC_PUSH(cf->pool, &c->all->checks) = h;
    return true;
}

/* --- match --- */

static const health_match_t *find_match(const health_all_t *all, str_t name)
{
    VEC_EACH(health_match_t *, it, &all->matches)
        if (str_eq((*it)->name, name)) return *it;
    return NULL;
}

static bool set_match(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    health_all_t *all = ((health_conf_t *)conf)->all;
    health_match_t *m = health_match_read(cf, node);
    if (!m) return false;
    if (find_match(all, m->name))
        return conf_error(cf, node, 1, NULL, "duplicate match \"" STR_FMT "\"", STR_ARG(m->name));
    *VEC_PUSH(cf->pool, &all->matches) = m;
    return true;
}

/* --- when all has been read --- */

bool health_conf_begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    ((health_conf_t *)conf_own(cf, &health_module))->all = POOL_NEW(cf->pool, health_all_t);
    return true;
}

/* Which of the two leads somewhere. */
static const proxy_conf_t *proxy_of(const proxy_conf_t *proxy, const proxy_conf_t *grpc)
{
    return proxy->pass || !grpc->pass ? proxy : grpc;
}

bool health_conf_check(conf_t *cf, void *conf)
{
    health_conf_t *c = conf;
    if (c->check && cf->scope->context != CONF_UPSTREAM)
        c->check->proxy = proxy_of(conf_get(cf->scope, &proxy_module),
                                   conf_get(cf->scope, &grpc_module));
    return true;
}

/* The first location that leads to the group. */
static const proxy_conf_t *find_proxy(conf_t *cf, const upstream_t *g)
{
    VEC_EACH(void **, it, http_scopes_read(cf))
    {
        const proxy_conf_t *c = proxy_of((*it)[proxy_index], (*it)[grpc_index]);
        if (!c->pass || !text_is_constant(&c->pass->text)) continue;
        proxy_target_bind(cf, c->pass);
        if (c->pass->target.group == g) return c;
    }
    return NULL;
}

static bool find_group(conf_t *cf, health_t *h)
{
    const tree_node_t *block = h->node->parent;
    const upstream_groups_t *groups = upstream_groups(cf);
    if (!h->proxy) {
        h->group = upstream_find(groups, block->words[1].text);
        h->proxy = find_proxy(cf, h->group);
        return true;
    }
    proxy_pass_t *pass = h->proxy->pass;
    if (pass && text_is_constant(&pass->text)) {
        proxy_target_bind(cf, pass);
        h->group = pass->target.group;
    }
    return (h->group && h->group->node) ||
           conf_error(cf, h->node, 0, "let proxy_pass or grpc_pass name an upstream block",
                      "\"health_check\" needs a proxy_pass to a group");
}

/* As requests of the location have them, where that does not depend on the request. */
static str_t make_request(pool_t *pool, const health_t *h)
{
    const proxy_conf_t *proxy = h->proxy;
    str_t host = proxy ? proxy->pass->target.host : h->group->name, fields = STR("");
    if (proxy) {
        const text_t *given = proxy->fields.host;
        if (given && text_is_constant(given) && given->source.n) host = given->source;
        VEC_EACH(const proxy_part_t, part, &proxy->fields.parts)
            if (!part->value) fields = pool_concat(pool, fields, part->literal);
    }
    str_t head = pool_printf(pool, "Host: " STR_FMT "\r\n" STR_FMT, STR_ARG(host),
                             STR_ARG(fields));
    if (h->grpc)
        return pool_printf(pool, "POST /grpc.health.v1.Health/Check HTTP/1.1\r\n" STR_FMT
                           "Content-Type: application/grpc\r\nTE: trailers\r\n\r\n",
                           STR_ARG(head));
    return pool_printf(pool, "GET " STR_FMT " HTTP/1.1\r\n" STR_FMT "%s\r\n", STR_ARG(h->uri),
                       STR_ARG(head), h->http2 ? "" : "Connection: close\r\n");
}

/* One per group, for all of its servers. */
static void join_group(conf_t *cf, health_t *h)
{
    upstream_policy_t *policy = &h->group->policy;
    if (policy->checked) {
        conf_warn(cf, h->node, 0, "keep one of them",
                  "upstream \"" STR_FMT "\" has a health_check already", STR_ARG(h->group->name));
        h->group = NULL;
        return;
    }
    policy->checked = true;
    policy->mandatory = h->mandatory;
    h->http2 = h->grpc || (h->proxy && h->proxy->http_version == PROXY_HTTP_2);
    h->request = make_request(cf->pool, h);
    if (h->grpc) h->body = probe_grpc_body(cf->pool, h->service);
}

static bool finish(conf_t *cf, health_t *h, const health_all_t *all)
{
    if (!find_group(cf, h)) return false;
    join_group(cf, h);
    h->match = h->match_name.p ? find_match(all, h->match_name) : NULL;
    if (h->match_name.p && (h->grpc || h->tcp))
        return conf_error(cf, h->node, 0, "leave out match", "match= is for type=http");
    if (h->match_name.p && !h->match)
        return conf_error(cf, h->node, 0, "define it: match NAME { status 200-399; }",
                          "unknown match \"" STR_FMT "\"", STR_ARG(h->match_name));
    return true;
}

bool health_conf_finish(conf_t *cf)
{
    bool good = true;
    const health_all_t *all = ((const health_conf_t *)conf_get(cf->scope, &health_module))->all;
    VEC_EACH(health_t *, it, &all->checks) good = finish(cf, *it, all) && good;
    return good;
}

#define CONF health_conf_t

const conf_row_t health_conf_rows[] = {
    CONF_CUSTOM("health_check", CONF_UPSTREAM | CONF_LOCATION, CONF_LOCAL, 0, UINT_MAX, set_check,
                CONF_FIELD(CONF, check, health_t *), NULL,
                "asks the group's servers themselves whether they are well: [uri=/] [interval=5s] "
                "[jitter=0] [fails=1] [passes=1] [match=NAME] [port=N] [timeout=5s] [type=tcp] "
                "[type=grpc [grpc_service=NAME] [grpc_status=N]] [mandatory]"),
    CONF_CUSTOM("match", CONF_HTTP, CONF_BLOCK | CONF_RAW | CONF_MANY, 1, 1, set_match,
                CONF_NO_FIELD, NULL,
                "what answers to health_check must be like: match NAME { status 200-399; header "
                "NAME = VALUE; body ~ PATTERN; }"),
    CONF_END,
};
