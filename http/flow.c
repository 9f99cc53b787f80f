#include "http/flow.h"

#include <errno.h>

#include "core/process/worker.h"
#include "http/body.h"
#include "http/http.h"
#include "http/status.h"
#include "http/uri.h"

enum { STATUS_CLOSE = 444 /* nginx: close without an answer */, STATUS_CLIENT_LEFT = 499 };

static verdict_t run_phase(request_t *r, phase_t phase)
{
    for (const hook_fn *h = hooks_table.phase[phase]; *h; h++) {
        verdict_t v = (*h)(r);
        if (v.kind != VERDICT_NEXT) return v;
    }
    return VERDICT(NEXT);
}

/* Whether a client may come in; hooks.h tells how `satisfy` reads the verdicts. */
static verdict_t run_access(request_t *r)
{
    if (r->inner) return VERDICT(NEXT);
    bool any = http_conf(r->conf)->satisfy == HTTP_SATISFY_ANY;
    verdict_t refusal = VERDICT(NEXT);
    for (const hook_fn *h = hooks_table.phase[PHASE_ACCESS]; *h; h++) {
        verdict_t v = (*h)(r);
        if (v.kind == VERDICT_NEXT || (v.kind == VERDICT_GRANT && !any)) continue;
        if (v.kind == VERDICT_GRANT) {
            r->challenge = (str_t){NULL, 0};
            return VERDICT(NEXT);
        }
        if (!any || v.kind != VERDICT_REFUSE || (v.status != 401 && v.status != 403)) return v;
        if (refusal.status != 401) refusal = v;
    }
    return refusal;
}

/* --- route --- */

/* A host that stands as it is: no port, no brackets, no capitals, no trailing dot. */
static bool is_plain(str_t host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (c == ':' || c == '[' || (c >= 'A' && c <= 'Z')) return false;
    }
    return host.n == 0 || host.p[host.n - 1] != '.';
}

/* r->host from the target or Host: lower case, without port and trailing dot. */
static void set_host(request_t *r)
{
    str_t host = r->head.host;
    uint16_t port;
    r->host = host;
    if (is_plain(host) || !uri_split_host(host, &host, &port)) return;
    if (host.n && host.p[host.n - 1] == '.') host.n--;
    for (size_t i = 0; i < host.n; i++) {
        if (host.p[i] < 'A' || host.p[i] > 'Z') continue;
        host = pool_lower(r->pool, host);
        break;
    }
    r->host = host;
}

static verdict_t set_uri(request_t *r)
{
    uri_t uri;
    if (r->head.method_id == METHOD_CONNECT) {
        r->reply.close = true; /* what follows is not meant for us */
        return verdict_refuse(405, LOG_INFO, "client sent CONNECT method");
    }
    if (!uri_split(r->head.target, &uri) ||
        !uri_normalise(r->pool, uri.path, http_conf(r->conf)->merge_slashes, &r->uri))
        return verdict_refuse(400, LOG_INFO, "client sent invalid request target");
    r->args = uri.args;
    return VERDICT(NEXT);
}

static verdict_t check_internal(const request_t *r)
{
    if (!http_conf(r->conf)->internal || r->internal) return VERDICT(NEXT);
    return verdict_refuse(404, LOG_ERR, "request for an internal location");
}

/* The location for r->uri or r->named; its structs become the request's. */
static verdict_t find_location(request_t *r)
{
    const site_location_t *found, *slash = NULL;
    if (r->named.p) {
        found = hash_map_get(&r->server->named, r->named);
        r->named = (str_t){NULL, 0};
        if (!found) return verdict_refuse(500, LOG_ERR, "could not find named location");
    } else {
        found = site_find_location(r->server, r->uri, r, &slash);
        if (r->pattern_failed) return verdict_refuse(500, LOG_ERR, NULL);
    }
    if (slash && http_conf(slash->conf)->auto_redirect)
        return reply_redirect(r, 301, request_absolute(r, request_with_slash(r)));
    r->location = found;
    r->uri_broken = false;
    request_set_conf(r, found ? site_location_conf(found, r->method_id) : r->server->conf);
    if (!r->internal && body_declared_too_large(r)) return body_verdict(r, -EFBIG);
    return check_internal(r);
}

/* --- the phases from server to files --- */

static verdict_t run_located(request_t *r)
{
    verdict_t v = VERDICT(NEXT);
    if (r->server_rewrite) {
        r->server_rewrite = false;
        request_set_server(r, r->server);
        v = run_phase(r, PHASE_SERVER_REWRITE);
        if (v.kind != VERDICT_NEXT && v.kind != VERDICT_REROUTE) return v;
    }
    v = find_location(r);
    for (phase_t p = PHASE_REWRITE; p <= PHASE_FILES && v.kind == VERDICT_NEXT; p++)
        v = p == PHASE_ACCESS ? run_access(r) : run_phase(r, p);
    return v;
}

/* Runs the request until somebody has replied or refused. */
static verdict_t run_to_verdict(request_t *r)
{
    for (;;) {
        verdict_t v = run_located(r);
        if (v.kind == VERDICT_NEXT) return verdict_refuse(404, LOG_ERR, NULL);
        if (v.kind != VERDICT_REROUTE) return v;
        if (++r->reroutes > REQUEST_REROUTES_MAX)
            return verdict_refuse(500, LOG_ERR, "rewrite or internal redirection cycle");
    }
}

/* Names with "_" could pass for others where an origin maps "-" to it (CGI); nginx drops them,
   too. */
static void drop_underscored(request_t *r)
{
    if (http_conf(r->conf)->underscores_in_headers) return;
    for (unsigned i = 0; i < r->head.headers.n; i++) {
        header_t *h = &r->head.headers.v[i];
        if (h->id == HEADER_OTHER && h->name.n && memchr(h->name.p, '_', h->name.n)) h->name.n = 0;
    }
}

static verdict_t run(request_t *r)
{
    drop_underscored(r);
    set_host(r);
    request_set_server(r, site_find_server(conn_site(r->conn), r->host, r));
    verdict_t v = set_uri(r);
    if (v.kind == VERDICT_NEXT) v = run_phase(r, PHASE_POST_READ);
    return v.kind == VERDICT_NEXT ? run_to_verdict(r) : v;
}

/* --- refusals --- */

static bool is_page_uri(str_t target)
{
    return target.n && target.p[0] == '/';
}

/* A page is asked for with GET, whatever the request was (HEAD stays). */
static void as_get(request_t *r)
{
    if (r->head.method_id == METHOD_HEAD) return;
    r->method = STR("GET");
    r->method_id = METHOD_GET;
}

static verdict_t redirect_to_page(request_t *r, const http_error_page_t *page, str_t url)
{
    int status = page->answer;
    bool redirects =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return reply_redirect(r, redirects ? status : 302, url);
}

static verdict_t reroute_to_page(request_t *r, str_t target)
{
    size_t mark = str_find(target, 0, '?');
    str_t args = mark < target.n ? str_sub(target, mark + 1, target.n) : (str_t){NULL, 0};
    as_get(r);
    return request_reroute(r, str_sub(target, 0, mark), args);
}

/* What error_page says of the status; NEXT: nothing. */
static verdict_t error_page(request_t *r, int status)
{
    const http_conf_t *c = http_conf(r->conf);
    const http_error_page_t *page = http_error_page(c, status);
    if (!page || (r->reply.error_page && !c->recursive_error_pages)) return VERDICT(NEXT);
    str_t target = text_eval(&page->target, r);
    r->reply.error_page = true;
    r->error_status = page->answer < 0 ? 0 : page->answer ? page->answer : status;
    reply_reset(r, status);
    if (target.n && target.p[0] == '@') return request_reroute_named(r, target);
    if (is_page_uri(target)) return reroute_to_page(r, target);
    r->error_status = 0;
    return redirect_to_page(r, page, target);
}

static void log_refusal(const request_t *r, verdict_t v)
{
    if (v.reason) LOG(&r->log, v.level, 0, "%s", v.reason);
}

/* One refusal: an error page, a page of ours, or a broken connection. */
static verdict_t answer_refusal(request_t *r, verdict_t refusal)
{
    log_refusal(r, refusal);
    r->pattern_failed = false; /* refused for it; the error page is found by patterns, too */
    if (refusal.status == 400) r->reply.close = true; /* what else it sends may be misread, too */
    r->reply.status = r->reply.head_sent ? r->reply.status : refusal.status;
    if (r->reply.started || refusal.status == STATUS_CLOSE ||
        refusal.status == STATUS_CLIENT_LEFT) {
        reply_abort(r);
        return VERDICT(REPLIED);
    }
    verdict_t v = error_page(r, refusal.status);
    if (v.kind == VERDICT_REROUTE) {
        v = ++r->reroutes > REQUEST_REROUTES_MAX
                ? verdict_refuse(500, LOG_ERR, "rewrite or internal redirection cycle")
                : run_to_verdict(r);
    }
    if (v.kind != VERDICT_NEXT) return v;
    return reply_page(r, refusal.status);
}

static void finish(request_t *r, verdict_t v)
{
    for (int i = 0; v.kind == VERDICT_REFUSE && i <= REQUEST_REROUTES_MAX; i++)
        v = answer_refusal(r, v);
    if (v.kind == VERDICT_REFUSE && !r->reply.started) reply_page(r, v.status); /* pages of pages */
    if (r->detached) return; /* the tunnel logs it when it ends */
    if (!r->reply.finished) reply_abort(r);
    flow_log(r);
}

verdict_t flow_content(request_t *r)
{
    return run_phase(r, PHASE_CONTENT);
}

verdict_t flow_elsewhere(request_t *r)
{
    return run_to_verdict(r);
}

void flow_log(request_t *r)
{
    if (r->logged) return;
    r->logged = true;
    run_phase(r, PHASE_LOG);
}

void flow_run(request_t *r)
{
    worker_counters->requests++;
    finish(r, run(r));
}

/* An error page is asked for with what can be relied on: GET /, without a body, and no Host. */
void flow_refuse(request_t *r, int status, int level, const char *reason)
{
    worker_counters->requests++;
    r->reply.close = true;
    r->body.ended = true;
    r->head.framing = PARSE_NO_BODY;
    header_remove(&r->head.headers, HEADER_HOST);
    r->head.target = (str_t){NULL, 0};
    r->uri = STR("/");
    r->uri_changed = true;
    r->method = STR("GET");
    r->method_id = METHOD_GET;
    finish(r, verdict_refuse(status, level, reason));
}
