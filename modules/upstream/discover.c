#include "modules/upstream/discover.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/io/dns.h"
#include "core/io/timer.h"
#include "core/process/worker.h"
#include "http/http.h"
#include "http/resolve.h"

enum {
    RETRY_MS = 1000, /* until a name that could not be resolved is tried again */
    LOOK_MS = 1000,  /* how often it is seen whether another worker has to take over */
};

static struct {
    const upstream_groups_t *groups;
    struct timer timer;
    list_t lookups; /* those under way in the background */
} discovery;

/* --- answers --- */

static void put(roster_answer_t *out, const resolver_answer_t *found, roster_addr_t as)
{
    for (unsigned i = 0; i < found->count && out->count < ROSTER_ADDRS; i++) {
        str_t bytes = net_bytes(&found->addrs[i]);
        roster_addr_t *to = &out->addrs[out->count++];
        *to = as;
        to->ipv6 = bytes.n > 4;
        memcpy(to->bytes, bytes.p, bytes.n);
    }
    if (found->expires < out->expires_ms) out->expires_ms = found->expires;
}

static int look_up_host(resolver_t *r, const upstream_server_t *s, pool_t *pool,
                        roster_answer_t *out, const char **why)
{
    resolver_answer_t found;
    int err = resolver_lookup(r, pool, s->host, &found, why);
    if (!err) put(out, &found, (roster_addr_t){.port = s->port});
    return err;
}

static unsigned first_priority(const resolver_services_t *found)
{
    unsigned first = found->list[0].priority;
    for (unsigned i = 1; i < found->count; i++)
        if (found->list[i].priority < first) first = found->list[i].priority;
    return first;
}

/* RFC 2782: a weight of 0 is a small one; targets of other than the first priority are backups. A
   target that cannot be resolved is left out. */
static int look_up_service(resolver_t *r, const upstream_server_t *s, pool_t *pool,
                           roster_answer_t *out, const char **why)
{
    resolver_services_t found;
    int err = resolver_lookup_services(r, pool, s->service, &found, why);
    if (err) return err;
    unsigned first = first_priority(&found);
    out->expires_ms = found.expires;
    for (unsigned i = 0; i < found.count && !fiber_cancelled(fiber_self()); i++) {
        const dns_service_t *to = &found.list[i];
        resolver_answer_t addrs;
        roster_addr_t as = {.port = to->port, .backup = to->priority != first};
        as.weight = to->weight ? to->weight : 1;
        int failed = resolver_lookup(r, pool, str_of(to->target), &addrs, why);
        if (failed) err = failed;
        else put(out, &addrs, as);
    }
    return out->count ? 0 : err;
}

static roster_answer_t *look_up(const upstream_t *g, const upstream_server_t *s, pool_t *pool,
                                int *err, const char **why)
{
    roster_answer_t *out = POOL_NEW(pool, roster_answer_t);
    resolver_t *r = resolve_for(g->http);
    *why = "2: Server failure";
    out->expires_ms = UINT64_MAX;
    *err = !r            ? -EIO
           : s->service.n ? look_up_service(r, s, pool, out, why)
                          : look_up_host(r, s, pool, out, why);
    return *err ? NULL : out;
}

/* --- what becomes of them --- */

/* nginx's words for a name that did not resolve; once for as long as it does not. */
static void say_failure(const upstream_t *g, upstream_server_t *s, const log_t *log,
                        const char *why)
{
    str_t name = s->service.n ? s->service : s->host;
    if (s->failing && upstream_has_peers(g)) return;
    s->failing = true;
    LOG(log, LOG_ERR, 0, STR_FMT " could not be resolved (%s)%s", STR_ARG(name), why,
        upstream_has_peers(g) ? ", the addresses of before are used" : "");
}

static void put_off(upstream_t *g, upstream_server_t *s, str_t question)
{
    s->expires = clock_ms() + RETRY_MS;
    if (g->known.shared->roster) roster_put_off(g->known.shared->roster, question, s->expires);
}

static void tell(upstream_t *g, upstream_server_t *s, str_t question, roster_answer_t *answer)
{
    roster_t *roster = g->known.shared->roster;
    s->failing = false;
    s->expires = answer->expires_ms;
    if (!roster) {
        upstream_take_answer(g, s, answer);
        upstream_reorder(g);
    } else {
        bool changed = roster_set(roster, question, answer);
        /* Who has set the same just before may not have said so yet, or never will. */
        if (changed || !upstream_has_peers(g)) peers_changed(g->known.shared);
    }
}

/* An operator may put another server into its place meanwhile. */
static int ask(upstream_t *g, upstream_server_t *s, pool_t *pool, const log_t *log)
{
    int err;
    const char *why;
    const upstream_server_t asked = *s;
    str_t question = upstream_question(&asked);
    roster_answer_t *answer = look_up(g, &asked, pool, &err, &why);
    if (!answer && fiber_cancelled(fiber_self())) return err;
    if (answer) {
        tell(g, s, question, answer);
        return 0;
    }
    say_failure(g, s, log, why);
    put_off(g, s, question);
    return err;
}

/* Without a roster nobody else asks. */
static bool is_known(const upstream_t *g, const upstream_server_t *s)
{
    return !s->host.p || (upstream_has_peers(g) &&
                          (g->known.shared->roster || s->expires > clock_ms()));
}

void discover_wake(void)
{
    if (discovery.groups && !timer_armed(&discovery.timer) && !worker_stopping)
        timer_arm(&discovery.timer, 0);
}

int discover(upstream_t *g, request_t *r)
{
    int err = 0;
    upstream_join(g);
    upstream_refresh(g);
    if (!g->has_names) return 0;
    discover_wake();
    for (unsigned i = 0; i < g->servers.n; i++) {
        upstream_server_t *s = &g->servers.v[i];
        int failed = is_known(g, s) ? 0 : ask(g, s, r->pool, &r->log);
        if (failed) err = failed;
        if (fiber_cancelled(fiber_self())) return err;
    }
    upstream_refresh(g);
    return upstream_has_peers(g) ? 0 : err;
}

/* --- in the background --- */

typedef struct lookup {
    list_t link;
    fiber_t *fiber;
    upstream_t *group;
    upstream_server_t *server;
    pool_t *pool;
} lookup_t;

static void run_lookup(void *arg)
{
    lookup_t *l = arg;
    l->fiber = fiber_self();
    ask(l->group, l->server, l->pool, &log_main);
    l->server->asking = false;
    list_remove(&l->link);
    pool_destroy(l->pool);
    if (!worker_stopping) timer_arm(&discovery.timer, 0);
    else if (list_empty(&discovery.lookups)) resolve_settle();
}

static void start_lookup(upstream_t *g, upstream_server_t *s)
{
    pool_t *pool = pool_create();
    lookup_t *l = POOL_NEW(pool, lookup_t);
    *l = (lookup_t){.group = g, .server = s, .pool = pool};
    l->fiber = fiber_start(run_lookup, l);
    if (!l->fiber) {
        pool_destroy(pool);
        return;
    }
    s->asking = true;
    list_push(&discovery.lookups, &l->link);
}

/* Milliseconds until some name of the group has to be asked for. */
static uint64_t tend(upstream_t *g)
{
    uint64_t wait = LOOK_MS, now = clock_ms();
    if (!g->known.shared->roster || !peers_claim(&g->known)) return wait;
    VEC_EACH(upstream_server_t, s, &g->servers)
    {
        if (!s->host.p || s->asking) continue;
        uint64_t expires = roster_expires(g->known.shared->roster, upstream_question(s));
        if (expires <= now) start_lookup(g, s);
        else if (expires - now < wait) wait = expires - now;
    }
    return wait;
}

static void on_timer(struct timer *t)
{
    uint64_t wait = UINT64_MAX;
    if (worker_stopping) return;
    VEC_EACH(upstream_t *, it, &discovery.groups->all)
    {
        upstream_join(*it);
        upstream_refresh(*it);
        uint64_t due = (*it)->has_names ? tend(*it) : wait;
        if (due < wait) wait = due;
    }
    if (wait != UINT64_MAX) timer_arm(t, wait ? wait : 1);
}

/* The worker is told to stop: another one takes over. */
static void give_up(void)
{
    timer_disarm(&discovery.timer);
    LIST_EACH(l, &discovery.lookups) fiber_cancel(LIST_OF(l, lookup_t, link)->fiber, -ECANCELED);
    VEC_EACH(upstream_t *, it, &discovery.groups->all)
        if ((*it)->ready && (*it)->zone) peers_disclaim(&(*it)->known);
    resolve_settle();
}

void discover_start(const upstream_groups_t *groups)
{
    if (!groups) return;
    discovery.groups = groups;
    discovery.timer.fire = on_timer;
    list_init(&discovery.lookups);
    timer_arm(&discovery.timer, 0);
    worker_on_stop(give_up, give_up);
}

void discover_stop(void)
{
    timer_disarm(&discovery.timer);
}
