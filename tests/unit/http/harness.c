#include "tests/unit/http/harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/flow.h"

extern const module_t http_module, rewrite_module, map_module, split_clients_module, geo_module;
extern const module_t access_module, auth_basic_module, realip_module;
extern const module_t proxy_module, proxy_ssl_module, upstream_module, health_module;
extern const module_t grpc_module, grpc_ssl_module;

static const module_t *const list[] = {&http_module, &rewrite_module, &map_module,
                                       &split_clients_module, &geo_module, &access_module,
                                       &auth_basic_module, &realip_module, &proxy_module,
                                       &proxy_ssl_module, &upstream_module, &health_module,
                                       &grpc_module, &grpc_ssl_module, NULL};

static harness_t *of(const request_t *r)
{
    return LIST_OF(r->conn, harness_t, conn);
}

static int take_head(request_t *r)
{
    r->reply.head_sent = true;
    return 0;
}

static int take_body(request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    (void)flags;
    for (unsigned i = 0; i < n; i++)
        of(r)->body = pool_concat(of(r)->pool, of(r)->body, str_make(pieces[i].p, pieces[i].n));
    return 0;
}

static int take_interim(request_t *r, int status, const header_list_t *headers)
{
    (void)r, (void)status, (void)headers;
    return 0;
}

static void take_abort(request_t *r)
{
    of(r)->aborted = true;
}

static const sink_ops_t sink = {
    .head = take_head, .body = take_body, .interim = take_interim, .abort = take_abort};

harness_t *harness_new(const char *text)
{
    pool_t *pool = pool_create();
    harness_t *h = POOL_NEW(pool, harness_t);
    generation_t *g = &h->generation;
    h->pool = g->pool = g->listens.pool = g->logfiles.pool = g->zones.pool = g->tempdirs.pool =
        pool;
    g->diag = diag_new(pool);
    modules_init(list);
    h->cf = (conf_t){.modules = list, .pool = pool, .diag = g->diag, .prefix = STR("/nonexistent/"),
                     .conf_dir = STR("/nonexistent/"), .generation = g};
    str_t all = pool_printf(pool, "http { %s }", text);
    tree_node_t *root = tree_parse(pool, g->diag, STR("test.conf"), all);
    cr_assert_eq(diag_errors(g->diag), 0, "syntax");
    h->scope = conf_load(&h->cf, root);
    h->conn.listen = g->listens.first;
    h->conn.stream.io.fd = -1;
    return h;
}

void harness_end(harness_t *h)
{
    if (h->r) request_end(h->r);
    pool_destroy(h->pool);
}

str_t harness_errors(harness_t *h)
{
    char *text = pool_bytes(h->pool, 4096);
    int fds[2];
    if (diag_errors(h->generation.diag) == 0) return STR("");
    cr_assert_eq(pipe(fds), 0);
    diag_print(h->generation.diag, fds[1]);
    close(fds[1]);
    ssize_t n = read(fds[0], text, 4095);
    close(fds[0]);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

const char *harness_renew(harness_t **h, const char *fmt, ...)
{
    va_list args;
    pool_t *pool = pool_create();
    va_start(args, fmt);
    const char *text = pool_cstr(pool, pool_vprintf(pool, fmt, args));
    va_end(args);
    if (*h) harness_end(*h);
    *h = harness_new(text);
    pool_destroy(pool);
    return pool_cstr((*h)->pool, harness_errors(*h));
}

void harness_enter(harness_t *h)
{
    const site_address_t *address = h->conn.listen->data;
    conf_scope_t *server = pool_memdup(h->pool, h->scope, sizeof(*h->scope));
    server->structs = address->fallback->conf;
    h->cf.scope = server;
    h->generation.diag = h->cf.diag = diag_new(h->pool);
}

request_t *harness_request(harness_t *h, const char *head)
{
    size_t used;
    uri_t uri;
    cr_assert_eq(diag_errors(h->generation.diag), 0, STR_FMT, STR_ARG(harness_errors(h)));
    if (h->r) request_end(h->r);
    h->body = STR("");
    h->aborted = false;
    request_t *r = h->r = request_new(&h->conn, &sink);
    str_t copy = pool_str(r->pool, str_of(head));
    cr_assert_eq(parse_request(copy.p, copy.n, &r->head, &used), PARSE_OK, "%s", head);
    r->method = r->head.method;
    r->method_id = r->head.method_id;
    r->received = used;
    cr_assert(uri_split(r->head.target, &uri));
    cr_assert(uri_normalise(r->pool, uri.path, true, &r->uri));
    r->args = uri.args;
    return r;
}

request_t *harness_request_from(harness_t *h, const char *client, const char *head)
{
    net_addr_t a;
    cr_assert(net_parse(str_of(client), 4711, &a), "%s", client);
    h->conn.peer = (struct sockaddr_in6){.sin6_family = a.sa.sa_family};
    if (a.sa.sa_family != AF_UNIX) memcpy(&h->conn.peer, &a.sa, a.len);
    return harness_request(h, head);
}

const char *harness_get(harness_t *h, const char *host, const char *target)
{
    str_t head = pool_printf(h->pool, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host);
    request_t *r = harness_request(h, head.p);
    flow_run(r);
    if (h->aborted) return "aborted";
    str_t location = header_value(&r->reply.headers, HEADER_LOCATION);
    return pool_printf(h->pool, "%d " STR_FMT, r->reply.status,
                       STR_ARG(location.p ? location : h->body)).p;
}
