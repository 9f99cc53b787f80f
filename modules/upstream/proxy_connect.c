#include "modules/upstream/proxy_connect.h"

#include <errno.h>

#include "modules/upstream/proxy_announce.h"
#include "modules/upstream/proxy_next.h"
#include "modules/upstream/proxy_request.h"

static void keep_alive(const origin_t *o)
{
    int on = 1;
    setsockopt(o->stream.io.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static origin_t *open_origin(proxy_t *p, int *err)
{
    proxy_watch_client(p, true);
    origin_t *o = origin_open(&p->peer->addr, &p->from, p->conf->connect_timeout, err);
    if (o && p->conf->socket_keepalive) keep_alive(o);
    if (o) o = proxy_announce(p, o, err);
    if (o && p->tls.ctx) o = proxy_ssl_start(p, o, err);
    proxy_watch_client(p, false);
    return o;
}

/* --- a connection of its own: HTTP/1 --- */

static origin_t *take_idle(proxy_t *p)
{
    origin_t *o;
    if (p->http_version == PROXY_HTTP_10 || p->conf->protocol) return NULL;
    while ((o = keepalive_take(p->target.group->idle, &p->peer->addr, &p->from,
                               p->tls.ctx ? &p->tls : NULL))) {
        /* What must not be sent twice is worth a question whether the connection still stands. */
        if (proxy_next_idempotent(p) || origin_is_quiet(o)) return o;
        origin_close(o);
    }
    return NULL;
}

static bool connect_alone(proxy_t *p, bool fresh, int *err)
{
    origin_t *o = fresh ? NULL : take_idle(p);
    p->reused = o != NULL;
    if (!o) o = open_origin(p, err);
    if (o) p->client = client_new(p->r->pool, o);
    return o;
}

/* --- a shared one: HTTP/2 --- */

static mux_limits_t limits_of(const proxy_t *p)
{
    const keepalive_conf_t *k = &p->target.group->keepalive;
    return (mux_limits_t){.requests = p->conf->protocol ? 1 : k->requests,
                          .time = k->time,
                          .idle = p->conf->protocol ? 0 : k->timeout,
                          .ping = p->conf->http2_ping};
}

/* In the PROXY protocol a connection is for one client. */
static mux_t *make_own(proxy_t *p, int *err)
{
    mux_limits_t limits = limits_of(p);
    origin_t *o = open_origin(p, err);
    mux_t *m = o ? mux_start(o, &limits) : NULL;
    if (o && !m) *err = -EMFILE;
    return m;
}

static mux_t *make_shared(proxy_t *p, const sharing_key_t *key, int *err)
{
    mux_limits_t limits = limits_of(p);
    const keepalive_conf_t *k = &p->target.group->keepalive;
    sharing_place_t *place = sharing_begin(&p->target.group->idle->sharing, key);
    origin_t *o = open_origin(p, err);
    if (!o) {
        sharing_failed(place, fiber_cancelled(fiber_self()) ? 0 : *err);
        return NULL;
    }
    mux_t *m = sharing_made(place, o, &limits, k->keep);
    if (!m) *err = -EMFILE;
    return m;
}

static sharing_key_t key_of(const proxy_t *p)
{
    return (sharing_key_t){&p->peer->addr, &p->from, p->tls.ctx ? &p->tls : NULL};
}

static mux_t *take_shared(proxy_t *p, bool fresh, int *err)
{
    const sharing_t *sharing = &p->target.group->idle->sharing;
    sharing_key_t key = key_of(p);
    p->reused = !fresh;
    for (;; fresh = false) {
        mux_t *m = fresh ? NULL : sharing_find(sharing, &key);
        if (m && (proxy_next_idempotent(p) || mux_is_quiet(m))) return m;
        sharing_place_t *place = m ? NULL : sharing_pending(sharing, &key);
        if (m) continue;
        if (!place) break;
        proxy_watch_client(p, true);
        *err = sharing_await(place, p->conf->connect_timeout);
        proxy_watch_client(p, false);
        if (*err < 0) return NULL;
    }
    p->reused = false;
    return make_shared(p, &key, err);
}

static bool connect_shared(proxy_t *p, bool fresh, int *err)
{
    mux_t *m = p->conf->protocol ? make_own(p, err) : take_shared(p, fresh, err);
    if (m) p->client = client_new_shared(p->r->pool, m);
    return m;
}

/* --- for a tunnel: a stream where the origin takes those, else a connection of its own --- */

/* One whose origin has said what it takes, if that can be had. */
static mux_t *take_settled(proxy_t *p, bool fresh, int *err)
{
    for (;; fresh = false) {
        mux_t *m = take_shared(p, fresh, err);
        if (!m || m->session.settled) return m;
        sharing_key_t key = key_of(p);
        sharing_place_t *place = sharing_pending(&p->target.group->idle->sharing, &key);
        if (!place) return m;
        proxy_watch_client(p, true);
        *err = sharing_await(place, p->conf->connect_timeout);
        proxy_watch_client(p, false);
        if (*err < 0) return NULL;
    }
}

/* RFC 8441 3; only WebSocket is known to be spoken over HTTP/2. */
static bool connect_tunnel(proxy_t *p, bool fresh, int *err)
{
    if (str_ieq(p->protocol, STR("websocket")) && !p->conf->protocol) {
        mux_t *m = take_settled(p, fresh, err);
        if (!m) return false;
        p->extended = mux_session_takes_tunnels(&m->session);
        if (p->extended) p->client = client_new_shared(p->r->pool, m);
        if (p->extended) return true;
        proxy_log(p, LOG_INFO, 0, "upstream takes no WebSocket over HTTP/2, asking over HTTP/1.1",
                  "connecting to upstream");
    }
    p->http_version = PROXY_HTTP_11;
    p->tls.protocol = STR("");
    return connect_alone(p, fresh, err);
}

/* --- the door --- */

bool proxy_connect(proxy_t *p, bool fresh, int *err)
{
    bool shared = p->http_version == PROXY_HTTP_2;
    p->extended = false;
    if (shared && proxy_request_may_tunnel(p)) return connect_tunnel(p, fresh, err);
    return shared ? connect_shared(p, fresh, err) : connect_alone(p, fresh, err);
}
