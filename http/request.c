#include "http/request.h"

#include <stdio.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "http/http.h"
#include "http/uri.h"

/* Appends to a log line's context what fits. */
typedef struct context {
    char *out;
    size_t n, room;
} context_t;

static void add(context_t *c, const char *label, str_t value, const char *end)
{
    char text[LOG_LINE_MAX / 2];
    size_t len = log_escape(text, sizeof(text), value);
    int n = snprintf(c->out + c->n, c->room - c->n, "%s%.*s%s", label, (int)len, text, end);
    if (n > 0) c->n += (size_t)n < c->room - c->n ? (size_t)n : c->room - c->n - 1;
}

/* ", client: 10.0.0.1, server: example.org, request: "GET / HTTP/1.1", upstream: ..., host:
   "..."" */
static size_t log_context(const void *arg, char *out, size_t n)
{
    request_t *r = (request_t *)(uintptr_t)arg;
    context_t c = {.out = out, .room = n};
    add(&c, ", client: ", request_client_text(r), "");
    if (r->server) add(&c, ", server: ", r->server->name, "");
    if (r->head.line.n) add(&c, ", request: \"", r->head.line, "\"");
    if (r->upstream_url.n) add(&c, ", upstream: \"", r->upstream_url, "\"");
    if (r->head.host.n) add(&c, ", host: \"", r->head.host, "\"");
    str_t referer = header_value(&r->head.headers, HEADER_REFERER);
    if (referer.n) add(&c, ", referrer: \"", referer, "\"");
    return c.n;
}

static void set_log(request_t *r)
{
    const http_conf_t *c = http_conf(r->conf);
    r->log = c->log.targets ? c->log : log_main;
    r->log.connection = r->conn->number;
    r->log.context = log_context;
    r->log.arg = r;
}

request_t *request_new(conn_t *conn, const sink_ops_t *sink)
{
    pool_t *pool = pool_create();
    request_t *r = POOL_NEW(pool, request_t);
    r->pool = pool;
    r->conn = conn;
    r->sink = sink;
    r->started_ms = clock_unix_ms();
    r->began_ms = clock_ms();
    r->client = conn_peer(conn);
    r->scheme = conn->secure ? STR("https") : STR("http");
    r->body.fd = -1;
    r->server_rewrite = true;
    header_list_init(&r->head.headers, pool);
    request_set_server(r, conn_site(conn)->fallback);
    reply_reset(r, 0);
    return r;
}

/* --- copies --- */

str_t request_copy_text(pool_t *pool, str_t s)
{
    return s.p ? pool_str(pool, s) : s;
}

void request_copy_fields(pool_t *pool, const header_list_t *from, header_list_t *to)
{
    header_list_init(to, pool);
    HEADER_EACH(h, from)
        header_add_as(to, h->id, h->id ? header_name(h->id) : pool_str(pool, h->name),
                      request_copy_text(pool, h->value));
}

static void copy_head(request_t *in, const parse_request_t *from)
{
    parse_request_t *to = &in->head;
    to->line = request_copy_text(in->pool, from->line);
    to->method = request_copy_text(in->pool, from->method);
    to->target = request_copy_text(in->pool, from->target);
    to->host = request_copy_text(in->pool, from->host);
    to->framing = PARSE_NO_BODY;
    to->content_length = 0;
    request_copy_fields(in->pool, &from->headers, &to->headers);
}

static void copy_vars(request_t *in, const request_t *r)
{
    if (!r->vars_known) return;
    unsigned count = var_count(http_conf(r->conf)->vars);
    in->vars = POOL_ARRAY(in->pool, str_t, count);
    in->vars_known = POOL_ARRAY(in->pool, uint8_t, count);
    for (unsigned i = 0; i < count; i++) {
        if (!var_known(r, i)) continue;
        in->vars[i] = request_copy_text(in->pool, r->vars[i]);
        in->vars_known[i] = r->vars_known[i];
    }
}

static void copy_captures(request_t *in, const request_t *r)
{
    if (!r->captures) return;
    in->captures = pool_memdup(in->pool, r->captures, sizeof(*r->captures));
    in->captures->subject = request_copy_text(in->pool, r->captures->subject);
}

static void copy_target(request_t *in, const request_t *r)
{
    in->method = request_copy_text(in->pool, r->method);
    in->uri = request_copy_text(in->pool, r->uri);
    in->args = request_copy_text(in->pool, r->args);
    in->host = request_copy_text(in->pool, r->host);
    in->scheme = request_copy_text(in->pool, r->scheme);
}

request_t *request_copy(const request_t *r, const sink_ops_t *sink)
{
    pool_t *pool = pool_create();
    request_t *in = POOL_NEW(pool, request_t);
    *in = (request_t){.pool = pool,
                      .conn = r->conn,
                      .sink = sink,
                      .started_ms = r->started_ms,
                      .began_ms = r->began_ms,
                      .serial = r->serial,
                      .head = r->head,
                      .method_id = r->method_id,
                      .client = r->client,
                      .server = r->server,
                      .location = r->location,
                      .reroutes = r->reroutes,
                      .inner = true,
                      .internal = r->internal,
                      .uri_changed = r->uri_changed,
                      .uri_broken = r->uri_broken,
                      .plain = r->plain,
                      .body = {.fd = -1, .ended = true}};
    copy_head(in, &r->head);
    copy_target(in, r);
    request_set_conf(in, r->conf);
    copy_vars(in, r);
    copy_captures(in, r);
    reply_reset(in, 0);
    return in;
}

str_t request_client_text(request_t *r)
{
    char text[NET_TEXT_MAX];
    if (r->client_text.p) return r->client_text;
    if (r->client.sa.sa_family == AF_UNIX) return r->client_text = STR("unix:");
    size_t n = net_format(&r->client, false, text);
    return r->client_text = pool_str(r->pool, str_make(text, n));
}

bool request_basic(request_t *r, str_t *user, str_t *password)
{
    str_t value = header_value(&r->head.headers, HEADER_AUTHORIZATION), pair;
    if (!str_istarts(value, STR("Basic "))) return false;
    if (!base64_decode(r->pool, str_trim(str_sub(value, 6, value.n)), &pair)) return false;
    size_t colon = str_find(pair, 0, ':');
    if (colon == pair.n || memchr(pair.p, '\0', pair.n)) return false;
    *user = str_sub(pair, 0, colon);
    *password = str_sub(pair, colon + 1, pair.n);
    return true;
}

void request_set_server(request_t *r, site_server_t *server)
{
    r->server = server;
    request_set_conf(r, server->conf);
}

void request_set_conf(request_t *r, void **conf)
{
    r->conf = conf;
    set_log(r);
}

void request_end(request_t *r)
{
    pool_destroy(r->pool);
}

verdict_t request_reroute(request_t *r, str_t uri, str_t args)
{
    r->uri = uri;
    r->args = args;
    r->uri_changed = true;
    r->internal = true;
    r->server_rewrite = true;
    r->named = (str_t){NULL, 0};
    return VERDICT(REROUTE);
}

verdict_t request_reroute_named(request_t *r, str_t name)
{
    r->named = name;
    r->internal = true;
    return VERDICT(REROUTE);
}

str_t request_with_slash(request_t *r)
{
    str_t path = uri_escape(r->pool, pool_concat(r->pool, r->uri, STR("/")), URI_ESCAPE_PATH);
    if (!r->args.n) return path;
    return pool_printf(r->pool, STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(r->args));
}

/* The name a redirect gives the site: the client's own word for it, unless told otherwise. */
static str_t redirect_host(const request_t *r, const http_conf_t *c)
{
    return c->server_name_in_redirect || !r->host.n ? r->server->name : r->host;
}

str_t request_absolute(request_t *r, str_t path)
{
    const http_conf_t *c = http_conf(r->conf);
    str_t host = redirect_host(r, c);
    uint16_t port = net_port(&r->conn->listen->addr);
    uint16_t usual = str_eq(r->scheme, STR("https")) ? 443 : 80;
    if (!c->absolute_redirect || !host.n) return path;
    if (!c->port_in_redirect || port == usual || port == 0)
        return pool_printf(r->pool, STR_FMT "://" STR_FMT STR_FMT, STR_ARG(r->scheme),
                           STR_ARG(host), STR_ARG(path));
    return pool_printf(r->pool, STR_FMT "://" STR_FMT ":%u" STR_FMT, STR_ARG(r->scheme),
                       STR_ARG(host), port, STR_ARG(path));
}
