/*
 * proxy_module: proxy_pass and grpc_pass as content: a peer, an attempt with it, and the next one
 * should it fail. One attempt after the other in the request's fiber.
 */
#include "core/base/clock.h"
#include "http/http.h"
#include "http/resolve.h"
#include "modules/upstream/discover.h"
#include "modules/upstream/grpc_conf.h"
#include "modules/upstream/proxy_attempt.h"
#include "modules/upstream/proxy_conf.h"
#include "modules/upstream/proxy_failure.h"
#include "modules/upstream/proxy_forwards.h"
#include "modules/upstream/proxy_hedge.h"
#include "modules/upstream/proxy_next.h"
#include "modules/upstream/proxy_request.h"
#include "modules/upstream/proxy_response.h"
#include "modules/upstream/proxy_vars.h"
#include "modules/upstream/waiting.h"

static verdict_t attempt(proxy_t *p)
{
    int err;
    proxy_watch_client(p, true);
    p->peer = waiting_pick(&p->choice, &err);
    proxy_watch_client(p, false);
    proxy_attempt_begin(p);
    if (!p->peer) return proxy_failure_no_peer(p, err);
    verdict_t v = proxy_hedge_ask(p);
    if (v.kind == VERDICT_NEXT) v = proxy_response_pass(p);
    if (p->failure && !p->again) p->again = proxy_next_may(p, p->failure);
    proxy_attempt_end(p, v);
    return v;
}

static verdict_t set_bind(proxy_t *p)
{
    if (!p->conf->bind.set) return VERDICT(NEXT);
    str_t text = text_eval(&p->conf->bind, p->r);
    if (text.n == 0) return VERDICT(NEXT);
    if (!net_parse(text, 0, &p->from))
        return verdict_refuse(500, LOG_ERR, "invalid address in proxy_bind");
    return VERDICT(NEXT);
}

static int find_addresses(proxy_t *p)
{
    bool may_wait = p->target.group->has_names;
    if (may_wait) proxy_watch_client(p, true);
    int err = discover(p->target.group, p->r);
    if (may_wait) proxy_watch_client(p, false);
    return err;
}

static verdict_t find_origin(proxy_t *p)
{
    request_t *r = p->r;
    if (!proxy_target_find(p->conf->pass, r, &p->target)) return verdict_refuse(500, LOG_ERR, NULL);
    p->uri = proxy_target_uri(&p->target, r);
    int err = find_addresses(p);
    if (err == 0) return set_bind(p);
    proxy_attempt_begin(p);
    proxy_attempt(p)->status = 502;
    if (proxy_failure_cancelled()) return proxy_failure_client(p);
    return verdict_refuse(502, LOG_ERR, NULL);
}

static verdict_t serve(proxy_t *p)
{
    verdict_t v = find_origin(p);
    if (v.kind == VERDICT_NEXT) v = proxy_request_prepare(p);
    if (v.kind != VERDICT_NEXT) return v;
    if (p->conf->fields.upgrade) p->protocol = proxy_request_protocol(p);
    p->choice = (choice_t){.group = p->target.group, .pool = p->r->pool, .r = p->r};
    if (upstream_has_choice(p->target.group)) budget_count(&p->target.group->known.shared->budget);
    do v = attempt(p);
    while (p->again);
    return v;
}

static verdict_t pass(request_t *r, const proxy_conf_t *c)
{
    if (!c->pass) return VERDICT(NEXT);
    verdict_t v = proxy_forwards_check(r);
    if (v.kind != VERDICT_NEXT) return v;
    proxy_t *p = POOL_NEW(r->pool, proxy_t);
    p->r = r;
    p->conf = c;
    p->began_ms = clock_ms();
    p->buffering = c->buffering;
    p->http_version = c->http_version;
    p->interim = proxy_response_interim;
    if (r->attempts.n) r->attempts.v[r->attempts.n - 1].redirected = true;
    return serve(p);
}

static verdict_t proxy_content(request_t *r)
{
    return pass(r, request_conf(r, proxy_index));
}

static verdict_t grpc_content(request_t *r)
{
    return pass(r, request_conf(r, grpc_index));
}

/* --- the modules --- */

static void worker_stop(const void *conf)
{
    (void)conf;
    origin_close_idle();
    resolve_stop();
}

static bool asks_origin(const request_t *r)
{
    const proxy_conf_t *c = request_conf(r, proxy_index);
    return c->pass != NULL;
}

static const http_hooks_t hooks = {
    .phase = {[PHASE_CONTENT] = proxy_content},
    .asks_origin = asks_origin,
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

static const http_hooks_t grpc_hooks = {
    .phase = {[PHASE_CONTENT] = grpc_content},
    .begin = grpc_conf_begin,
    .finish = grpc_conf_finish,
};

const module_t grpc_module = {
    .name = "grpc",
    .index = &grpc_index,
    .rows = grpc_conf_rows,
    .conf_size = sizeof(proxy_conf_t),
    .check = grpc_conf_check,
    .hooks = &grpc_hooks,
};
