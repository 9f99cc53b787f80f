#include "modules/ssl/ssl_session_cache.h"

#include "core/base/hash.h"
#include "core/shared/shm.h"

enum {
    WAYS = 8,          /* places in which a session may be */
    BYTES_EACH = 320,  /* of the zone for a usual session, its place, and what is lost between */
    EVICT_MOST = 64,   /* places looked at for one new session */
};

typedef struct place {
    char *session; /* a block of the slab; NULL: the place is free */
    uint64_t until;
    uint16_t size;
    uint8_t id_size;
    char id[SSL_SESSION_ID_MAX];
} place_t;

struct ssl_session_cache {
    shm_lock_t lock;
    slab_t *slab;
    uint32_t sets;
    uint32_t hand; /* the place that is looked at next when room is needed */
    place_t places[];
};

void *ssl_session_cache_init(slab_t *slab, void *arg)
{
    size_t sets = *(const size_t *)arg / BYTES_EACH / WAYS;
    if (sets == 0 || sets > UINT32_MAX / WAYS) return NULL;
    size_t size = sizeof(ssl_session_cache_t) + sets * WAYS * sizeof(place_t);
    ssl_session_cache_t *c = slab_alloc(slab, size);
    if (!c) return NULL;
    memset(c, 0, size);
    shm_lock_init(&c->lock);
    c->slab = slab;
    c->sets = (uint32_t)sets;
    return c;
}

/* Places are in order at every moment (see the header): there is nothing to repair. */
static void lock(ssl_session_cache_t *c)
{
    if (shm_lock(&c->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&c->lock);
}

static void empty(ssl_session_cache_t *c, place_t *p)
{
    char *session = p->session;
    __atomic_store_n(&p->session, NULL, __ATOMIC_RELEASE);
    slab_free(c->slab, session);
}

static place_t *set_of(ssl_session_cache_t *c, str_t id)
{
    return &c->places[hash_bytes(id) % c->sets * WAYS];
}

static place_t *find(ssl_session_cache_t *c, str_t id)
{
    place_t *p = set_of(c, id);
    for (unsigned i = 0; i < WAYS; i++, p++)
        if (p->session && p->id_size == id.n && memcmp(p->id, id.p, id.n) == 0) return p;
    return NULL;
}

/* A free place for it; else the one that ends first is emptied. */
static place_t *make_place(ssl_session_cache_t *c, str_t id)
{
    place_t *p = set_of(c, id), *first = p;
    for (unsigned i = 0; i < WAYS; i++, p++) {
        if (!p->session) return p;
        if (p->until < first->until) first = p;
    }
    empty(c, first);
    return first;
}

/* What has ended goes; when nothing has, whatever comes round. */
static bool evict(ssl_session_cache_t *c, uint64_t now, bool any)
{
    for (unsigned i = 0; i < EVICT_MOST; i++) {
        place_t *p = &c->places[c->hand];
        c->hand = (c->hand + 1) % (c->sets * WAYS);
        if (!p->session || (!any && p->until > now)) continue;
        empty(c, p);
        return true;
    }
    return false;
}

static char *make_room(ssl_session_cache_t *c, size_t n, uint64_t now)
{
    char *room = slab_alloc(c->slab, n);
    for (unsigned i = 0; !room && i < WAYS && (evict(c, now, false) || evict(c, now, true)); i++)
        room = slab_alloc(c->slab, n);
    return room;
}

static void put(ssl_session_cache_t *c, str_t id, str_t session, uint64_t now, uint64_t until)
{
    place_t *p = find(c, id);
    if (p) empty(c, p);
    char *room = make_room(c, session.n, now);
    if (!room) return;
    memcpy(room, session.p, session.n);
    p = make_place(c, id);
    p->until = until;
    p->size = (uint16_t)session.n;
    p->id_size = (uint8_t)id.n;
    memcpy(p->id, id.p, id.n);
    __atomic_store_n(&p->session, room, __ATOMIC_RELEASE);
}

void ssl_session_cache_put(ssl_session_cache_t *c, str_t id, str_t session, uint64_t now,
                           uint64_t until)
{
    if (id.n == 0 || id.n > SSL_SESSION_ID_MAX || session.n > SSL_SESSION_SIZE_MAX) return;
    lock(c);
    put(c, id, session, now, until);
    shm_unlock(&c->lock);
}

size_t ssl_session_cache_get(ssl_session_cache_t *c, str_t id, uint64_t now, char *out)
{
    size_t n = 0;
    lock(c);
    const place_t *p = find(c, id);
    if (p && p->until > now) memcpy(out, p->session, n = p->size);
    shm_unlock(&c->lock);
    return n;
}

void ssl_session_cache_remove(ssl_session_cache_t *c, str_t id)
{
    lock(c);
    place_t *p = find(c, id);
    if (p) empty(c, p);
    shm_unlock(&c->lock);
}
