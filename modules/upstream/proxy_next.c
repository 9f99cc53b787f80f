#include "modules/upstream/proxy_next.h"

#include "core/base/clock.h"

bool proxy_next_idempotent(const proxy_t *p)
{
    switch (p->method_id) {
    case METHOD_POST:
    case METHOD_PATCH:
    case METHOD_LOCK:
    case METHOD_OTHER: return false;
    default: return true;
    }
}

static bool may_repeat(const proxy_t *p)
{
    bool all = p->conf->next_upstream & PROXY_NON_IDEMPOTENT;
    return !p->body_begun && (!p->request_sent || all || proxy_next_idempotent(p));
}

static bool within_limits(const proxy_t *p)
{
    const proxy_conf_t *c = p->conf;
    if (c->next_tries && p->tries >= c->next_tries) return false;
    return !c->next_timeout || clock_ms() - p->began_ms < c->next_timeout;
}

static bool take_budget(proxy_t *p)
{
    const budget_limit_t *limit = &p->conf->budget;
    budget_t *budget = &p->target.group->known.shared->budget;
    if (budget_take(budget, limit)) return true;
    if (!budget_is_news(budget)) return false;
    str_t text = pool_printf(p->r->pool,
                             "retry budget of upstream \"" STR_FMT "\" is spent (%u%%, at least %u "
                             "a second), asking no other server", STR_ARG(p->target.group->name),
                             limit->percent, limit->least);
    proxy_log(p, LOG_WARNING, 0, text.p, "connecting to upstream");
    return false;
}

static bool may(proxy_t *p)
{
    return may_repeat(p) && within_limits(p) && balance_has_more(&p->choice) && take_budget(p);
}

bool proxy_next_wants(const proxy_t *p, unsigned failure)
{
    unsigned conditions = p->conf->next_upstream;
    return conditions & failure && !(conditions & PROXY_OFF);
}

bool proxy_next_may(proxy_t *p, unsigned failure)
{
    return proxy_next_wants(p, failure) && may(p);
}

bool proxy_next_may_race(const proxy_t *p)
{
    return (p->method_id == METHOD_GET || p->method_id == METHOD_HEAD) && !p->has_body &&
           !header_get(&p->r->head.headers, HEADER_UPGRADE) && !p->choice.wanted.n;
}

bool proxy_next_may_hedge(proxy_t *p)
{
    return !p->upgrade && may(p);
}
