#include "modules/upstream/proxy_conf.h"

#include "http/http.h"
#include "http/proxy_protocol.h"

extern const module_t http_module;

typedef struct proxy_passes {
    VEC(proxy_pass_t *) list;
} proxy_passes_t;

/* --- proxy_pass --- */

static bool may_have_uri(const conf_t *cf)
{
    const site_location_t *l = http_location_read(cf);
    bool block = cf->scope->context & (CONF_LOCATION_IF | CONF_LIMIT_EXCEPT);
    return !block && l && l->match != SITE_REGEX && l->match != SITE_NAMED;
}

static bool set_pass(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    proxy_conf_t *c = conf;
    proxy_pass_t *pass = POOL_NEW(cf->pool, proxy_pass_t);
    if (!proxy_target_parse(cf, node, pass)) return false;
    if (text_is_constant(&pass->text) && pass->target.uri.n && !may_have_uri(cf))
        return conf_error(cf, node, 1, "leave out what follows the host",
                          "\"proxy_pass\" cannot have URI part in location given by regular "
                          "expression, or inside named location, or inside \"if\" statement, or "
                          "inside \"limit_except\" block");
    if (cf->scope->context == CONF_LOCATION)
        ((http_conf_t *)conf_own(cf, &http_module))->auto_redirect = true;
    c->pass = pass;
    *VEC_PUSH(cf->pool, &c->passes->list) = pass;
    return true;
}

/* --- the others --- */

static bool set_header(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_set_headers_t *list = CONF_AT(row, conf, proxy_set_headers_t);
    str_t name = node->words[1].text, value = node->words[2].text;
    if (!parse_is_token(name))
        return conf_error(cf, node, 1, NULL, "\"" STR_FMT "\" is not a field name", STR_ARG(name));
    proxy_set_header_t *h = VEC_PUSH(cf->pool, list);
    h->name = name;
    h->id = header_id(name);
    if (!text_compile(cf, node, 2, value, &h->value)) return false;
    if (text_is_constant(&h->value) && !parse_is_field_value(str_trim(value)))
        return conf_error(cf, node, 2, NULL, "a field value may not hold control characters");
    return true;
}

static bool set_bind(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    net_addr_t addr;
    text_t *bind = CONF_AT(row, conf, text_t);
    str_t word = node->words[1].text;
    *bind = (text_t){.set = false};
    if (str_eq(word, STR("off"))) return true;
    if (node->n > 2)
        return conf_error(cf, node, 2, NULL, "proxy_bind: \"transparent\" is not supported");
    if (!text_compile(cf, node, 1, word, bind)) return false;
    if (text_is_constant(bind) && !net_parse(word, 1, &addr))
        return conf_error(cf, node, 1, "for example 10.0.0.1, $server_addr, off",
                          "invalid address \"" STR_FMT "\"", STR_ARG(word));
    return bind->set = true;
}

static bool set_via(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t *via = CONF_AT(row, conf, str_t), word = node->words[1].text;
    if (str_eq(word, STR("off"))) word = STR("");
    if (str_eq(word, STR("on"))) word = STR("proxyd");
    *via = word;
    return !word.n || parse_is_host(word) ||
           conf_error(cf, node, 1, "on, off, or a name", "\"" STR_FMT "\" is not a name for Via",
                      STR_ARG(word));
}

static bool set_buffers(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    proxy_conf_t *c = conf;
    return conf_number(cf, node, 1, node->words[1].text, 1, 1024, &c->buffers_count) &&
           conf_size(cf, node, 2, node->words[2].text, 1, 1 << 20, &c->buffers_size);
}

/* "20%" */
static bool set_percent(conf_t *cf, const tree_node_t *node, unsigned word, unsigned least,
                        unsigned most, unsigned *out)
{
    str_t text = node->words[word].text;
    return conf_number(cf, node, word, str_sub(text, 0, text.n - 1), least, most, out);
}

static bool set_budget(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    budget_limit_t *limit = CONF_AT(row, conf, budget_limit_t);
    str_t least;
    *limit = (budget_limit_t){.off = str_eq(node->words[1].text, STR("off")), .least = 10};
    if (limit->off && node->n == 2) return true;
    if (!str_ends(node->words[1].text, STR("%")))
        return conf_error(cf, node, 1, "for example 20% min=10, or off",
                          "invalid share \"" STR_FMT "\"", STR_ARG(node->words[1].text));
    if (!set_percent(cf, node, 1, 0, 1000, &limit->percent)) return false;
    if (node->n == 2) return true;
    if (value_keyed(node->words[2].text, "min", &least))
        return conf_number(cf, node, 2, least, 0, 1000 * 1000, &limit->least);
    return conf_error(cf, node, 2, "proxy_retry_budget 20% min=10",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(node->words[2].text));
}

static bool set_hedge(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_hedge_t *hedge = CONF_AT(row, conf, proxy_hedge_t);
    str_t word = node->words[1].text;
    *hedge = (proxy_hedge_t){.percent = 0};
    if (str_eq(word, STR("off"))) return true;
    if (str_ends(word, STR("%"))) return set_percent(cf, node, 1, 1, 99, &hedge->percent);
    return conf_msec(cf, node, 1, word, &hedge->after) &&
           conf_bounds(cf, node, 1, hedge->after, 1, 24ull * 3600 * 1000, value_show_msec);
}

static bool set_unused_words(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)conf, (void)node;
    return true;
}

/* --- checks --- */

bool proxy_conf_check(conf_t *cf, void *conf)
{
    proxy_conf_t *c = conf;
    if (!c->pass) return true;
    c->pass->ssl = conf_get(cf->scope, &proxy_ssl_module);
    proxy_fields_compile(cf->pool, &c->set_headers, &c->fields);
    proxy_fields_hidden(cf->pool, &c->hide, &c->show, &c->hidden);
    if (c->redirects.automatic && !text_is_constant(&c->pass->text))
        return conf_error(cf, conf_node(cf, "proxy_redirect"), 0, "give the two words",
                          "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive "
                          "with variables");
    return true;
}

bool proxy_conf_begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    proxy_conf_t *c = conf_own(cf, &proxy_module);
    c->passes = POOL_NEW(cf->pool, proxy_passes_t);
    return true;
}

bool proxy_conf_finish(conf_t *cf)
{
    const proxy_conf_t *c = conf_get(cf->scope, &proxy_module);
    bool ok = true;
    VEC_EACH(proxy_pass_t *, it, &c->passes->list)
    {
        proxy_target_bind(*it);
        ok = proxy_ssl_prepare(cf, *it) && ok;
    }
    return ok;
}

/* --- rows --- */

static const conf_name_t failures[] = {
    {"error", PROXY_ERROR},       {"timeout", PROXY_TIMEOUT},
    {"invalid_header", PROXY_INVALID_HEADER},
    {"http_500", PROXY_HTTP_500}, {"http_502", PROXY_HTTP_502}, {"http_503", PROXY_HTTP_503},
    {"http_504", PROXY_HTTP_504}, {"http_403", PROXY_HTTP_403}, {"http_404", PROXY_HTTP_404},
    {"http_429", PROXY_HTTP_429}, {"non_idempotent", PROXY_NON_IDEMPOTENT}, {"off", PROXY_OFF},
    {NULL, 0}};

static const conf_name_t ignorable[] = {
    {"X-Accel-Redirect", PROXY_IGNORE_REDIRECT},     {"X-Accel-Expires", PROXY_IGNORE_EXPIRES},
    {"X-Accel-Limit-Rate", PROXY_IGNORE_LIMIT_RATE}, {"X-Accel-Buffering", PROXY_IGNORE_BUFFERING},
    {"X-Accel-Charset", PROXY_IGNORE_CHARSET},       {"Expires", PROXY_IGNORE_OTHER},
    {"Cache-Control", PROXY_IGNORE_OTHER},           {"Set-Cookie", PROXY_IGNORE_OTHER},
    {"Vary", PROXY_IGNORE_OTHER},                    {NULL, 0}};

static const conf_name_t versions[] = {{"1.0", PROXY_HTTP_10}, {"1.1", PROXY_HTTP_11}, {"2", PROXY_HTTP_2},
                                         {NULL, 0}};

static const conf_name_t protocols[] = {
    {"off", 0}, {"on", PROXY_PROTOCOL_V1}, {"v2", PROXY_PROTOCOL_V2}, {NULL, 0}};

#define ALL CONF_HTTP_ALL
#define HERE (CONF_LOCATION | CONF_LOCATION_IF | CONF_LIMIT_EXCEPT)
#define CONF proxy_conf_t
#define DAY (24ull * 3600 * 1000)
#define WORDS(name, help) \
    CONF_CUSTOM(name, ALL, 0, 1, UINT_MAX, set_unused_words, CONF_NO_FIELD, NULL, help)

const conf_row_t proxy_conf_rows[] = {
    CONF_CUSTOM("proxy_pass", HERE, CONF_LOCAL, 1, 1, set_pass,
                CONF_FIELD(CONF, pass, proxy_pass_t *), NULL,
                "the origin or group of origins that serves the location: http://host:port/uri"),
    CONF_CUSTOM("proxy_set_header", ALL, CONF_MANY, 2, 2, set_header,
                CONF_FIELD(CONF, set_headers, proxy_set_headers_t), NULL,
                "a field of the request to the origin; empty: the client's is left out"),
    CONF_STRS("proxy_hide_header", ALL, CONF, hide, "fields of responses that are not passed on"),
    CONF_STRS("proxy_pass_header", ALL, CONF, show,
              "fields of responses that are passed on though usually hidden (Server, Date)"),
    CONF_MASK("proxy_ignore_headers", ALL, CONF, ignore_headers, NULL, ignorable,
              "fields of responses that proxyd does not heed"),
    CONF_CUSTOM("proxy_redirect", ALL, CONF_MANY, 1, 2, proxy_redirect_set,
                CONF_FIELD(CONF, redirects, proxy_rewrites_t), NULL,
                "how Location and Refresh are rewritten: default, off, or what becomes what"),
    CONF_CUSTOM("proxy_cookie_domain", ALL, CONF_MANY, 1, 2, proxy_redirect_set_cookie,
                CONF_FIELD(CONF, cookie_domains, proxy_rewrites_t), NULL,
                "how the domain of cookies is rewritten"),
    CONF_CUSTOM("proxy_cookie_path", ALL, CONF_MANY, 1, 2, proxy_redirect_set_cookie,
                CONF_FIELD(CONF, cookie_paths, proxy_rewrites_t), NULL,
                "how the path of cookies is rewritten"),
    CONF_TEXT("proxy_method", ALL, CONF, method, NULL, "the method of requests to the origin"),
    CONF_TEXT("proxy_set_body", ALL, CONF, set_body, NULL, "the body of requests to the origin"),
    CONF_FLAG("proxy_pass_request_headers", ALL, CONF, pass_headers, "on",
              "whether the client's fields go to the origin"),
    CONF_FLAG("proxy_pass_request_body", ALL, CONF, pass_body, "on",
              "whether the client's body goes to the origin"),
    CONF_ENUM("proxy_http_version", ALL, CONF, http_version, "1.1", versions,
              "the protocol spoken to the origin; 1.0: no connection is kept; 2: requests share one"),
    CONF_MSEC("proxy_http2_ping", ALL, CONF, http2_ping, "6m", 0, DAY,
              "how long an HTTP/2 origin may be silent until it is asked for a sign of life; 0: ever"),
    CONF_ENUM("proxy_protocol", ALL, CONF, protocol, "off", protocols,
              "whether origins are told the client in the PROXY protocol: off, on (version 1), v2"),
    CONF_CUSTOM("proxy_bind", ALL, 0, 1, 2, set_bind, CONF_FIELD(CONF, bind, text_t), NULL,
                "the local address of connections to origins"),
    CONF_CUSTOM("proxy_via", ALL, 0, 1, 1, set_via, CONF_FIELD(CONF, via, str_t), "on",
                "whether requests say in Via that they came through here: on, off, or a name"),
    CONF_MSEC("proxy_connect_timeout", ALL, CONF, connect_timeout, "60s", 1, DAY,
              "the longest a connection to an origin may take"),
    CONF_MSEC("proxy_send_timeout", ALL, CONF, send_timeout, "60s", 1, DAY,
              "the longest an origin may pause while it takes the request"),
    CONF_MSEC("proxy_read_timeout", ALL, CONF, read_timeout, "60s", 1, 365 * DAY,
              "the longest an origin may pause while it answers"),
    CONF_FLAG("proxy_buffering", ALL, CONF, buffering, "on",
              "whether responses are read in large pieces (proxy_buffers)"),
    CONF_SIZE("proxy_buffer_size", ALL, CONF, buffer_size, "16k", 1024, 1 << 24,
              "the first buffer of a response; the only one with proxy_buffering off"),
    CONF_CUSTOM("proxy_buffers", ALL, 0, 2, 2, set_buffers, CONF_FIELD(CONF, buffers_size, size_t),
                "8 16k", "how much of a response is read at once: number times size"),
    CONF_SIZE("proxy_max_header_size", ALL, CONF, max_header_size, "128k", 4096, 1 << 24,
              "how large a response's head may be; its buffer grows as needed"),
    CONF_FLAG("proxy_request_buffering", ALL, CONF, request_buffering, "on",
              "whether a request's body is read whole before the origin is asked"),
    CONF_FLAG("proxy_intercept_errors", ALL, CONF, intercept_errors, "off",
              "whether error_page applies to what origins answer"),
    CONF_FLAG("proxy_ignore_client_abort", ALL, CONF, ignore_client_abort, "off",
              "whether the origin is waited for though the client has left"),
    CONF_MASK("proxy_next_upstream", ALL, CONF, next_upstream, "error timeout", failures,
              "when another origin of the group is asked"),
    CONF_NUMBER("proxy_next_upstream_tries", ALL, CONF, next_tries, "0", 0, UINT_MAX,
                "how many origins are asked at most; 0: all"),
    CONF_MSEC("proxy_next_upstream_timeout", ALL, CONF, next_timeout, "0", 0, DAY,
              "how long another origin may still be asked; 0: always"),
    CONF_CUSTOM("proxy_hedge_after", ALL, 0, 1, 1, set_hedge,
                CONF_FIELD(CONF, hedge, proxy_hedge_t), "off",
                "when a GET or HEAD is sent to a second server, too, as the first takes long; the "
                "first answer counts: off, a time, or 95%: as long as so many answers take"),
    CONF_CUSTOM("proxy_retry_budget", ALL, 0, 1, 2, set_budget,
                CONF_FIELD(CONF, budget, budget_limit_t), "20%",
                "how many attempts beyond the first there may be in a group: a share of its "
                "requests, at least some a second: 20% [min=10], or off"),
    WORDS("proxy_busy_buffers_size", "accepted for nginx's sake: a slow client slows its origin"),
    WORDS("proxy_temp_path", "accepted for nginx's sake: responses are never put into files"),
    WORDS("proxy_max_temp_file_size", "accepted for nginx's sake: see proxy_temp_path"),
    WORDS("proxy_temp_file_write_size", "accepted for nginx's sake: see proxy_temp_path"),
    WORDS("proxy_headers_hash_max_size", "accepted for nginx's sake: no hash needs tuning"),
    WORDS("proxy_headers_hash_bucket_size", "accepted for nginx's sake: no hash needs tuning"),
    WORDS("proxy_socket_keepalive", "accepted for nginx's sake: idle connections are watched"),
    WORDS("proxy_send_lowat", "accepted for nginx's sake: has no effect, as on Linux there"),
    CONF_END,
};
