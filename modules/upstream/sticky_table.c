#include "modules/upstream/sticky_table.h"

#include <string.h>

#include "core/base/clock.h"

/* Where a holder was killed, a key may stand without its owner: such a place counts as free. */
static void take(sticky_table_t *t)
{
    if (shm_lock(&t->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&t->lock);
}

void *sticky_table_init(slab_t *slab, void *arg)
{
    const size_t *size = arg;
    sticky_table_t *t = slab_alloc(slab, sizeof(*t));
    size_t row = STICKY_ROW * sizeof(sticky_session_t);
    size_t room = *size - *size / 32 - 4 * (size_t)SLAB_PAGE; /* less what the slab needs itself */
    if (!t) return NULL;
    shm_lock_init(&t->lock);
    t->rows = room / row;
    t->sessions = slab_alloc(slab, t->rows * row);
    if (t->sessions) memset(t->sessions, 0, t->rows * row);
    return t->sessions ? t : NULL;
}

static sticky_session_t *row_of(const sticky_table_t *t, uint64_t key)
{
    return t->sessions + key % t->rows * STICKY_ROW;
}

static sticky_session_t *find(const sticky_table_t *t, uint64_t key)
{
    sticky_session_t *s = row_of(t, key);
    for (unsigned i = 0; i < STICKY_ROW; i++)
        if (s[i].key == key && s[i].owner) return &s[i];
    return NULL;
}

static sticky_session_t *find_room(const sticky_table_t *t, uint64_t key)
{
    sticky_session_t *s = row_of(t, key), *oldest = s;
    for (unsigned i = 0; i < STICKY_ROW; i++) {
        if (!s[i].owner) return &s[i];
        if (s[i].used_ms < oldest->used_ms) oldest = &s[i];
    }
    return oldest;
}

uint64_t sticky_table_find(sticky_table_t *t, uint64_t key, uint64_t timeout_ms)
{
    uint64_t owner = 0, now = clock_ms();
    take(t);
    sticky_session_t *s = find(t, key);
    if (s && now < s->used_ms + timeout_ms) {
        owner = s->owner;
        if (now > s->used_ms) s->used_ms = now;
    }
    shm_unlock(&t->lock);
    return owner;
}

void sticky_table_put(sticky_table_t *t, uint64_t key, uint64_t owner)
{
    take(t);
    sticky_session_t *s = find(t, key);
    if (!s) s = find_room(t, key);
    __atomic_store_n(&s->owner, 0, __ATOMIC_RELEASE); /* free, until it is whole again */
    __atomic_store_n(&s->key, key, __ATOMIC_RELEASE);
    s->used_ms = clock_ms();
    __atomic_store_n(&s->owner, owner, __ATOMIC_RELEASE);
    shm_unlock(&t->lock);
}
