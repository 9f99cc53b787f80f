#include "modules/ssl/ssl_staples.h"

#include "core/shared/shm.h"
#include "core/shared/zone.h"

enum {
    SHARE = 8192,         /* of the zone for a place and what stands there: 0.5 to 3 KiB */
    PLACES_LEAST = 16,
    KEPT = 3600,          /* seconds for which a place is kept that nobody asks for */
};

typedef struct place {
    unsigned char digest[SSL_STAPLES_DIGEST];
    uint64_t version;
    time_t used; /* 0: free */
    ssl_staple_times_t times;
    char *answer;
    size_t n;
    bool busy; /* somebody writes here */
} place_t;

struct ssl_staples {
    shm_lock_t lock;
    slab_t *slab;
    unsigned count;
    place_t places[];
};

size_t ssl_staples_size(unsigned certificates)
{
    size_t places = PLACES_LEAST;
    while (places < 2 * (size_t)certificates) places *= 2; /* so that few reloads change it */
    return ZONE_SIZE_MIN + places * SHARE;
}

void *ssl_staples_init(slab_t *slab, void *arg)
{
    size_t count = (*(const size_t *)arg - ZONE_SIZE_MIN) / SHARE;
    size_t size = sizeof(ssl_staples_t) + count * sizeof(place_t);
    ssl_staples_t *t = slab_alloc(slab, size);
    if (!t) return NULL;
    memset(t, 0, size);
    shm_lock_init(&t->lock);
    t->slab = slab;
    t->count = (unsigned)count;
    return t;
}

static void changed(place_t *p)
{
    __atomic_add_fetch(&p->version, 1, __ATOMIC_RELEASE);
}

static void lock(ssl_staples_t *t)
{
    if (shm_lock(&t->lock) != SHM_LOCK_RECOVER) return;
    for (unsigned i = 0; i < t->count; i++) {
        place_t *p = &t->places[i];
        if (!p->busy) continue;
        *p = (place_t){.version = p->version};
        changed(p);
    }
    shm_lock_repaired(&t->lock);
}

static void empty(ssl_staples_t *t, place_t *p)
{
    char *answer = p->answer;
    p->answer = NULL;
    p->n = 0;
    p->times = (ssl_staple_times_t){.until = 0};
    slab_free(t->slab, answer);
}

/* --- places --- */

/* Place number i of those where the certificate may be. */
static place_t *place_at(ssl_staples_t *t, const unsigned char *digest, unsigned i)
{
    uint32_t first;
    memcpy(&first, digest, sizeof(first));
    return &t->places[(first % t->count + i) % t->count];
}

/* Behind a place that nobody ever had there is nothing. */
static place_t *find(ssl_staples_t *t, const unsigned char *digest)
{
    for (unsigned i = 0; i < t->count; i++) {
        place_t *p = place_at(t, digest, i);
        if (!p->used) break;
        if (memcmp(p->digest, digest, SSL_STAPLES_DIGEST) == 0) return p;
    }
    return NULL;
}

static place_t *find_free(ssl_staples_t *t, const unsigned char *digest, time_t now)
{
    for (unsigned i = 0; i < t->count; i++) {
        place_t *p = place_at(t, digest, i);
        if (!p->used || p->used + KEPT < now) return p;
    }
    return NULL;
}

static void take(ssl_staples_t *t, place_t *p, const unsigned char *digest)
{
    p->busy = true;
    empty(t, p);
    memcpy(p->digest, digest, SSL_STAPLES_DIGEST);
    changed(p);
}

int ssl_staples_place(ssl_staples_t *t, const unsigned char digest[SSL_STAPLES_DIGEST], time_t now)
{
    lock(t);
    place_t *p = find(t, digest);
    if (!p && (p = find_free(t, digest, now))) take(t, p, digest);
    if (p) p->used = now;
    if (p) p->busy = false;
    shm_unlock(&t->lock);
    return p ? (int)(p - t->places) : SSL_STAPLES_NONE;
}

uint64_t ssl_staples_version(const ssl_staples_t *t, int place)
{
    return __atomic_load_n(&t->places[place].version, __ATOMIC_ACQUIRE);
}

/* --- what stands there --- */

ssl_staple_times_t ssl_staples_times(ssl_staples_t *t, int place)
{
    lock(t);
    ssl_staple_times_t times = t->places[place].times;
    shm_unlock(&t->lock);
    return times;
}

bool ssl_staples_put(ssl_staples_t *t, int place, str_t answer, ssl_staple_times_t times)
{
    place_t *p = &t->places[place];
    lock(t);
    p->busy = true;
    empty(t, p);
    p->answer = slab_alloc(t->slab, answer.n);
    bool ok = p->answer;
    if (ok) {
        memcpy(p->answer, answer.p, answer.n);
        p->n = answer.n;
        p->times = times;
    }
    changed(p);
    p->busy = false;
    shm_unlock(&t->lock);
    return ok;
}

void ssl_staples_postpone(ssl_staples_t *t, int place, time_t ask_at)
{
    lock(t);
    t->places[place].times.ask_at = ask_at;
    shm_unlock(&t->lock);
}

size_t ssl_staples_get(ssl_staples_t *t, int place, const unsigned char digest[SSL_STAPLES_DIGEST],
                       char *out, size_t most, time_t *until)
{
    const place_t *p = &t->places[place];
    lock(t);
    bool good = p->n && p->n <= most && memcmp(p->digest, digest, SSL_STAPLES_DIGEST) == 0;
    size_t n = good ? p->n : 0;
    if (good) memcpy(out, p->answer, n);
    *until = good ? p->times.until : 0;
    shm_unlock(&t->lock);
    return n;
}
