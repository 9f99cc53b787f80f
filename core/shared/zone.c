#include "core/shared/zone.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/shared/shm.h"

struct zone_memory {
    unsigned refs;
    void *p;
    size_t size;
    int fd; /* -1: in none */
};

static zone_t *find(const zone_set_t *set, str_t name)
{
    zone_t *z = set->first;
    while (z && !str_eq(z->name, name)) z = z->next;
    return z;
}

static zone_t *add(zone_set_t *set, str_t name, const char *kind)
{
    zone_t **at = &set->first;
    while (*at) at = &(*at)->next;
    *at = POOL_NEW(set->pool, zone_t);
    (*at)->name = pool_str(set->pool, name);
    (*at)->kind = pool_cstr(set->pool, str_of(kind));
    return *at;
}

static const char *disagreement(zone_set_t *set, const zone_t *z, size_t size, const char *kind)
{
    if (strcmp(z->kind, kind) != 0)
        return pool_printf(set->pool,
                           "the shared memory zone \"" STR_FMT
                           "\" is already declared for a different use",
                           STR_ARG(z->name)).p;
    if (z->size && size && z->size != size)
        return pool_printf(set->pool,
                           "the size %zu of shared memory zone \"" STR_FMT
                           "\" conflicts with already declared size %zu",
                           size, STR_ARG(z->name), z->size).p;
    return NULL;
}

static const char *too_small(zone_set_t *set, str_t name)
{
    return pool_printf(set->pool, "zone \"" STR_FMT "\" is too small", STR_ARG(name)).p;
}

zone_t *zone_want(zone_set_t *set, str_t name, size_t size, const char *kind,
                  void *(*init)(slab_t *slab, void *arg), void *arg, const char **why)
{
    if ((size && size < ZONE_SIZE_MIN) || size > SIZE_MAX - SLAB_PAGE) {
        *why = too_small(set, name);
        return NULL;
    }
    size = (size + SLAB_PAGE - 1) & ~(size_t)(SLAB_PAGE - 1);
    zone_t *z = find(set, name);
    if (!z) z = add(set, name, kind);
    *why = disagreement(set, z, size, kind);
    if (*why) return NULL;
    if (size && !z->size) {
        z->size = size;
        z->init = init;
        z->arg = arg;
    }
    return z;
}

static void release(zone_t *z)
{
    struct zone_memory *m = z->memory;
    z->memory = NULL;
    z->slab = NULL;
    z->root = NULL;
    if (!m || --m->refs > 0) return;
    shm_unmap(m->p, m->size);
    if (m->fd >= 0) close(m->fd);
    free(m);
}

static bool take_over(zone_t *z, const zone_set_t *before)
{
    const zone_t *old = before ? find(before, z->name) : NULL;
    if (!old || !old->memory || old->size != z->size || strcmp(old->kind, z->kind) != 0 ||
        old->file != z->file)
        return false;
    z->memory = old->memory;
    z->memory->refs++;
    z->fd = z->memory->fd;
    z->slab = old->slab;
    z->root = old->root;
    return true;
}

static const char *map_fresh(zone_set_t *set, zone_t *z)
{
    struct zone_memory *m = malloc(sizeof(*m));
    int fd = -1;
    void *p = !m ? NULL : z->file ? shm_map_file(z->size, &fd) : shm_map(z->size);
    if (!p) {
        free(m);
        return pool_printf(set->pool, "cannot map %zu bytes for zone \"" STR_FMT "\": %s", z->size,
                           STR_ARG(z->name), strerrordesc_np(errno)).p;
    }
    *m = (struct zone_memory){.refs = 1, .p = p, .size = z->size, .fd = fd};
    z->memory = m;
    z->fd = fd;
    z->slab = slab_init(p, z->size);
    z->root = z->init ? z->init(z->slab, z->arg) : NULL;
    return z->init && !z->root ? too_small(set, z->name) : NULL;
}

static const char *map_zone(zone_set_t *set, zone_t *z, const zone_set_t *before)
{
    if (!z->size)
        return pool_printf(set->pool, "zero size shared memory zone \"" STR_FMT "\"",
                           STR_ARG(z->name)).p;
    return take_over(z, before) ? NULL : map_fresh(set, z);
}

bool zone_set_map(zone_set_t *set, const zone_set_t *before, const char **why)
{
    *why = NULL;
    for (zone_t *z = set->first; z && !*why; z = z->next) *why = map_zone(set, z, before);
    if (*why) zone_set_release(set);
    return !*why;
}

void zone_set_release(zone_set_t *set)
{
    for (zone_t *z = set->first; z; z = z->next) release(z);
}
