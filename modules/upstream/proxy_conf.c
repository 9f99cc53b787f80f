#include "modules/upstream/proxy_conf.h"

#include "http/http.h"
#include "http/proxy_protocol.h"
#include "modules/upstream/proxy_rows.h"

/* --- proxy_pass --- */

static bool may_have_uri(const conf_t *cf)
{
    const site_location_t *l = http_location_read(cf);
    bool block = cf->scope->context & (CONF_LOCATION_IF | CONF_LIMIT_EXCEPT);
    return !block && l && l->match != SITE_REGEX && l->match != SITE_NAMED;
}

static bool set_pass(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static const proxy_schemes_t schemes = {
        STR_INIT("http://"), STR_INIT("https://"), "proxy_pass", false,
        "for example http://127.0.0.1:8080, https://app.internal/, http://unix:/run/app.sock:/"};
    (void)row;
    return proxy_rows_pass(cf, conf, node, &schemes, may_have_uri(cf));
}

/* --- the others --- */

static bool set_buffers(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    proxy_conf_t *c = conf;
    return conf_number(cf, node, 1, node->words[1].text, 1, 1024, &c->buffers_count) &&
           conf_size(cf, node, 2, node->words[2].text, 1, 1 << 20, &c->buffers_size);
}

static bool set_hedge(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    proxy_hedge_t *hedge = CONF_AT(row, conf, proxy_hedge_t);
    str_t word = node->words[1].text;
    *hedge = (proxy_hedge_t){.percent = 0};
    if (str_eq(word, STR("off"))) return true;
    if (str_ends(word, STR("%"))) return proxy_rows_percent(cf, node, 1, 1, 99, &hedge->percent);
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
    proxy_rows_check(cf, c, &proxy_ssl_module);
    if (c->pass && c->redirects.automatic && !text_is_constant(&c->pass->text))
        return conf_error(cf, conf_node(cf, "proxy_redirect"), 0, "give the two words",
                          "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive "
                          "with variables");
    return true;
}

bool proxy_conf_begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    return proxy_rows_begin(cf, &proxy_module);
}

bool proxy_conf_finish(conf_t *cf)
{
    return proxy_rows_finish(cf, &proxy_module);
}

/* --- rows --- */

static const conf_name_t versions[] = {{"1.0", PROXY_HTTP_10}, {"1.1", PROXY_HTTP_11},
                                         {"2", PROXY_HTTP_2}, {NULL, 0}};

static const conf_name_t protocols[] = {
    {"off", 0}, {"on", PROXY_PROTOCOL_V1}, {"v2", PROXY_PROTOCOL_V2}, {NULL, 0}};

#define ALL CONF_HTTP_ALL
#define HERE (CONF_LOCATION | CONF_LOCATION_IF | CONF_LIMIT_EXCEPT)
#define CONF proxy_conf_t
#define WORDS(name, help) \
    CONF_CUSTOM(name, ALL, 0, 1, UINT_MAX, set_unused_words, CONF_NO_FIELD, NULL, help)

const conf_row_t proxy_conf_rows[] = {
    CONF_CUSTOM("proxy_pass", HERE, CONF_LOCAL, 1, 1, set_pass,
                CONF_FIELD(CONF, pass, proxy_pass_t *), NULL,
                "the origin or group of origins that serves the location: http://host:port/uri"),
    PROXY_ROWS("proxy"),
    CONF_CUSTOM("proxy_redirect", ALL, CONF_MANY, 1, 2, proxy_redirect_set,
                CONF_FIELD(CONF, redirects, proxy_rewrites_t), NULL,
                "how Location and Refresh are rewritten: default, off, or what becomes what"),
    CONF_CUSTOM("proxy_cookie_domain", ALL, CONF_MANY, 1, 2, proxy_redirect_set_cookie,
                CONF_FIELD(CONF, cookie_domains, proxy_rewrites_t), NULL,
                "how the domain of cookies is rewritten"),
    CONF_CUSTOM("proxy_cookie_path", ALL, CONF_MANY, 1, 2, proxy_redirect_set_cookie,
                CONF_FIELD(CONF, cookie_paths, proxy_rewrites_t), NULL,
                "how the path of cookies is rewritten"),
    CONF_CUSTOM("proxy_cookie_flags", ALL, CONF_MANY, 1, UINT_MAX, proxy_cookie_set,
                CONF_FIELD(CONF, cookie_flags, proxy_cookie_rules_t), NULL,
                "flags of cookies by name or ~regex: off, or NAME [secure] [httponly] "
                "[samesite=strict|lax|none] [nosecure] [nohttponly] [nosamesite]"),
    CONF_CUSTOM("proxy_store", ALL, 0, 1, 1, proxy_store_set,
                CONF_FIELD(CONF, store, proxy_store_conf_t), NULL,
                "whole answers of origins kept as files: on (as root or alias says), off, a path"),
    CONF_CUSTOM("proxy_store_access", ALL, 0, 1, 3, proxy_store_set_access,
                CONF_FIELD(CONF, store, proxy_store_conf_t), "user:rw",
                "the permissions of these files: user:rw group:rw all:r"),
    CONF_TEXT("proxy_method", ALL, CONF, method, NULL, "the method of requests to the origin"),
    CONF_TEXT("proxy_set_body", ALL, CONF, set_body, NULL, "the body of requests to the origin"),
    CONF_FLAG("proxy_pass_request_headers", ALL, CONF, pass_headers, "on",
              "whether the client's fields go to the origin"),
    CONF_FLAG("proxy_pass_request_body", ALL, CONF, pass_body, "on",
              "whether the client's body goes to the origin"),
    CONF_ENUM("proxy_http_version", ALL, CONF, http_version, "1.1", versions,
              "the protocol spoken to the origin; 1.0: no connection kept; 2: requests share one"),
    CONF_ENUM("proxy_protocol", ALL, CONF, protocol, "off", protocols,
              "whether origins are told the client in the PROXY protocol: off, on (version 1), v2"),
    CONF_FLAG("proxy_buffering", ALL, CONF, buffering, "on",
              "whether responses are read in large pieces (proxy_buffers)"),
    CONF_CUSTOM("proxy_buffers", ALL, 0, 2, 2, set_buffers, CONF_FIELD(CONF, buffers_size, size_t),
                "8 16k", "how much of a response is read at once: number times size"),
    CONF_FLAG("proxy_request_buffering", ALL, CONF, request_buffering, "on",
              "whether a request's body is read whole before the origin is asked"),
    CONF_FLAG("proxy_ignore_client_abort", ALL, CONF, ignore_client_abort, "off",
              "whether the origin is waited for though the client has left"),
    CONF_CUSTOM("proxy_hedge_after", ALL, 0, 1, 1, set_hedge,
                CONF_FIELD(CONF, hedge, proxy_hedge_t), "off",
                "when a GET or HEAD is sent to a second server, too, as the first takes long; the "
                "first answer counts: off, a time, or 95%: as long as so many answers take"),
    WORDS("proxy_busy_buffers_size", "accepted for nginx's sake: a slow client slows its origin"),
    WORDS("proxy_temp_path", "accepted for nginx's sake: responses are never put into files"),
    WORDS("proxy_max_temp_file_size", "accepted for nginx's sake: see proxy_temp_path"),
    WORDS("proxy_temp_file_write_size", "accepted for nginx's sake: see proxy_temp_path"),
    WORDS("proxy_headers_hash_max_size", "accepted for nginx's sake: no hash needs tuning"),
    WORDS("proxy_headers_hash_bucket_size", "accepted for nginx's sake: no hash needs tuning"),
    WORDS("proxy_send_lowat", "accepted for nginx's sake: has no effect, as on Linux there"),
    CONF_END,
};
