#include "modules/upstream/grpc_conf.h"

#include "http/http.h"
#include "modules/upstream/proxy_rows.h"

static bool set_pass(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    static const proxy_schemes_t schemes = {
        STR_INIT("grpc://"), STR_INIT("grpcs://"), "grpc_pass", true,
        "for example grpc://127.0.0.1:9000, grpcs://app.internal, unix:/run/app.sock"};
    (void)row;
    proxy_conf_t *c = conf;
    if (!proxy_rows_pass(cf, c, node, &schemes, true)) return false;
    return !c->pass->target.uri.n ||
           conf_error(cf, node, 1, "leave out what follows the host",
                      "\"grpc_pass\" cannot have URI part");
}

bool grpc_conf_check(conf_t *cf, void *conf)
{
    proxy_conf_t *c = conf;
    c->http_version = PROXY_HTTP_2;
    c->pass_headers = c->pass_body = true;
    c->buffering = c->request_buffering = false;
    proxy_rows_check(cf, c, &grpc_ssl_module);
    return true;
}

bool grpc_conf_begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    return proxy_rows_begin(cf, &grpc_module);
}

bool grpc_conf_finish(conf_t *cf)
{
    return proxy_rows_finish(cf, &grpc_module);
}

#define HERE (CONF_LOCATION | CONF_LOCATION_IF | CONF_LIMIT_EXCEPT)

const conf_row_t grpc_conf_rows[] = {
    CONF_CUSTOM("grpc_pass", HERE, CONF_LOCAL, 1, 1, set_pass,
                CONF_FIELD(proxy_conf_t, pass, proxy_pass_t *), NULL,
                "the gRPC server or group of them that serves the location: grpc://host:port"),
    PROXY_ROWS("grpc"),
    CONF_END,
};
