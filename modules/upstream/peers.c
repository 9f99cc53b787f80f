#include "modules/upstream/peers.h"

#include <stdio.h>

#include "core/base/hash.h"
#include "core/base/panic.h"
#include "core/process/core_conf.h"
#include "core/process/generation.h"
#include "core/process/worker.h"

/* --- the zone --- */

static unsigned power_above(unsigned n)
{
    unsigned p = 1;
    while (p < n) p *= 2;
    return p;
}

size_t peers_bytes(const peers_size_t *size)
{
    size_t cells = (size_t)size->slots * size->lanes;
    size_t n = sizeof(peers_shared_t) + size->slots * sizeof(peer_state_t) +
               size->lanes * sizeof(uint64_t) +
               cells * (sizeof(uint32_t) + 1 + sizeof(tally_t));
    if (size->names) n += roster_bytes(size->names);
    return n + n / 32 + 12 * (size_t)SLAB_PAGE;
}

/* The zone is fresh: what no one has freed is zero without touching it. */
static void *make_large(slab_t *slab, size_t n)
{
    return slab_alloc(slab, n < SLAB_PAGE ? SLAB_PAGE : n);
}

static void *make(slab_t *slab, size_t n)
{
    void *p = slab_alloc(slab, n);
    if (p) memset(p, 0, n);
    return p;
}

static bool make_roster(peers_shared_t *s, slab_t *slab, const peers_size_t *size)
{
    s->roster = roster_init(slab, size->names);
    if (!s->roster || !size->lines) return s->roster;
    VEC_EACH(const str_t, line, size->lines) roster_add(s->roster, *line);
    return true;
}

void *peers_init(slab_t *slab, void *arg)
{
    const peers_size_t *size = arg;
    size_t cells = (size_t)size->slots * size->lanes;
    peers_shared_t *s = make(slab, sizeof(*s));
    if (!s) return NULL;
    shm_lock_init(&s->lock);
    s->slots = size->slots;
    s->lanes = size->lanes;
    s->states = make(slab, size->slots * sizeof(*s->states));
    s->owners = make(slab, size->lanes * sizeof(*s->owners));
    s->active = make(slab, cells * sizeof(*s->active));
    s->held = make(slab, cells);
    s->tallies = make_large(slab, cells * sizeof(*s->tallies));
    if (!s->states || !s->owners || !s->active || !s->held || !s->tallies) return NULL;
    return !size->names || make_roster(s, slab, size) ? s : NULL;
}

/*
 * The room grows in powers of two and with some to spare, since a zone survives a reload only when
 * it is as large as before.
 */
zone_t *peers_zone(conf_t *cf, str_t name, unsigned servers, unsigned names,
                   const conf_strs_t *lines, const char **why)
{
    enum { SLOTS_LEAST = 32, LANES_LEAST = 32, LANES_MOST = 4096, PER_NAME = 7, NAMES_SPARE = 8 };
    const core_conf_t *core = conf_get(cf->scope, &core_module);
    unsigned workers = core->worker_processes < LANES_MOST / 4 ? core->worker_processes
                                                               : LANES_MOST / 4;
    unsigned slots = servers * 2 + names * PER_NAME;
    peers_size_t *size = POOL_NEW(cf->pool, peers_size_t);
    size->slots = power_above(slots > SLOTS_LEAST ? slots : SLOTS_LEAST);
    size->lanes = power_above(workers * 4 > LANES_LEAST ? workers * 4 : LANES_LEAST);
    size->names = power_above(names + NAMES_SPARE);
    size->lines = lines;
    str_t kind = pool_printf(cf->pool, "upstream %u %u %u", size->slots, size->lanes, size->names);
    return zone_want(&generation_of(cf)->zones, name, peers_bytes(size), kind.p, peers_init, size,
                     why);
}

/* --- lanes --- */

static uint32_t *counts_of(peers_shared_t *s, unsigned lane)
{
    return s->active + (size_t)lane * s->slots;
}

static tally_t *tally_of(peers_shared_t *s, unsigned lane, unsigned slot)
{
    return s->tallies + (size_t)lane * s->slots + slot;
}

static bool lives(const peers_shared_t *s, unsigned lane)
{
    uint64_t owner = PEER_GET(s->owners[lane]);
    return owner && owner == worker_row_owner(lane);
}

/* All changes under the lock are single stores, so there is nothing to repair. */
static void take(peers_shared_t *s)
{
    if (shm_lock(&s->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&s->lock);
}

void peers_join(peers_t *p, pool_t *pool, peers_shared_t *shared, uint32_t number)
{
    int row = worker_row();
    bool shares = shared && row >= 0 && (unsigned)row < shared->lanes;
    *p = (peers_t){.shared = shares ? shared : POOL_NEW(pool, peers_shared_t), .number = number};
    if (!shares) return;
    p->lane = (unsigned)row;
    p->live = POOL_ARRAY(pool, const uint32_t *, shared->lanes);
    p->sums = POOL_ARRAY(pool, uint32_t, shared->slots);
    take(shared);
    PEER_SET(shared->owners[p->lane], 0);
    memset(counts_of(shared, p->lane), 0, shared->slots * sizeof(*shared->active));
    memset(shared->held + (size_t)p->lane * shared->slots, 0, shared->slots);
    if (shared->used <= p->lane) PEER_SET(shared->used, p->lane + 1);
    PEER_SET(shared->owners[p->lane], worker_row_owner(p->lane));
    shm_unlock(&shared->lock);
}

void peers_look(peers_t *p)
{
    unsigned used = PEER_GET(p->shared->used);
    p->live_count = 0;
    for (unsigned lane = 0; lane < used; lane++)
        if (lives(p->shared, lane)) p->live[p->live_count++] = counts_of(p->shared, lane);
}

typedef int32_t four_t __attribute__((vector_size(16), aligned(4), may_alias));

static void add_lanes(const peers_t *p, four_t *sums, unsigned quads)
{
    for (unsigned lane = 1; lane < p->live_count; lane++)
        for (unsigned i = 0; i < quads; i++) sums[i] += ((const four_t *)p->live[lane])[i];
}

uint32_t peers_sum(peers_t *p, const uint32_t *bars, unsigned n)
{
    unsigned quads = n / 4;
    four_t *sums = (four_t *)p->sums, least = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    ASSERT(p->live_count > 0); /* this worker lives */
    memcpy(p->sums, p->live[0], n * sizeof(*p->sums));
    add_lanes(p, sums, quads);
    for (unsigned i = 0; i < quads; i++) {
        four_t sum = sums[i] | ((const four_t *)bars)[i], less = sum < least;
        least = (sum & less) | (least & ~less);
    }
    int32_t a = least[0] < least[1] ? least[0] : least[1];
    int32_t b = least[2] < least[3] ? least[2] : least[3];
    return (uint32_t)(a < b ? a : b);
}

/* --- slots --- */

static bool is_held(const peers_shared_t *s, unsigned slot)
{
    for (unsigned lane = 0; lane < s->used; lane++)
        if (s->held[(size_t)lane * s->slots + slot] && lives(s, lane)) return true;
    return false;
}

static unsigned find_slot(const peers_shared_t *s, uint64_t id)
{
    for (unsigned i = 0; i < s->slots; i++)
        if (s->states[i].id == id) return i;
    return PEER_OWN;
}

/* One that was never used, so that what is known of others is kept; else one nobody uses now. */
static unsigned free_slot(const peers_shared_t *s)
{
    unsigned slot = find_slot(s, 0);
    for (unsigned i = 0; slot == PEER_OWN && i < s->slots; i++)
        if (!is_held(s, i)) slot = i;
    return slot;
}

static unsigned claim(peers_shared_t *s, uint64_t id, bool *fresh)
{
    unsigned slot = find_slot(s, id);
    *fresh = slot == PEER_OWN;
    if (!*fresh) return slot;
    slot = free_slot(s);
    if (slot == PEER_OWN) return slot;
    s->states[slot] = (peer_state_t){0};
    for (unsigned lane = 0; lane < s->used; lane++) *tally_of(s, lane, slot) = (tally_t){0};
    PEER_SET(s->states[slot].id, id);
    return slot;
}

static peer_place_t find_place(peers_t *p, pool_t *pool, str_t identity)
{
    peers_shared_t *s = p->shared;
    bool fresh = false;
    unsigned slot = s->slots ? claim(s, hash_bytes(identity) | 1, &fresh) : PEER_OWN;
    if (slot == PEER_OWN) {
        peer_state_t *own = POOL_NEW(pool, peer_state_t);
        return (peer_place_t){.state = own, .mine = &own->active, .slot = slot};
    }
    s->held[(size_t)p->lane * s->slots + slot] = 1;
    return (peer_place_t){&s->states[slot], counts_of(s, p->lane) + slot,
                          tally_of(s, p->lane, slot), slot, fresh};
}

static void put(peers_shared_t *s, peer_state_t *state, const peer_settings_t *settings,
                uint64_t told)
{
    PEER_SET(state->settings.weight, settings->weight);
    PEER_SET(state->settings.max_conns, settings->max_conns);
    PEER_SET(state->settings.flags, settings->flags);
    PEER_SET(state->effective, (int32_t)settings->weight);
    PEER_SET(state->told, told);
    peers_changed(s);
}

/* What the line says holds until it says something else, whatever was changed meanwhile. A worker
   of an earlier configuration that begins late has nothing to say any more. */
static void configure(const peers_t *p, peer_state_t *state, const peer_settings_t *conf)
{
    if (p->number < state->number) return;
    state->number = p->number;
    if (memcmp(&state->configured, conf, sizeof(*conf)) == 0) return;
    state->configured = *conf;
    put(p->shared, state, conf, 0);
}

peer_place_t peers_enter(peers_t *p, pool_t *pool, str_t identity, const peer_settings_t *conf)
{
    if (p->shared->slots) take(p->shared);
    peer_place_t place = find_place(p, pool, identity);
    configure(p, place.state, conf);
    if (p->shared->slots) shm_unlock(&p->shared->lock);
    return place;
}

void peers_leave(peers_t *p, const peer_place_t *place)
{
    if (place->slot != PEER_OWN)
        PEER_SET(p->shared->held[(size_t)p->lane * p->shared->slots + place->slot], 0);
}

/* --- what comes to be known --- */

void peers_note_error(peer_state_t *state, int err, const char *text)
{
    char line[sizeof(state->error)];
    if (err) snprintf(line, sizeof(line), "%s (%d: %s)", text, err, strerrordesc_np(err));
    else snprintf(line, sizeof(line), "%s", text);
    memcpy(state->error, line, sizeof(line) - 1); /* the last byte is always 0 */
    PEER_SET(state->error_ms, clock_unix_ms());
}

tally_sum_t peers_tally(const peers_t *p, const peer_place_t *place)
{
    tally_sum_t sum = {0};
    unsigned used = place->slot == PEER_OWN ? 0 : PEER_GET(p->shared->used);
    for (unsigned lane = 0; lane < used; lane++)
        tally_add(&sum, tally_of(p->shared, lane, place->slot));
    return sum;
}

/* --- settings --- */

peer_settings_t peers_settings(const peer_state_t *state)
{
    const peer_settings_t *s = &state->settings;
    return (peer_settings_t){PEER_GET(s->weight), PEER_GET(s->max_conns), PEER_GET(s->flags)};
}

void peers_set(peers_shared_t *s, peer_state_t *state, const peer_settings_t *settings)
{
    put(s, state, settings, PEER_GET(s->changes) + 1);
}

void peers_follow(peers_shared_t *s, peer_state_t *state, const peer_state_t *name)
{
    uint64_t told = PEER_GET(name->told);
    if (told <= PEER_GET(state->told)) return;
    peer_settings_t set = state->configured, now = peers_settings(name);
    const peer_settings_t *conf = &name->configured;
    uint32_t changed = (now.flags ^ conf->flags) & (PEER_DOWN | PEER_DRAIN);
    set.flags = (set.flags & ~changed) | (now.flags & changed);
    if (now.weight != conf->weight) set.weight = now.weight;
    if (now.max_conns != conf->max_conns) set.max_conns = now.max_conns;
    put(s, state, &set, told);
}

void peers_set_health(peers_shared_t *s, peer_state_t *state, uint32_t health)
{
    PEER_SET(state->health, health);
    peers_changed(s);
}

/* --- what one does for all --- */

static uint64_t name_of(const peers_t *p)
{
    return (uint64_t)(p->lane + 1) << 32 | (uint32_t)worker_row_owner(p->lane);
}

static bool is_alive(uint64_t keeper)
{
    return keeper && (uint32_t)keeper == (uint32_t)worker_row_owner((unsigned)(keeper >> 32) - 1);
}

bool peers_claim(peers_t *p)
{
    uint64_t before = PEER_GET(p->shared->keeper), mine = name_of(p);
    if (before == mine) return true;
    return !is_alive(before) &&
           __atomic_compare_exchange_n(&p->shared->keeper, &before, mine, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

void peers_disclaim(peers_t *p)
{
    uint64_t mine = name_of(p);
    __atomic_compare_exchange_n(&p->shared->keeper, &mine, 0, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
}
