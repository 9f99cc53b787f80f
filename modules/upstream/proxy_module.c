/*
 * proxy_module: proxy_pass as content: a peer, a connection, an exchange, and the next one should it
 * fail. One attempt after the other in the request's fiber.
 */
#include "modules/upstream/proxy.h"

#include <errno.h>

#include "core/base/clock.h"
#include "http/http.h"
#include "http/resolve.h"
#include "modules/upstream/proxy_announce.h"
#include "modules/upstream/proxy_conf.h"
#include "modules/upstream/proxy_forwards.h"
#include "modules/upstream/proxy_request.h"
#include "modules/upstream/proxy_response.h"
#include "modules/upstream/proxy_vars.h"
#include "modules/upstream/sticky.h"
#include "modules/upstream/waiting.h"

static const char *const connecting = "connecting to upstream";
static const char *const handshaking = "SSL handshaking to upstream";
static const char *const sending = "sending request to upstream";
static const char *const reading = "reading response header from upstream";

/* --- failures --- */

static verdict_t client_left(proxy_t *p)
{
    proxy_log(p, LOG_INFO, 0,
              "epoll_wait() reported that client prematurely closed connection, so upstream "
              "connection is closed too", p->client ? reading : connecting);
    return verdict_refuse(499, LOG_INFO, NULL);
}

static verdict_t failed(proxy_t *p, unsigned failure, int status)
{
    p->failure = failure;
    proxy_attempt(p)->status = status;
    return verdict_refuse(status, LOG_ERR, NULL);
}

/* The fiber was cancelled: the client left, or the worker must stop. */
static bool is_cancelled(void)
{
    return fiber_cancelled(fiber_self()) != 0;
}

static verdict_t timed_out(proxy_t *p, const char *doing)
{
    proxy_log(p, LOG_ERR, ETIMEDOUT, "upstream timed out", doing);
    return failed(p, PROXY_TIMEOUT, 504);
}

static verdict_t connect_failed(proxy_t *p, int err)
{
    if (is_cancelled()) return client_left(p);
    if (err == -ETIMEDOUT) return timed_out(p, p->handshaking ? handshaking : connecting);
    if (!p->handshaking) proxy_log(p, LOG_ERR, -err, "connect() failed", connecting);
    return failed(p, PROXY_ERROR, err == -EMFILE ? 500 : 502);
}

static verdict_t invalid_head(proxy_t *p)
{
    parse_error_t why = p->client->why;
    bool no_http = why == PARSE_BAD_STATUS || why == PARSE_BAD_VERSION;
    str_t text = pool_printf(p->r->pool, "upstream sent %s",
                             no_http ? "no valid HTTP/1.0 header" : parse_error_text(why));
    proxy_log(p, LOG_ERR, 0, text.p, reading);
    return failed(p, PROXY_INVALID_HEADER, 502);
}

static verdict_t exchange_failed(proxy_t *p, int err, const char *doing)
{
    /* -ECONNABORTED: an interim response could not be handed to the client. */
    if (is_cancelled() || err == -ECONNABORTED) return client_left(p);
    switch (err) {
    case -ETIMEDOUT: return timed_out(p, doing);
    case -EBADMSG: return invalid_head(p);
    case -EMSGSIZE:
        proxy_log(p, LOG_ERR, 0, "upstream sent too big header", reading);
        return failed(p, PROXY_INVALID_HEADER, 502);
    case -ENODATA:
        proxy_log(p, LOG_ERR, 0, "upstream prematurely closed connection", reading);
        return failed(p, PROXY_ERROR, 502);
    default:
        proxy_log(p, LOG_ERR, -err, doing == sending ? "writev() failed" : "recv() failed", doing);
        return failed(p, PROXY_ERROR, 502);
    }
}

/* --- which failures another attempt may mend --- */

static bool is_idempotent(const proxy_t *p)
{
    switch (p->method_id) {
    case METHOD_POST:
    case METHOD_PATCH:
    case METHOD_LOCK:
    case METHOD_OTHER: return false;
    default: return true;
    }
}

static bool may_try_next(const proxy_t *p, unsigned failure)
{
    const proxy_conf_t *c = p->conf;
    if (!(c->next_upstream & failure) || c->next_upstream & PROXY_OFF) return false;
    if (p->body_begun) return false;
    if (p->request_sent && !is_idempotent(p) && !(c->next_upstream & PROXY_NON_IDEMPOTENT))
        return false;
    if (c->next_tries && p->tries >= c->next_tries) return false;
    if (c->next_timeout && clock_ms() - p->began_ms >= c->next_timeout) return false;
    return p->tries < balance_candidates(&p->balance);
}

/* An idle connection that the origin closed just when we took it: nothing was served yet. */
static bool was_stale(const proxy_t *p, int err)
{
    const client_t *c = p->client;
    bool closed = err == -ENODATA || err == -EPIPE || err == -ECONNRESET;
    return p->reused && closed && !is_cancelled() && client_received(c) == 0 && !p->body_begun &&
           (is_idempotent(p) || client_sent(c) == 0);
}

/* --- one attempt --- */

static void begin_attempt(proxy_t *p)
{
    upstream_attempt_t *a = VEC_PUSH(p->r->pool, &p->r->attempts);
    a->address = p->peer ? p->peer->name : p->target.group->name;
    a->started_us = clock_ms() * 1000;
    a->connect_us = a->header_us = a->response_us = -1;
    p->r->upstream_url = (str_t){NULL, 0};
    p->client = NULL;
    p->failure = 0;
    p->tries++;
}

static int64_t elapsed_us(const proxy_t *p)
{
    return (int64_t)(clock_ms() * 1000 - proxy_attempt(p)->started_us);
}

static origin_t *take_idle(proxy_t *p)
{
    origin_t *o;
    if (p->conf->http_version == PROXY_HTTP_10 || p->conf->protocol) return NULL;
    while ((o = keepalive_take(p->target.group->idle, &p->peer->addr, &p->from,
                               p->tls.ctx ? &p->tls : NULL))) {
        /* What must not be sent twice is worth a question whether the connection still stands. */
        if (is_idempotent(p) || origin_is_quiet(o)) return o;
        origin_close(o);
    }
    return NULL;
}

static origin_t *connect_to(proxy_t *p, bool fresh, int *err)
{
    origin_t *o = fresh ? NULL : take_idle(p);
    p->reused = o != NULL;
    if (!o) {
        proxy_watch_client(p, true);
        o = origin_open(&p->peer->addr, &p->from, p->conf->connect_timeout, err);
        if (o) o = proxy_announce(p, o, err);
        if (o && p->tls.ctx) o = proxy_ssl_start(p, o, err);
        proxy_watch_client(p, false);
    }
    if (o) proxy_attempt(p)->connect_us = elapsed_us(p);
    return o;
}

static void begin_exchange(proxy_t *p, origin_t *o)
{
    const proxy_conf_t *c = p->conf;
    client_t *client = p->client = client_new(p->r->pool, o);
    size_t all = c->buffers_count * c->buffers_size;
    client->buffer_size = p->buffering && all > c->buffer_size ? all : c->buffer_size;
    client->head_max = c->max_header_size;
    client->send_timeout = c->send_timeout;
    client->read_timeout = c->read_timeout;
    client->head_request = p->method_id == METHOD_HEAD;
    client->interim = proxy_response_interim;
    client->arg = p;
}

static int wait_for_head(proxy_t *p)
{
    proxy_watch_client(p, true);
    int err = client_head(p->client);
    proxy_watch_client(p, false);
    return err;
}

/* Sends the request and waits for the head. NEXT when it is there. */
static verdict_t exchange(proxy_t *p, bool *stale)
{
    int err = 0;
    proxy_sent_t sent = proxy_request_send(p, p->uri, &err);
    if (sent == PROXY_SENT_CLIENT) return body_verdict(p->r, err);
    p->client->sent = sent == PROXY_SENT;
    const char *doing = sent == PROXY_SENT_ERROR ? sending : reading;
    if (sent != PROXY_SENT_ERROR) err = wait_for_head(p);
    if (err < 0 || sent == PROXY_SENT_ERROR) {
        *stale = was_stale(p, err);
        return *stale ? VERDICT(REROUTE) : exchange_failed(p, err, doing);
    }
    upstream_attempt_t *a = proxy_attempt(p);
    a->header_us = elapsed_us(p);
    a->status = p->client->head.status;
    p->r->upstream_headers = &p->client->head.headers;
    return VERDICT(NEXT);
}

/* On an idle connection if there is one, and once more on a fresh one should it prove dead. */
static verdict_t ask(proxy_t *p)
{
    bool stale = false;
    proxy_ssl_describe(p);
    for (;;) {
        int err = 0;
        origin_t *o = connect_to(p, stale, &err);
        if (!o) return connect_failed(p, err);
        begin_exchange(p, o);
        stale = false;
        verdict_t v = exchange(p, &stale);
        if (!stale) return v;
        client_close(p->client);
    }
}

/* --- what a status means --- */

static unsigned failure_of(int status)
{
    switch (status) {
    case 403: return PROXY_HTTP_403;
    case 404: return PROXY_HTTP_404;
    case 429: return PROXY_HTTP_429;
    case 500: return PROXY_HTTP_500;
    case 502: return PROXY_HTTP_502;
    case 503: return PROXY_HTTP_503;
    case 504: return PROXY_HTTP_504;
    default: return 0;
    }
}

/* NEXT: the response goes to the client. */
static verdict_t judge(proxy_t *p)
{
    int status = p->client->head.status;
    bool upgraded = p->upgrade && header_get(&p->client->head.headers, HEADER_UPGRADE);
    if (status == 101 && !upgraded) {
        proxy_log(p, LOG_ERR, 0, "upstream sent invalid header: 101 to a request that asked for no "
                                 "upgrade", reading);
        return failed(p, PROXY_INVALID_HEADER, 502);
    }
    unsigned failure = failure_of(status);
    if (!failure || !may_try_next(p, failure)) return VERDICT(NEXT);
    return failed(p, failure, status);
}

static balance_result_t result_of(const proxy_t *p, verdict_t v)
{
    if (p->failure & (PROXY_HTTP_403 | PROXY_HTTP_404)) return BALANCE_ABANDONED;
    if (p->failure) return BALANCE_FAILED;
    return v.kind == VERDICT_REFUSE && v.status == 499 ? BALANCE_ABANDONED : BALANCE_SERVED;
}

/* Connection and peer go back; of a failed exchange nothing is kept. */
static void end_attempt(proxy_t *p, verdict_t v)
{
    if (p->client && p->client->origin) {
        proxy_response_release(p);
        client_close(p->client);
    }
    if (proxy_attempt(p)->response_us < 0 && !p->r->detached)
        proxy_attempt(p)->response_us = elapsed_us(p);
    if (!p->failure && p->client && p->client->answered)
        sticky_served(p->target.group, p->peer, p->r);
    if (balance_done(&p->balance, p->peer, result_of(p, v), proxy_attempt(p)))
        proxy_log(p, LOG_WARNING, 0, "upstream server temporarily disabled",
                  p->client ? reading : connecting);
    p->peer = NULL;
}

static verdict_t no_peer(proxy_t *p, int err)
{
    if (is_cancelled()) return client_left(p);
    const char *why = err == -EAGAIN      ? "upstream queue is full"
                      : err == -ETIMEDOUT ? "upstream queue timed out"
                                          : "no live upstreams";
    proxy_log(p, LOG_ERR, 0, why, connecting);
    proxy_attempt(p)->status = 502;
    return verdict_refuse(502, LOG_ERR, NULL);
}

static verdict_t attempt(proxy_t *p)
{
    int err;
    proxy_watch_client(p, true);
    p->peer = waiting_pick(&p->balance, &err);
    proxy_watch_client(p, false);
    begin_attempt(p);
    if (!p->peer) return no_peer(p, err);
    verdict_t v = ask(p);
    if (v.kind == VERDICT_NEXT) v = judge(p);
    if (v.kind == VERDICT_NEXT) v = proxy_response_pass(p);
    end_attempt(p, v);
    return v;
}

/* --- the handler --- */

static verdict_t set_bind(proxy_t *p)
{
    if (!p->conf->bind.set) return VERDICT(NEXT);
    str_t text = text_eval(&p->conf->bind, p->r);
    if (text.n == 0) return VERDICT(NEXT);
    if (!net_parse(text, 0, &p->from))
        return verdict_refuse(500, LOG_ERR, "invalid address in proxy_bind");
    return VERDICT(NEXT);
}

static verdict_t find_origin(proxy_t *p)
{
    request_t *r = p->r;
    if (!proxy_target_find(p->conf->pass, r, &p->target)) return verdict_refuse(500, LOG_ERR, NULL);
    p->uri = proxy_target_uri(&p->target, r);
    int err = upstream_update(p->target.group, r);
    if (err == 0) return set_bind(p);
    begin_attempt(p);
    proxy_attempt(p)->status = 502;
    return verdict_refuse(is_cancelled() ? 499 : 502, LOG_ERR, NULL);
}

static verdict_t serve(proxy_t *p)
{
    verdict_t v = find_origin(p);
    if (v.kind == VERDICT_NEXT) v = proxy_request_prepare(p);
    if (v.kind != VERDICT_NEXT) return v;
    p->balance = (choice_t){.group = p->target.group, .pool = p->r->pool, .r = p->r};
    do v = attempt(p);
    while (p->failure && may_try_next(p, p->failure));
    return v;
}

static verdict_t proxy_content(request_t *r)
{
    const proxy_conf_t *c = request_conf(r, proxy_index);
    if (!c->pass) return VERDICT(NEXT);
    verdict_t v = proxy_forwards_check(r);
    if (v.kind != VERDICT_NEXT) return v;
    proxy_t *p = POOL_NEW(r->pool, proxy_t);
    p->r = r;
    p->conf = c;
    p->began_ms = clock_ms();
    p->buffering = c->buffering;
    if (r->attempts.n) r->attempts.v[r->attempts.n - 1].redirected = true;
    return serve(p);
}

/* --- the module --- */

static void worker_stop(const void *conf)
{
    (void)conf;
    origin_close_idle();
    resolve_stop();
}

static const http_hooks_t hooks = {
    .phase = {[PHASE_CONTENT] = proxy_content},
    .head = proxy_response_carry,
    .variables = proxy_vars,
    .begin = proxy_conf_begin,
    .finish = proxy_conf_finish,
};

const module_t proxy_module = {
    .name = "proxy",
    .index = &proxy_index,
    .rows = proxy_conf_rows,
    .conf_size = sizeof(proxy_conf_t),
    .check = proxy_conf_check,
    .worker_stop = worker_stop,
    .hooks = &hooks,
};
