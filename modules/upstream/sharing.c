#include "modules/upstream/sharing.h"

#include <errno.h>
#include <stdlib.h>

#include "core/base/panic.h"

enum { USUALLY_ALLOWED = 100 /* RFC 9113 6.5.2: no less is recommended */ };

struct sharing_place {
    list_t link;
    sharing_t *sharing;
    mux_t *mux;          /* NULL: not yet */
    list_t waiters;
    unsigned waiting, keep;
    net_addr_t to, from;
    SSL_CTX *ctx;        /* NULL: plain */
    str_t name;          /* behind this struct */
};

typedef struct waiter { /* on the stack of a fiber */
    list_t link;
    fiber_t *fiber;
    bool told;
    int err;
} waiter_t;

/* --- finding --- */

static bool fits(const sharing_place_t *p, const sharing_key_t *key)
{
    if (!net_eq(&p->to, key->to)) return false;
    bool bound = p->from.len;
    if (p->from.len != key->from->len || (bound && !net_eq(&p->from, key->from))) return false;
    return key->tls ? p->ctx == key->tls->ctx && str_eq(p->name, key->tls->name) : !p->ctx;
}

mux_t *sharing_find(const sharing_t *s, const sharing_key_t *key)
{
    if (!s->places.next) return NULL;
    LIST_EACH(l, &s->places)
    {
        const sharing_place_t *p = LIST_OF(l, sharing_place_t, link);
        if (p->mux && mux_has_room(p->mux) && fits(p, key)) return p->mux;
    }
    return NULL;
}

static bool is_settled(const sharing_place_t *p)
{
    return p->mux && p->mux->session.settled;
}

sharing_place_t *sharing_pending(const sharing_t *s, const sharing_key_t *key)
{
    unsigned allowed = s->allowed ? s->allowed : USUALLY_ALLOWED;
    if (!s->places.next) return NULL;
    LIST_EACH(l, &s->places)
    {
        sharing_place_t *p = LIST_OF(l, sharing_place_t, link);
        if (!is_settled(p) && p->waiting + 1 < allowed && fits(p, key)) return p;
    }
    return NULL;
}

/* --- waiting --- */

int sharing_await(sharing_place_t *place, uint64_t timeout_ms)
{
    waiter_t w = {.fiber = fiber_self()};
    list_push(&place->waiters, &w.link);
    place->waiting++;
    int r = fiber_suspend(timeout_ms);
    if (w.told) return r < 0 && r != -ETIMEDOUT ? r : w.err;
    list_remove(&w.link);
    place->waiting--; /* nobody was told: the place still is */
    return r;
}

static void tell_waiters(sharing_place_t *p, int err)
{
    list_t *l;
    while ((l = list_pop(&p->waiters))) {
        waiter_t *w = LIST_OF(l, waiter_t, link);
        w->told = true;
        w->err = err;
        fiber_wake(w->fiber);
    }
    p->waiting = 0;
}

/* --- making --- */

sharing_place_t *sharing_begin(sharing_t *s, const sharing_key_t *key)
{
    str_t name = key->tls ? key->tls->name : STR("");
    sharing_place_t *p = calloc(1, sizeof(*p) + name.n);
    if (!p) panic("out of memory: connection to an origin");
    if (!s->places.next) list_init(&s->places);
    p->sharing = s;
    p->to = *key->to;
    p->from = *key->from;
    if (key->tls) p->ctx = key->tls->ctx;
    if (name.n) memcpy(p + 1, name.p, name.n);
    p->name = str_make((const char *)(p + 1), name.n);
    list_init(&p->waiters);
    list_push(&s->places, &p->link);
    return p;
}

void sharing_failed(sharing_place_t *p, int err)
{
    tell_waiters(p, err);
    list_remove(&p->link);
    free(p);
}

static void on_settled(mux_t *m)
{
    sharing_place_t *p = m->keeper;
    p->sharing->allowed = mux_session_limit(&m->session);
    tell_waiters(p, 0);
}

static void on_lost(mux_t *m)
{
    sharing_failed(m->keeper, -ECONNRESET);
}

static bool is_idle(const sharing_place_t *p)
{
    return p->mux && !p->mux->retired && p->mux->session.count == 0;
}

/* As many as may idle do; the one that has come last goes. */
static void on_rested(mux_t *m)
{
    const sharing_place_t *p = m->keeper;
    unsigned idle = 0;
    LIST_EACH(l, &p->sharing->places) idle += is_idle(LIST_OF(l, sharing_place_t, link));
    if (idle > p->keep) mux_retire(m);
}

mux_t *sharing_made(sharing_place_t *p, origin_t *o, const mux_limits_t *limits, unsigned keep)
{
    mux_t *m = p->mux = mux_start(o, limits);
    if (!m) {
        sharing_failed(p, -EMFILE);
        return NULL;
    }
    p->keep = keep;
    m->keeper = p;
    m->settled = on_settled;
    m->rested = on_rested;
    m->lost = on_lost;
    return m;
}
