#include "core/io/resolver.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/io/dns.h"
#include "core/io/fiber.h"
#include "core/io/hosts.h"

enum {
    NAME_MAX_LEN = 254, /* with the final dot */
    LABEL_MAX = 63,
    BUCKETS = 1024,
    ENTRIES_MAX = 10000,
    FAILURE_MS = 1000,
    TTL_MIN_MS = 1000,
    TTL_MAX_MS = 24 * 3600 * 1000,
};

/* What is known of a name, or under way. */
typedef struct entry {
    list_t age;         /* in the resolver's, least lately used first */
    struct entry *next; /* in its bucket */
    resolver_t *resolver;
    uint64_t expires;   /* once nothing is pending */
    unsigned pending;   /* questions without an answer yet */
    list_t waiters;
    dns_question_t v4, v6;
    int err;
    const char *why;
    size_t name_len;
    char name[];        /* in lower case, terminated */
} entry_t;

/* On the stack of a fiber that waits. */
typedef struct waiter {
    list_t link;
    fiber_t *fiber;
    pool_t *pool;
    resolver_answer_t *out;
    bool done;
    int err;
    const char *why;
} waiter_t;

struct resolver {
    dns_t *dns;
    hosts_t *hosts;
    bool ipv4, ipv6;
    uint64_t valid_ms, timeout_ms;
    list_t ages;
    unsigned count;
    unsigned services; /* fibers that wait for SRV records */
    entry_t *buckets[BUCKETS];
};

/* --- names --- */

static bool is_host_char(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
}

/* Writes name in lower case to out, terminated; its length, or 0 when no host has such a name. */
static size_t normalize(str_t name, char out[NAME_MAX_LEN + 1])
{
    size_t label = 0;
    if (name.n > NAME_MAX_LEN || (name.n == NAME_MAX_LEN && name.p[name.n - 1] != '.')) return 0;
    for (size_t i = 0; i < name.n; i++) {
        bool dot = name.p[i] == '.';
        if (dot ? label == 0 : !is_host_char(name.p[i]) || label == LABEL_MAX) return 0;
        label = dot ? 0 : label + 1;
        out[i] = ascii_lower(name.p[i]);
    }
    out[name.n] = '\0';
    return name.n;
}

static str_t without_dot(str_t name)
{
    return str_ends(name, STR(".")) ? str_sub(name, 0, name.n - 1) : name;
}

/* --- answers --- */

static void put_addr(resolver_answer_t *out, int family, const void *bytes)
{
    if (out->count == RESOLVER_ADDRS_MAX) return;
    net_addr_t *a = &out->addrs[out->count++];
    if (family == AF_INET) {
        *a = (net_addr_t){.len = sizeof(a->in), .in.sin_family = AF_INET};
        memcpy(&a->in.sin_addr, bytes, sizeof(a->in.sin_addr));
    } else {
        *a = (net_addr_t){.len = sizeof(a->in6), .in6.sin6_family = AF_INET6};
        memcpy(&a->in6.sin6_addr, bytes, sizeof(a->in6.sin6_addr));
    }
}

static void make_room(resolver_answer_t *out, pool_t *pool, unsigned n)
{
    out->count = 0;
    out->addrs = POOL_ARRAY(pool, net_addr_t, n < RESOLVER_ADDRS_MAX ? n : RESOLVER_ADDRS_MAX);
}

static void copy_answer(const entry_t *e, pool_t *pool, resolver_answer_t *out, uint64_t expires)
{
    make_room(out, pool, e->v4.count + e->v6.count);
    out->expires = expires;
    for (unsigned i = 0; i < e->v4.count; i++) put_addr(out, AF_INET, e->v4.bytes[i]);
    for (unsigned i = 0; i < e->v6.count; i++) put_addr(out, AF_INET6, e->v6.bytes[i]);
}

static bool family_wanted(const resolver_t *r, int family)
{
    return family == AF_INET ? r->ipv4 : family == AF_INET6 && r->ipv6;
}

static bool answer_from_hosts(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out)
{
    unsigned n = 0;
    const hosts_addr_t *first = hosts_find(r->hosts, name);
    for (const hosts_addr_t *h = first; h; h = h->next) n += family_wanted(r, h->addr.sa.sa_family);
    if (n == 0) return false;
    make_room(out, pool, n);
    out->expires = clock_ms() + HOSTS_CHECK_MS;
    static const int order[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++)
        for (const hosts_addr_t *h = first; h; h = h->next)
            if (h->addr.sa.sa_family == order[i] && family_wanted(r, order[i]))
                put_addr(out, order[i], net_bytes(&h->addr).p);
    return true;
}

static bool is_localhost(str_t name)
{
    return str_eq(name, STR("localhost")) || str_ends(name, STR(".localhost"));
}

/* What needs no server: the hosts file, and localhost when that has nothing on it. */
static bool answer_locally(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out)
{
    name = without_dot(name);
    if (answer_from_hosts(r, pool, name, out)) return true;
    if (!is_localhost(name)) return false;
    make_room(out, pool, 2);
    out->expires = clock_ms() + HOSTS_CHECK_MS;
    if (r->ipv4) put_addr(out, AF_INET, &(struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)});
    if (r->ipv6) put_addr(out, AF_INET6, &in6addr_loopback);
    return true;
}

/* --- the cache --- */

static void v4_done(dns_question_t *q);
static void v6_done(dns_question_t *q);

static entry_t **bucket_of(resolver_t *r, str_t name)
{
    return &r->buckets[hash_bytes(name) % BUCKETS];
}

static entry_t *find(resolver_t *r, str_t name)
{
    entry_t *e = *bucket_of(r, name);
    while (e && !str_eq(str_make(e->name, e->name_len), name)) e = e->next;
    if (e) {
        list_remove(&e->age);
        list_push(&r->ages, &e->age);
    }
    return e;
}

static void drop(resolver_t *r, entry_t *e)
{
    entry_t **at = bucket_of(r, str_make(e->name, e->name_len));
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    list_remove(&e->age);
    r->count--;
    dns_forget(&e->v4);
    dns_forget(&e->v6);
    free(e);
}

/* Makes room for one more: drops the least lately used that is not under way. */
static bool make_space(resolver_t *r)
{
    if (r->count < ENTRIES_MAX) return true;
    LIST_EACH(l, &r->ages) {
        entry_t *e = LIST_OF(l, entry_t, age);
        if (e->pending) continue;
        drop(r, e);
        return true;
    }
    return false;
}

static entry_t *add(resolver_t *r, str_t name)
{
    entry_t *e = make_space(r) ? calloc(1, sizeof(*e) + name.n + 1) : NULL;
    if (!e) return NULL;
    entry_t **bucket = bucket_of(r, name);
    e->resolver = r;
    e->v4 = (dns_question_t){.family = AF_INET, .done = v4_done};
    e->v6 = (dns_question_t){.family = AF_INET6, .done = v6_done};
    list_init(&e->waiters);
    memcpy(e->name, name.p, name.n);
    e->name_len = name.n;
    e->next = *bucket;
    *bucket = e;
    list_push(&r->ages, &e->age);
    r->count++;
    return e;
}

static bool is_fresh(const entry_t *e)
{
    return !e->pending && clock_ms() < e->expires;
}

/* --- the end of a lookup --- */

static uint64_t bounded_ms(uint64_t ttl)
{
    ttl *= 1000;
    return ttl < TTL_MIN_MS ? TTL_MIN_MS : ttl > TTL_MAX_MS ? TTL_MAX_MS : ttl;
}

/* Milliseconds from now for which the addresses that have come hold. */
static uint64_t hold_ms(const entry_t *e)
{
    uint64_t ttl = UINT32_MAX;
    if (e->resolver->valid_ms) return e->resolver->valid_ms;
    if (e->v4.count && e->v4.ttl < ttl) ttl = e->v4.ttl;
    if (e->v6.count && e->v6.ttl < ttl) ttl = e->v6.ttl;
    return bounded_ms(ttl);
}

/* "No such name" is the verdict only when neither family failed otherwise. */
static void judge(entry_t *e)
{
    const dns_question_t *worst = e->v4.err && e->v4.err != -ENOENT ? &e->v4 : &e->v6;
    if (!worst->err) worst = &e->v4;
    e->err = worst->err;
    e->why = worst->why;
    if (e->v4.count || e->v6.count) e->err = 0;
    uint64_t valid = e->resolver->valid_ms;
    uint64_t retry = valid && valid < FAILURE_MS ? valid : FAILURE_MS;
    e->expires = clock_ms() + (e->err ? retry : hold_ms(e));
}

static void answered(entry_t *e)
{
    list_t *l;
    if (--e->pending > 0) return;
    judge(e);
    while ((l = list_pop(&e->waiters))) {
        waiter_t *w = LIST_OF(l, waiter_t, link);
        w->done = true;
        w->err = e->err;
        w->why = e->why;
        if (!e->err) copy_answer(e, w->pool, w->out, e->expires);
        fiber_wake(w->fiber);
    }
}

static void v4_done(dns_question_t *q)
{
    answered(LIST_OF(q, entry_t, v4));
}

static void v6_done(dns_question_t *q)
{
    answered(LIST_OF(q, entry_t, v6));
}

/* Sends the questions; an answer may come before this returns. */
static void start(resolver_t *r, entry_t *e)
{
    dns_forget(&e->v4);
    dns_forget(&e->v6);
    e->pending = (unsigned)r->ipv4 + (unsigned)r->ipv6;
    if (r->ipv4) dns_ask(r->dns, &e->v4, e->name);
    if (r->ipv6) dns_ask(r->dns, &e->v6, e->name);
}

/* --- lookups --- */

static int answer(const entry_t *e, pool_t *pool, resolver_answer_t *out, const char **why)
{
    if (!e->err) copy_answer(e, pool, out, e->expires);
    else *why = e->why;
    return e->err;
}

static int wait_for(resolver_t *r, entry_t *e, waiter_t *w, const char **why)
{
    uint64_t deadline = clock_ms() + r->timeout_ms;
    int err = 0;
    list_push(&e->waiters, &w->link);
    while (!w->done && !err) {
        uint64_t now = clock_ms();
        err = fiber_suspend(now < deadline ? deadline - now : 0);
    }
    if (w->done) {
        *why = w->why;
        return w->err;
    }
    list_remove(&w->link); /* the entry stays as long as one waits */
    if (err != -ETIMEDOUT) return err;
    if (e->v4.count || e->v6.count) {
        copy_answer(e, w->pool, w->out, clock_ms() + hold_ms(e));
        return 0;
    }
    return dns_timed_out(why);
}

static int fail(const char **why, const char *text)
{
    *why = text;
    return -EIO;
}

static int lookup(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out, const char **why)
{
    char text[NAME_MAX_LEN + 1];
    *out = (resolver_answer_t){0};
    name = str_make(text, normalize(name, text));
    if (name.n == 0) return dns_no_name(why);
    if (answer_locally(r, pool, name, out)) return 0;
    entry_t *e = find(r, name);
    if (!e) e = add(r, name);
    if (!e) return fail(why, "too many names");
    if (!e->pending && !is_fresh(e)) start(r, e);
    if (!e->pending) return answer(e, pool, out, why);
    if (!dns_drive(r->dns)) return fail(why, "no fiber");
    waiter_t w = {.fiber = fiber_self(), .pool = pool, .out = out};
    return wait_for(r, e, &w, why);
}

int resolver_lookup(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out,
                    const char **why)
{
    const char *text = "cancelled";
    int err = lookup(r, pool, name, out, &text);
    if (err && why) *why = text;
    return err;
}

bool resolver_cached(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out)
{
    char text[NAME_MAX_LEN + 1];
    *out = (resolver_answer_t){0};
    name = str_make(text, normalize(name, text));
    if (name.n == 0) return false;
    if (answer_locally(r, pool, name, out)) return true;
    const entry_t *e = find(r, name);
    if (!e || e->err || !is_fresh(e)) return false;
    copy_answer(e, pool, out, e->expires);
    return true;
}

/* --- services --- */

/* Outlives a fiber that is cancelled: the question cannot be taken back. */
typedef struct service_lookup {
    dns_question_t q;
    fiber_t *fiber; /* NULL: it has gone */
    bool done;
} service_lookup_t;

static void services_done(dns_question_t *q)
{
    service_lookup_t *l = LIST_OF(q, service_lookup_t, q);
    l->done = true;
    if (l->fiber) {
        fiber_wake(l->fiber);
        return;
    }
    dns_forget(q);
    free(l);
}

static int wait_for_services(resolver_t *r, service_lookup_t *l, const char **why)
{
    uint64_t deadline = clock_ms() + r->timeout_ms;
    int err = 0;
    r->services++;
    while (!l->done && !err) {
        uint64_t now = clock_ms();
        err = fiber_suspend(now < deadline ? deadline - now : 0);
    }
    r->services--;
    if (l->done) {
        *why = l->q.why;
        return l->q.err;
    }
    return err == -ETIMEDOUT ? dns_timed_out(why) : err;
}

static uint64_t services_expire(const resolver_t *r, uint32_t ttl)
{
    return clock_ms() + (r->valid_ms ? r->valid_ms : bounded_ms(ttl));
}

static int lookup_services(resolver_t *r, pool_t *pool, const char *name, resolver_services_t *out,
                           const char **why)
{
    service_lookup_t *l = calloc(1, sizeof(*l));
    if (!l) return fail(why, "no memory");
    l->q = (dns_question_t){.family = AF_UNSPEC, .done = services_done};
    l->fiber = fiber_self();
    dns_ask(r->dns, &l->q, name);
    int err = l->done || dns_drive(r->dns) ? wait_for_services(r, l, why) : fail(why, "no fiber");
    if (!err)
        *out = (resolver_services_t){
            l->q.count, services_expire(r, l->q.ttl),
            pool_memdup(pool, l->q.services, l->q.count * sizeof(*l->q.services))};
    l->fiber = NULL;
    if (l->done) services_done(&l->q);
    return err;
}

int resolver_lookup_services(resolver_t *r, pool_t *pool, str_t name, resolver_services_t *out,
                             const char **why)
{
    char text[NAME_MAX_LEN + 1];
    const char *unused;
    if (!why) why = &unused;
    *why = "cancelled";
    *out = (resolver_services_t){0};
    if (!normalize(name, text)) return dns_no_name(why);
    return lookup_services(r, pool, text, out, why);
}

bool resolver_is_waited_for(const resolver_t *r)
{
    if (r->services) return true;
    LIST_EACH(l, &r->ages)
        if (!list_empty(&LIST_OF(l, entry_t, age)->waiters)) return true;
    return false;
}

/* --- making and freeing --- */

resolver_t *resolver_new(const resolver_options_t *o)
{
    resolver_t *r = calloc(1, sizeof(*r));
    if (!r) return NULL;
    r->ipv4 = o->ipv4;
    r->ipv6 = o->ipv6;
    r->valid_ms = o->valid_ms;
    r->timeout_ms = o->timeout_ms;
    list_init(&r->ages);
    r->dns = dns_open(o->servers, o->server_count, o->timeout_ms);
    if (!r->dns) {
        free(r);
        return NULL;
    }
    r->hosts = hosts_open(o->hosts ? o->hosts : "/etc/hosts");
    return r;
}

void resolver_free(resolver_t *r)
{
    if (!r) return;
    dns_close(r->dns);
    LIST_EACH_SAFE(l, &r->ages) drop(r, LIST_OF(l, entry_t, age));
    hosts_close(r->hosts);
    free(r);
}
