#include "modules/upstream/proxy_announce.h"

#include "http/proxy_protocol.h"

origin_t *proxy_announce(const proxy_t *p, origin_t *o, int *err)
{
    char header[PROXY_PROTOCOL_PUT_MAX];
    net_addr_t server;
    if (!p->conf->protocol) return o;
    net_local(p->r->conn->stream.io.fd, &server);
    size_t n = proxy_protocol_put(header, p->conf->protocol, &p->r->client, &server);
    o->stream.more = true; /* it goes with the request */
    ssize_t put = stream_write(&o->stream, header, n, p->conf->send_timeout);
    o->stream.more = false;
    if (put >= 0) return o;
    *err = (int)put;
    origin_close(o);
    return NULL;
}
