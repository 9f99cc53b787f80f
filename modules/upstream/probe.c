#include "modules/upstream/probe.h"

#include <errno.h>

#include "core/base/strbuf.h"
#include "http/client.h"
#include "http/proxy_protocol.h"
#include "modules/upstream/probe_grpc.h"

/* "LOCAL" or "UNKNOWN": the connection is the proxy's own. */
static int announce(const health_t *h, origin_t *o)
{
    char header[PROXY_PROTOCOL_PUT_MAX];
    net_addr_t none = {.sa.sa_family = AF_UNIX};
    if (!h->proxy || !h->proxy->protocol) return 0;
    size_t n = proxy_protocol_put(header, h->proxy->protocol, &none, &none);
    ssize_t put = stream_write(&o->stream, header, n, h->timeout);
    return put < 0 ? (int)put : 0;
}

static int secure(const health_t *h, const upstream_peer_t *peer, origin_t *o)
{
    tls_client_t tls;
    tls_failure_t why;
    if (!h->proxy) return 0;
    proxy_ssl_describe_pass(h->proxy->pass, peer->name, &tls);
    tls.protocol = h->http2 ? STR("h2") : STR("");
    return tls.ctx ? tls_connect(&o->stream, &tls, h->timeout, &why) : 0;
}

static origin_t *open_connection(const health_t *h, const upstream_peer_t *peer, int *err)
{
    net_addr_t addr = peer->addr;
    if (h->port && addr.sa.sa_family != AF_UNIX) net_set_port(&addr, (uint16_t)h->port);
    origin_t *o = origin_open(&addr, NULL, h->timeout, err);
    if (!o) return NULL;
    *err = announce(h, o);
    if (*err == 0) *err = secure(h, peer, o);
    if (*err == 0) return o;
    origin_close(o);
    return NULL;
}

/* As much of the body as is looked at, and what came with it. */
static int read_body(client_t *c, strbuf_t *body)
{
    while (body->n < HEALTH_MATCH_BODY) {
        str_t piece;
        ssize_t n = client_next(c, &piece);
        int err = n == -EAGAIN ? client_fill(c) : n < 0 ? (int)n : 0;
        if (err < 0) return err;
        if (n == 0) return 0;
        if (n > 0) strbuf_add(body, piece);
    }
    return 0;
}

static fault_t judge(const health_t *h, client_t *c)
{
    fault_t fault = h->grpc ? 0 : health_match_head(h->match, &c->head);
    if (fault || !(h->grpc || (h->match && h->match->body))) return fault;
    strbuf_t body = {.pool = c->pool};
    int err = read_body(c, &body);
    if (err < 0) return fault_of(err);
    return h->grpc ? probe_grpc_judge(c, strbuf_text(&body), h->grpc_status)
                   : health_match_body(h->match, strbuf_text(&body));
}

/* The request is the check's: what may be changed is a copy. */
static int send_request(const health_t *h, client_t *c)
{
    struct iovec iov = {(char *)(uintptr_t)h->request.p, h->request.n};
    if (!h->http2) return client_send(c, &iov, 1);
    bool tls = h->proxy && h->proxy->pass->target.tls;
    int err = client_begin(c, pool_str(c->pool, h->request), tls, h->body.n == 0);
    return err < 0 || h->body.n == 0 ? err : client_send_body(c, h->body, true);
}

static fault_t ask(const health_t *h, client_t *c)
{
    enum { BUFFER = 16 * 1024, HEAD_MOST = 64 * 1024 };
    c->buffer_size = BUFFER;
    c->head_max = HEAD_MOST;
    c->send_timeout = c->read_timeout = h->timeout;
    int err = send_request(h, c);
    c->sent = err == 0;
    if (err >= 0) err = client_head(c);
    return err < 0 ? fault_of(err) : judge(h, c);
}

/* The connection goes with the exchange. NULL: no fiber could be had for it. */
static client_t *begin(pool_t *pool, const health_t *h, origin_t *o)
{
    mux_limits_t limits = {.requests = 1, .time = h->timeout};
    if (!h->http2) return client_new(pool, o);
    mux_t *m = mux_start(o, &limits);
    return m ? client_new_shared(pool, m) : NULL;
}

fault_t probe_run(pool_t *pool, const health_t *h, const upstream_peer_t *peer)
{
    int err;
    origin_t *o = open_connection(h, peer, &err);
    if (!o) return fault_of(err);
    if (h->tcp) {
        origin_close(o);
        return 0;
    }
    client_t *c = begin(pool, h, o);
    if (!c) return fault_of(-ENOMEM);
    fault_t fault = ask(h, c);
    client_close(c);
    return fault;
}
