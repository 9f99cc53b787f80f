/* http_module: the rows of the directives that belong to no module. The blocks: http_block.c. */
#include "http/http.h"

#include "config.h"
#include "core/process/generation.h"
#include "http/http_block.h"
#include "http/http_listen.h"
#include "http/resolve.h"
#include "http/var_core.h"

/* --- directives of more than one word --- */

/* keepalive_timeout timeout [header_timeout] */
static bool set_keepalive_timeout(conf_t *cf, const conf_row_t *row, void *conf,
                                  const tree_node_t *node)
{
    http_conf_t *c = conf;
    (void)row;
    if (!conf_msec(cf, node, 1, node->words[1].text, &c->keepalive_timeout)) return false;
    c->keepalive_header = 0;
    return node->n < 3 || conf_msec(cf, node, 2, node->words[2].text, &c->keepalive_header);
}

/* large_client_header_buffers number size */
static bool set_large_buffers(conf_t *cf, const conf_row_t *row, void *conf,
                              const tree_node_t *node)
{
    http_conf_t *c = conf;
    (void)row;
    return conf_number(cf, node, 1, node->words[1].text, 1, 1024, &c->large_buffers_count) &&
           conf_size(cf, node, 2, node->words[2].text, 256, 1024 * 1024, &c->large_buffer_size);
}

/* client_body_temp_path path [level1 [level2 [level3]]]: one directory serves, levels are
   accepted */
static bool set_temp_path(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t path = conf_full_path(cf, node->words[1].text, false);
    *CONF_AT(row, conf, str_t) = path;
    /* The http block's own, or its default, is wanted when the block ends. */
    bool nested = cf->scope && (cf->scope->context & (CONF_SERVER | CONF_LOCATION));
    if (nested) tempdir_want(&generation_of(cf)->tempdirs, path);
    return true;
}

static bool set_internal(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)cf, (void)row, (void)node;
    ((http_conf_t *)conf)->internal = true;
    return true;
}

/* error_page code ... [=[answer]] target */
static bool add_error_page(conf_t *cf, http_conf_t *c, const tree_node_t *node, unsigned word,
                           int answer, const text_t *target)
{
    unsigned status;
    if (!conf_number(cf, node, word, node->words[word].text, 300, 599, &status)) return false;
    if (status == 499)
        return conf_error(cf, node, word, "nobody is there to see it", "499 cannot have a page");
    *VEC_PUSH(cf->pool, &c->error_pages) =
        (http_error_page_t){.status = (int)status, .answer = answer, .target = *target};
    return true;
}

static bool answer_of(conf_t *cf, const tree_node_t *node, unsigned word, int *answer)
{
    str_t text = node->words[word].text;
    unsigned status = 0;
    *answer = -1;
    if (text.n == 1) return true;
    if (!conf_number(cf, node, word, str_sub(text, 1, text.n), 200, 599, &status)) return false;
    *answer = (int)status;
    return true;
}

static bool set_error_page(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    unsigned last = node->n - 1, codes = last;
    int answer = 0;
    text_t target;
    (void)row;
    if (str_starts(node->words[last - 1].text, STR("="))) {
        codes = last - 1;
        if (!answer_of(cf, node, codes, &answer)) return false;
    }
    if (codes < 2)
        return conf_error(cf, node, 0, "error_page 404 /404.html", "error_page without a status");
    if (!text_compile(cf, node, last, node->words[last].text, &target)) return false;
    for (unsigned i = 1; i < codes; i++)
        if (!add_error_page(cf, conf, node, i, answer, &target)) return false;
    return true;
}

static bool check(conf_t *cf, void *conf)
{
    http_conf_t *c = conf;
    (void)cf;
    if (c->large_buffer_size < c->client_header_buffer_size)
        c->client_header_buffer_size = c->large_buffer_size;
    return true;
}

/* Names are looked up in tables that grow by themselves. */
static bool set_hash_size(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    unsigned ignored;
    (void)row, (void)conf;
    return conf_number(cf, node, 1, node->words[1].text, 1, UINT_MAX, &ignored);
}

/* --- rows --- */

static const conf_name_t lingering[] = {
    {"off", HTTP_LINGER_OFF}, {"on", HTTP_LINGER_ON}, {"always", HTTP_LINGER_ALWAYS}, {NULL, 0}};
static const conf_name_t satisfy[] = {
    {"all", HTTP_SATISFY_ALL}, {"any", HTTP_SATISFY_ANY}, {NULL, 0}};

static const conf_name_t contexts[] = {
    {"http", CONF_HTTP},
    {"server", CONF_SERVER},
    {"location", CONF_LOCATION},
    {"if in server", CONF_SERVER_IF},
    {"if in location", CONF_LOCATION_IF},
    {"limit_except", CONF_LIMIT_EXCEPT},
    {"upstream", CONF_UPSTREAM},
    {"acme_issuer", CONF_ACME_ISSUER},
    {NULL, 0},
};

#define ALL CONF_HTTP_ALL
#define CONF http_conf_t
#define HOUR (3600ull * 1000)
#define HASH_SIZE(name, contexts) \
    CONF_CUSTOM(name, contexts, 0, 1, 1, set_hash_size, CONF_NO_FIELD, NULL, \
                "accepted for nginx's sake: tables have the size they need")

static const conf_row_t rows[] = {
    CONF_CUSTOM("http", CONF_MAIN, CONF_BLOCK, 0, 0, http_block_http, CONF_NO_FIELD, NULL,
                "everything that is served over HTTP"),
    CONF_CUSTOM("server", CONF_HTTP, CONF_BLOCK | CONF_MANY, 0, 0, http_block_server, CONF_NO_FIELD,
                NULL, "a site: found by address and Host"),
    CONF_CUSTOM("location", CONF_SERVER | CONF_LOCATION, CONF_BLOCK | CONF_MANY, 1, 2,
                http_block_location, CONF_NO_FIELD, NULL, "a part of a site: found by the URI"),
    CONF_CUSTOM("limit_except", CONF_LOCATION, CONF_BLOCK, 1, UINT_MAX, http_block_limit_except,
                CONF_NO_FIELD, NULL, "what holds for all methods but these (HEAD goes with GET)"),
    CONF_CUSTOM("listen", CONF_SERVER, CONF_MANY, 1, UINT_MAX, http_listen_set, CONF_NO_FIELD, NULL,
                "an address the server is reached at"),
    CONF_CUSTOM("server_name", CONF_SERVER, CONF_MANY, 1, UINT_MAX, http_block_server_name,
                CONF_NO_FIELD, NULL, "names of the server: exact, *.wildcard, wildcard.*, ~regex"),
    CONF_CUSTOM("error_log", ALL, CONF_MANY, 1, 2, core_conf_set_error_log,
                CONF_FIELD(CONF, log, log_t), NULL, "where errors are logged, from which level"),
    CONF_CUSTOM("error_page", ALL | CONF_LOCATION_IF, CONF_MANY, 2, UINT_MAX, set_error_page,
                CONF_FIELD(CONF, error_pages, http_error_pages_t), NULL,
                "the URI, named location or URL that stands in for a status"),
    CONF_FLAG("recursive_error_pages", ALL, CONF, recursive_error_pages, "off",
              "whether an error on the way to an error page has a page, too"),
    CONF_MSEC("client_header_timeout", CONF_HTTP | CONF_SERVER, CONF, client_header_timeout, "60s",
              1, 365 * 24 * HOUR, "the longest a client may take to send a request's head"),
    CONF_MSEC("client_body_timeout", ALL, CONF, client_body_timeout, "60s", 1, 365 * 24 * HOUR,
              "the longest pause of a client while it sends a body"),
    CONF_MSEC("send_timeout", ALL, CONF, send_timeout, "60s", 1, 365 * 24 * HOUR,
              "the longest pause of a client while it takes a reply"),
    CONF_CUSTOM("keepalive_timeout", ALL, 0, 1, 2, set_keepalive_timeout,
                CONF_FIELD(CONF, keepalive_timeout, msec_t), "75s",
                "how long an idle connection is kept; the second time is told to the client"),
    CONF_NUMBER("keepalive_requests", ALL, CONF, keepalive_requests, "1000", 1, UINT_MAX,
                "requests on one connection"),
    CONF_MSEC("keepalive_time", ALL, CONF, keepalive_time, "1h", 1, 365 * 24 * HOUR,
              "the age from which a connection is closed after a request"),
    CONF_ENUM("lingering_close", ALL, CONF, lingering_close, "on", lingering,
              "whether to read on for a while before closing"),
    CONF_MSEC("lingering_time", ALL, CONF, lingering_time, "30s", 1, HOUR,
              "how long lingering may take in all"),
    CONF_MSEC("lingering_timeout", ALL, CONF, lingering_timeout, "5s", 1, HOUR,
              "the longest pause of a client while lingering"),
    CONF_FLAG("reset_timedout_connection", ALL, CONF, reset_timedout_connection, "off",
              "whether a connection that timed out is reset"),
    CONF_SIZE("client_header_buffer_size", CONF_HTTP | CONF_SERVER, CONF, client_header_buffer_size,
              "1k", 1, 1024 * 1024, "the first buffer of a head; at least 4k is taken"),
    CONF_CUSTOM("large_client_header_buffers", CONF_HTTP | CONF_SERVER, 0, 2, 2, set_large_buffers,
                CONF_FIELD(CONF, large_buffer_size, size_t), "4 8k",
                "how large a head may be: number times size; and one line: size"),
    CONF_SIZE("client_max_body_size", ALL, CONF, client_max_body_size, "1m", 0, LLONG_MAX,
              "the largest request body; 0: no limit"),
    CONF_SIZE("client_body_buffer_size", ALL, CONF, client_body_buffer_size, "64k", 1, 1ull << 30,
              "how much of a request body is kept in memory before it goes to a file"),
    CONF_CUSTOM("client_body_temp_path", ALL, 0, 1, 4, set_temp_path,
                CONF_FIELD(CONF, client_body_temp_path, str_t), PROXYD_CLIENT_BODY_TEMP_PATH,
                "where large request bodies are kept while they are needed"),
    CONF_FLAG("merge_slashes", CONF_HTTP | CONF_SERVER, CONF, merge_slashes, "on",
              "whether several slashes in a URI count as one"),
    CONF_FLAG("ignore_invalid_headers", CONF_HTTP | CONF_SERVER, CONF, ignore_invalid_headers, "on",
              "accepted for nginx's sake: invalid fields are always refused"),
    CONF_FLAG("underscores_in_headers", CONF_HTTP | CONF_SERVER, CONF, underscores_in_headers,
              "off", "whether request fields with an underscore in their name are kept"),
    CONF_FLAG("server_tokens", ALL, CONF, server_tokens, "on",
              "whether Server and built-in pages tell the version"),
    CONF_FLAG("chunked_transfer_encoding", ALL, CONF, chunked_transfer_encoding, "on",
              "whether bodies of unknown length are sent in chunks"),
    CONF_FLAG("tcp_nopush", ALL, CONF, tcp_nopush, "off",
              "whether a head waits for the file behind it: fewer packets, sent somewhat later"),
    CONF_FLAG("tcp_nodelay", ALL, CONF, tcp_nodelay, "on",
              "accepted for nginx's sake: small segments are never delayed"),
    CONF_CUSTOM("internal", CONF_LOCATION, CONF_LOCAL, 0, 0, set_internal,
                CONF_FIELD(CONF, internal, bool), NULL,
                "the location serves internal redirects only"),
    CONF_FLAG("server_name_in_redirect", ALL, CONF, server_name_in_redirect, "off",
              "whether redirects name the server by its server_name"),
    CONF_FLAG("port_in_redirect", ALL, CONF, port_in_redirect, "on",
              "whether redirects name the port"),
    CONF_FLAG("absolute_redirect", ALL, CONF, absolute_redirect, "on",
              "whether redirects are absolute URLs"),
    CONF_FLAG("log_not_found", ALL, CONF, log_not_found, "on",
              "whether files that are not there are logged"),
    CONF_ENUM("satisfy", ALL, CONF, satisfy, "all", satisfy,
              "whether all access checks must pass, or any"),
    CONF_CUSTOM("resolver", ALL | CONF_UPSTREAM | CONF_ACME_ISSUER, 0, 1, UINT_MAX, resolve_set,
                CONF_FIELD(CONF, resolver, struct http_resolver *), NULL,
                "name servers for origins given by name"),
    CONF_MSEC("resolver_timeout", ALL | CONF_UPSTREAM | CONF_ACME_ISSUER, CONF, resolver_timeout,
              "30s", 1, HOUR,
              "the longest a name may take to resolve"),
    CONF_FLAG("http2", CONF_HTTP | CONF_SERVER, CONF, http2, "off",
              "whether HTTP/2 is spoken: over TLS when the client offers it, else if it begins so"),
    HASH_SIZE("server_names_hash_max_size", CONF_HTTP),
    HASH_SIZE("server_names_hash_bucket_size", CONF_HTTP),
    HASH_SIZE("variables_hash_max_size", CONF_HTTP),
    HASH_SIZE("variables_hash_bucket_size", CONF_HTTP),
    HASH_SIZE("map_hash_max_size", CONF_HTTP),
    HASH_SIZE("map_hash_bucket_size", CONF_HTTP),
    CONF_END,
};

static const http_hooks_t hooks = {.variables = var_core_defs};

const module_t http_module = {
    .name = "http",
    .index = &http_index,
    .rows = rows,
    .contexts = contexts,
    .conf_size = sizeof(http_conf_t),
    .check = check,
    .hooks = &hooks,
};
