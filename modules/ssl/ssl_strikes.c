#include "modules/ssl/ssl_strikes.h"

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/shared/shm.h"

enum { SETS = 8192, WAYS = 6 };

typedef struct strike {
    uint64_t id, until_ms;
} strike_t;

struct ssl_strikes {
    shm_lock_t lock;
    uint64_t since_ms; /* nothing is known of what was before */
    strike_t sets[SETS][WAYS];
};

void *ssl_strikes_init(slab_t *slab, void *arg)
{
    ssl_strikes_t *s = slab_alloc(slab, sizeof(*s));
    (void)arg;
    if (!s) return NULL;
    memset(s, 0, sizeof(*s));
    shm_lock_init(&s->lock);
    s->since_ms = clock_ms();
    return s;
}

/* One who was killed here had written a strike's time last, so none is half. */
static void lock(ssl_strikes_t *s)
{
    if (shm_lock(&s->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&s->lock);
}

static bool take_place(strike_t *set, uint64_t id, uint64_t now_ms)
{
    strike_t *place = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].until_ms <= now_ms) place = &set[i];
        else if (set[i].id == id) return false;
    }
    if (!place) return false;
    place->id = id;
    __atomic_store_n(&place->until_ms, now_ms + SSL_STRIKES_MS, __ATOMIC_RELEASE);
    return true;
}

bool ssl_strikes_first(ssl_strikes_t *s, str_t id, uint64_t keys_ms, uint64_t now_ms)
{
    uint64_t hash = hash_bytes(id);
    if (keys_ms < s->since_ms && now_ms < s->since_ms + SSL_STRIKES_MS) return false;
    lock(s);
    bool first = take_place(s->sets[hash % SETS], hash, now_ms);
    shm_unlock(&s->lock);
    return first;
}
