#include "modules/upstream/proxy_forwards.h"

/* What must not be told to whoever made the client ask (RFC 9110 9.3.8). */
static bool is_secret(header_id_t id)
{
    return id == HEADER_AUTHORIZATION || id == HEADER_COOKIE || id == HEADER_PROXY_AUTHORIZATION;
}

static str_t echo(request_t *r)
{
    size_t n = r->head.line.n + 4;
    HEADER_EACH(h, &r->head.headers) n += h->name.n + h->value.n + 4;
    char *out = pool_bytes(r->pool, n), *at = mempcpy(out, r->head.line.p, r->head.line.n);
    at = mempcpy(at, "\r\n", 2);
    HEADER_EACH(h, &r->head.headers)
    {
        if (is_secret(h->id)) continue;
        at = mempcpy(at, h->name.p, h->name.n);
        at = mempcpy(at, ": ", 2);
        if (h->value.n) at = mempcpy(at, h->value.p, h->value.n);
        at = mempcpy(at, "\r\n", 2);
    }
    at = mempcpy(at, "\r\n", 2);
    return str_make(out, (size_t)(at - out));
}

static verdict_t answer_options(request_t *r)
{
    reply_reset(r, 200);
    header_add_id(&r->reply.headers, HEADER_ALLOW,
                  STR("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE"));
    return reply_send(r, NULL, 0);
}

verdict_t proxy_forwards_check(request_t *r)
{
    uint64_t hops;
    bool counts = r->head.method_id == METHOD_OPTIONS || r->head.method_id == METHOD_TRACE;
    if (!counts || !header_get(&r->head.headers, HEADER_MAX_FORWARDS)) return VERDICT(NEXT);
    if (!str_to_u64(header_value(&r->head.headers, HEADER_MAX_FORWARDS), &hops) || hops > 0)
        return VERDICT(NEXT);
    if (r->head.method_id == METHOD_OPTIONS) return answer_options(r);
    return reply_text(r, 200, STR("message/http"), echo(r));
}
