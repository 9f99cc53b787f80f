#include "modules/upstream/server_line.h"

#include "core/base/strbuf.h"
#include "http/uri.h"

enum { HTTP_PORT = 80 };

static bool set_host(conf_t *cf, const tree_node_t *node, upstream_server_t *s)
{
    str_t text = node->words[1].text, host;
    uint16_t port;
    s->name = text;
    if (str_starts(text, STR("http://"))) text = str_sub(text, 7, text.n);
    if (net_parse(text, HTTP_PORT, &s->addr)) return true;
    if (!uri_split_host(text, &host, &port) || host.p[0] == '[')
        return conf_error(cf, node, 1, "for example 10.0.0.1:8080, app.internal, unix:/run/app",
                          "invalid host in upstream \"" STR_FMT "\"", STR_ARG(text));
    s->host = host;
    s->port = port ? port : HTTP_PORT;
    s->has_port = port != 0;
    return true;
}

static const char parameters[] = "weight= max_conns= max_fails= fail_timeout= slow_start= backup "
                                 "down drain route= resolve service=";

static bool set_word(conf_t *cf, const tree_node_t *node, unsigned word, upstream_server_t *s)
{
    str_t text = node->words[word].text;
    if (str_eq(text, STR("backup"))) return s->backup = true;
    if (str_eq(text, STR("down"))) return s->down = true;
    if (str_eq(text, STR("drain"))) return s->drain = true;
    if (str_eq(text, STR("resolve"))) return true; /* names are always followed */
    return conf_error(cf, node, word, parameters, "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(text));
}

static bool set_parameter(conf_t *cf, const tree_node_t *node, unsigned word, upstream_server_t *s)
{
    enum { WEIGHT_MOST = 65535 };
    str_t text = node->words[word].text, value;
    if (value_keyed(text, "weight", &value))
        return conf_number(cf, node, word, value, 1, WEIGHT_MOST, &s->weight);
    if (value_keyed(text, "max_conns", &value))
        return conf_number(cf, node, word, value, 0, 0, &s->max_conns);
    if (value_keyed(text, "max_fails", &value))
        return conf_number(cf, node, word, value, 0, 0, &s->max_fails);
    if (value_keyed(text, "fail_timeout", &value))
        return conf_msec(cf, node, word, value, &s->fail_timeout);
    if (value_keyed(text, "route", &value)) {
        s->route = value;
        return true;
    }
    if (value_keyed(text, "service", &value)) {
        s->service = value;
        return value.n || conf_error(cf, node, word, "service=http, service=_http._tcp",
                                     "service= has no name");
    }
    if (value_keyed(text, "slow_start", &value))
        return conf_msec(cf, node, word, value, &s->slow_start);
    return set_word(cf, node, word, s);
}

/* Without a dot it is a protocol over TCP (RFC 2782), else a part of the name. */
static bool name_service(conf_t *cf, const tree_node_t *node, upstream_server_t *s)
{
    bool whole = str_find(s->service, 0, '.') < s->service.n;
    if (!s->host.p || s->has_port)
        return conf_error(cf, node, 1, "server app.internal service=http resolve",
                          "service= goes with a name without a port");
    s->service = whole ? pool_printf(cf->pool, STR_FMT "." STR_FMT, STR_ARG(s->service),
                                     STR_ARG(s->host))
                       : pool_printf(cf->pool, "_" STR_FMT "._tcp." STR_FMT, STR_ARG(s->service),
                                     STR_ARG(s->host));
    return true;
}

bool server_line_parameters(conf_t *cf, const tree_node_t *node, upstream_server_t *out)
{
    for (unsigned i = 2; i < node->n; i++)
        if (!set_parameter(cf, node, i, out)) return false;
    return true;
}

bool server_line_read(conf_t *cf, const tree_node_t *node, upstream_server_t *out)
{
    *out = (upstream_server_t){.weight = 1, .max_fails = 1, .fail_timeout = 10000};
    if (!set_host(cf, node, out)) return false;
    return server_line_parameters(cf, node, out) &&
           (!out->service.n || name_service(cf, node, out));
}

/* --- lines as text --- */

static void put_word(strbuf_t *out, str_t word)
{
    strbuf_add(out, STR(" \""));
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] == '"' || word.p[i] == '\\') strbuf_put(out, '\\');
        strbuf_put(out, word.p[i]);
    }
    strbuf_put(out, '"');
}

str_t server_line_of(pool_t *pool, const str_t *words, unsigned n)
{
    strbuf_t out = {.pool = pool};
    strbuf_add(&out, STR("server"));
    for (unsigned i = 0; i < n; i++) put_word(&out, words[i]);
    strbuf_put(&out, ';');
    return strbuf_text(&out);
}

str_t server_line_text(pool_t *pool, const tree_node_t *node)
{
    str_t *words = POOL_ARRAY(pool, str_t, node->n);
    for (unsigned i = 1; i < node->n; i++) words[i - 1] = node->words[i].text;
    return server_line_of(pool, words, node->n - 1);
}

static bool read_only_line(conf_t *cf, const tree_node_t *root, upstream_server_t *out)
{
    const tree_node_t *node = root->children;
    if (!node || node->next || node->block || node->n < 2 ||
        !str_eq(node->words[0].text, STR("server")))
        return conf_error(cf, NULL, 0, NULL, "that is no \"server ADDRESS ...\"");
    return server_line_read(cf, node, out);
}

bool server_line_parse(pool_t *pool, str_t text, upstream_server_t *out, str_t *why)
{
    conf_t cf = {.pool = pool, .diag = diag_new(pool)};
    const tree_node_t *root = tree_parse(pool, cf.diag, STR("the line"), text);
    if (root && diag_errors(cf.diag) == 0 && read_only_line(&cf, root, out)) return true;
    *why = diag_first(cf.diag);
    return false;
}
