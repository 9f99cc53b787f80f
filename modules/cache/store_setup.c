#include "modules/cache/store_setup.h"

#include <errno.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "modules/cache/store_filler.h"
#include "modules/cache/store_lane.h"

enum {
    TAG_PLACES_MOST = 1 << 16, /* of the table of purges */
    TAG_PLACES_LEAST = 256,
    ZONE_PER_TAG = 128,
};

static unsigned tag_places(size_t zone)
{
    unsigned n = TAG_PLACES_LEAST;
    while (n < TAG_PLACES_MOST && n < zone / ZONE_PER_TAG) n *= 2;
    return n;
}

static void *make(slab_t *slab, size_t n)
{
    void *p = slab_alloc(slab, n);
    if (p) memset(p, 0, n);
    return p;
}

static bool make_parts(store_shared_t *sh, slab_t *slab, const store_options_t *o)
{
    enum { SPARE = 8 * SLAB_PAGE }; /* for lists of selecting fields */
    sh->varies = store_zone_varies(slab);
    sh->counts = make(slab, o->rows * sizeof(*sh->counts));
    sh->purge = store_purge_init(slab, tag_places(o->keys_size));
    sh->fills = store_fills_init(slab, o->keys_size);
    if (!sh->varies || !sh->counts || !sh->purge || !sh->fills) return false;
    sh->index = store_index_init(slab, SPARE);
    return sh->index;
}

static void *init(slab_t *slab, void *arg)
{
    store_shared_t *sh = make(slab, sizeof(*sh));
    if (!sh || !make_parts(sh, slab, arg)) return NULL;
    sh->next_id = (uint64_t)clock_unix() << 24; /* above those of earlier runs */
    return sh;
}

bool store_setup_want(zone_set_t *set, store_t *s, const char **why)
{
    store_options_t *o = &s->options;
    str_t kind = pool_printf(set->pool, "cache %u %u:%u:%u " STR_FMT, o->rows, o->levels[0],
                             o->levels[1], o->levels[2], STR_ARG(o->path));
    s->keys = zone_want(set, o->name, o->keys_size, kind.p, init, o, why);
    if (!s->keys || o->memory_size == 0) return s->keys;
    str_t name = pool_printf(set->pool, STR_FMT ":memory", STR_ARG(o->name));
    s->memory_zone = zone_want(set, name, o->memory_size, kind.p, store_memory_init, &o->rows, why);
    if (s->memory_zone) s->memory_zone->file = true;
    return s->memory_zone;
}

int store_setup_enter(store_t *s)
{
    static store_counts_t uncounted;
    int row = worker_row();
    s->shared = s->keys->root;
    s->memory = s->memory_zone ? s->memory_zone->root : NULL;
    s->counts = row >= 0 && (unsigned)row < s->options.rows ? &s->shared->counts[row] : &uncounted;
    if (s->memory) store_memory_join(s->memory);
    s->dir = (store_dir_t){.path = s->options.path.p, .fd = -1};
    memcpy(s->dir.levels, s->options.levels, sizeof(s->dir.levels));
    int err = store_fills_enter(store_filler_show_wanted);
    if (!err) err = store_dir_open(&s->dir);
    if (err)
        LOG(&log_main, LOG_ALERT, -err, "the cache \"%s\" cannot be used", s->options.path.p);
    s->entered = !err;
    return err;
}

void store_setup_leave(store_t *s)
{
    if (s->entered) store_dir_close(&s->dir);
    s->entered = false;
}
