#include "modules/ssl/ssl_loaded.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/list.h"
#include "core/base/panic.h"

typedef struct entry {
    list_t link;         /* of those in use, the longest unused first */
    struct entry *next;  /* in its bucket */
    str_t name;          /* behind this struct */
    uint64_t read_ms, used_ms;
    tls_identity_t id;
} entry_t;

struct ssl_loaded {
    ssl_loaded_limits_t limits;
    list_t used;
    unsigned count;
    size_t mask;
    entry_t **buckets;
};

/* What points to the entry, or to the end of its bucket. */
static entry_t **place_of(const ssl_loaded_t *l, str_t name)
{
    entry_t **at = &l->buckets[hash_bytes(name) & l->mask];
    while (*at && !str_eq((*at)->name, name)) at = &(*at)->next;
    return at;
}

static void drop(ssl_loaded_t *l, entry_t **at)
{
    entry_t *e = *at;
    *at = e->next;
    list_remove(&e->link);
    tls_identity_clear(&e->id);
    free(e);
    l->count--;
}

static entry_t *oldest(const ssl_loaded_t *l)
{
    return l->count ? LIST_OF(l->used.next, entry_t, link) : NULL;
}

static void drop_all(void *arg)
{
    ssl_loaded_t *l = arg;
    while (l->count) drop(l, place_of(l, oldest(l)->name));
}

ssl_loaded_t *ssl_loaded_new(pool_t *pool, ssl_loaded_limits_t limits)
{
    ssl_loaded_t *l = POOL_NEW(pool, ssl_loaded_t);
    size_t buckets = 16;
    while (buckets < limits.most) buckets *= 2;
    l->limits = limits;
    l->mask = buckets - 1;
    l->buckets = POOL_ARRAY(pool, entry_t *, buckets);
    list_init(&l->used);
    pool_defer(pool, drop_all, l);
    return l;
}

static void drop_inactive(ssl_loaded_t *l, uint64_t now)
{
    entry_t *e;
    while ((e = oldest(l)) && now - e->used_ms >= l->limits.inactive)
        drop(l, place_of(l, e->name));
}

const tls_identity_t *ssl_loaded_find(ssl_loaded_t *l, str_t name, uint64_t now)
{
    drop_inactive(l, now);
    entry_t **at = place_of(l, name), *e = *at;
    if (!e) return NULL;
    if (now - e->read_ms >= l->limits.valid) {
        drop(l, at);
        return NULL;
    }
    e->used_ms = now;
    list_remove(&e->link);
    list_push(&l->used, &e->link);
    return &e->id;
}

void ssl_loaded_keep(ssl_loaded_t *l, str_t name, const tls_identity_t *id, uint64_t now)
{
    entry_t **at = place_of(l, name);
    if (*at) drop(l, at);
    while (l->count >= l->limits.most) drop(l, place_of(l, oldest(l)->name));
    entry_t *e = calloc(1, sizeof(*e) + name.n);
    if (!e) panic("out of memory: certificate");
    memcpy(e + 1, name.p, name.n);
    *e = (entry_t){.name = str_make((const char *)(e + 1), name.n),
                   .read_ms = now,
                   .used_ms = now,
                   .id = *id};
    list_push(&l->used, &e->link);
    at = &l->buckets[hash_bytes(name) & l->mask];
    e->next = *at;
    *at = e;
    l->count++;
}

unsigned ssl_loaded_count(const ssl_loaded_t *l)
{
    return l->count;
}
