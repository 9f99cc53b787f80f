#include "modules/upstream/peers.h"

#include <criterion/criterion.h>

static pool_t *pool;
static void *memory;
static peers_shared_t *shared;
static peers_size_t size = {.slots = 4, .lanes = 4};

static void setup(void)
{
    size_t n = (peers_bytes(&size) + SLAB_PAGE - 1) & ~(size_t)(SLAB_PAGE - 1);
    pool = pool_create();
    memory = shm_map(n);
    shared = peers_init(slab_init(memory, n), &size);
    cr_assert(shared);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(peers, .init = setup, .fini = teardown);

static const peer_settings_t *weight(uint32_t n)
{
    static peer_settings_t settings;
    settings = (peer_settings_t){.weight = n};
    return &settings;
}

static peers_t join_of(uint32_t configuration)
{
    peers_t p;
    peers_join(&p, pool, shared, configuration);
    return p;
}

static peers_t join(void)
{
    return join_of(1);
}

Test(peers, a_large_group_has_room)
{
    peers_size_t large = {.slots = 2048, .lanes = 256};
    size_t n = (peers_bytes(&large) + SLAB_PAGE - 1) & ~(size_t)(SLAB_PAGE - 1);
    void *p = shm_map(n);
    cr_expect(peers_init(slab_init(p, n), &large));
    shm_unmap(p, n);
}

/* A worker that was forked before a reload may begin after it. */
Test(peers, the_later_configuration_holds)
{
    peers_t early = join_of(1), late = join_of(2);
    peer_place_t a = peers_enter(&late, pool, STR("a"), weight(2));
    peers_enter(&early, pool, STR("a"), weight(1));
    cr_expect_eq(peers_settings(a.state).weight, 2);
    peers_enter(&late, pool, STR("a"), weight(3));
    cr_expect_eq(peers_settings(a.state).weight, 3);
}

Test(peers, are_found_by_identity)
{
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(3));
    peer_place_t b = peers_enter(&p, pool, STR("b"), weight(1));
    cr_expect_eq(a.state->effective, 3);
    cr_expect_neq(a.state, b.state);
    a.state->fails = 7;
    cr_expect_eq(peers_enter(&p, pool, STR("a"), weight(3)).state, a.state);
    cr_expect_eq(a.state->fails, 7, "what is known stays");
    cr_expect_eq(peers_enter(&p, pool, STR("a"), weight(2)).state->effective, 2);
}

Test(peers, settings_hold_until_the_configuration_says_something_new)
{
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(3));
    uint64_t before = peers_changes(&p);
    peers_set(shared, a.state, &(peer_settings_t){.weight = 5, .flags = PEER_DRAIN});
    cr_expect_gt(peers_changes(&p), before);
    cr_expect_eq(a.state->effective, 5);
    peers_t next = join(); /* after a reload that left the line alone */
    a = peers_enter(&next, pool, STR("a"), weight(3));
    cr_expect_eq(peers_settings(a.state).weight, 5);
    cr_expect_eq(peers_settings(a.state).flags, PEER_DRAIN);
    a = peers_enter(&next, pool, STR("a"), weight(4));
    cr_expect_eq(peers_settings(a.state).weight, 4);
    cr_expect_eq(peers_settings(a.state).flags, 0);
}

static void set(peer_place_t to, uint32_t weight_now, uint32_t flags)
{
    peers_set(shared, to.state, &(peer_settings_t){.weight = weight_now, .flags = flags});
}

/* Whoever was told something last; of what was said of the name, only what is not as configured. */
Test(peers, an_address_follows_its_name_unless_it_was_told_otherwise_since)
{
    peers_t p = join();
    peer_place_t name = peers_enter(&p, pool, STR("name"), weight(1));
    peer_place_t a = peers_enter(&p, pool, STR("a name"), weight(7)); /* by its record */
    set(name, 1, PEER_DOWN);
    peers_follow(shared, a.state, name.state);
    cr_expect_eq(peers_settings(a.state).flags, PEER_DOWN);
    cr_expect_eq(peers_settings(a.state).weight, 7);
    set(a, 7, 0);
    peers_follow(shared, a.state, name.state);
    cr_expect_eq(peers_settings(a.state).flags, 0, "told since");
    set(name, 3, PEER_DRAIN);
    peers_follow(shared, a.state, name.state);
    cr_expect_eq(peers_settings(a.state).flags, PEER_DRAIN);
    cr_expect_eq(peers_settings(a.state).weight, 3);
    set(name, 1, 0);
    peers_follow(shared, a.state, name.state);
    cr_expect_eq(peers_settings(a.state).flags, 0);
    cr_expect_eq(peers_settings(a.state).weight, 7);
    uint64_t before = peers_changes(&p);
    peers_follow(shared, a.state, name.state);
    cr_expect_eq(peers_changes(&p), before, "nothing new");
}

Test(peers, without_a_zone_are_the_workers_own)
{
    peers_t p;
    peers_join(&p, pool, NULL, 1);
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(1));
    ++*a.mine;
    peers_look(&p);
    cr_expect_eq(peers_active(&p, &a), 1);
    cr_expect_eq(a.slot, PEER_OWN);
    peers_leave(&p, &a);
}

Test(peers, those_who_find_no_slot_are_the_workers_own)
{
    peers_t p = join();
    for (unsigned i = 0; i < 4; i++)
        cr_expect_neq(peers_enter(&p, pool, pool_printf(pool, "%u", i), weight(1)).slot, PEER_OWN);
    cr_expect_eq(peers_enter(&p, pool, STR("x"), weight(1)).slot, PEER_OWN);
}

Test(peers, a_slot_that_nobody_holds_is_used_again)
{
    peers_t p = join();
    peer_place_t place[4];
    for (unsigned i = 0; i < 4; i++)
        place[i] = peers_enter(&p, pool, pool_printf(pool, "%u", i), weight(1));
    place[2].state->fails = 9;
    peers_leave(&p, &place[2]);
    peer_place_t x = peers_enter(&p, pool, STR("x"), weight(1));
    cr_expect_eq(x.slot, place[2].slot);
    cr_expect_eq(x.state->fails, 0);
}

/* Lane 0 is of the living process 1 here; there are no others. */
Test(peers, exchanges_of_the_dead_do_not_count)
{
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(1));
    *a.mine = 2;
    shared->owners[1] = 4711;
    shared->used = 2;
    shared->active[shared->slots + a.slot] = 100;
    peers_look(&p);
    cr_expect_eq(peers_active(&p, &a), 2);
    peers_t next = join(); /* the one in its place begins with none */
    peers_look(&next);
    cr_expect_eq(peers_active(&next, &a), 0);
    cr_expect_eq(shared->owners[1], 4711);
}

Test(peers, a_slot_held_by_the_dead_alone_is_free)
{
    peers_t p = join();
    shared->owners[1] = 4711;
    shared->used = 2;
    for (unsigned i = 0; i < 4; i++) {
        peer_place_t place = peers_enter(&p, pool, pool_printf(pool, "%u", i), weight(1));
        shared->held[shared->slots + place.slot] = 1;
        peers_leave(&p, &place);
    }
    cr_expect_neq(peers_enter(&p, pool, STR("x"), weight(1)).slot, PEER_OWN);
}

/* --- tallies --- */

static void count_one(const peer_place_t *place)
{
    upstream_attempt_t attempt = {.status = 200, .header_us = 1000, .received = 7};
    tally_note(place->tally, &attempt);
}

Test(peers, tallies_of_all_workers_add_up_and_outlive_them)
{
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(1));
    count_one(&a);
    p = join(); /* the next worker with this row */
    a = peers_enter(&p, pool, STR("a"), weight(1));
    count_one(&a);
    tally_sum_t sum = peers_tally(&p, &a);
    cr_expect_eq(sum.responses[1], 2);
    cr_expect_eq(sum.received, 14);
}

Test(peers, who_gets_a_slot_begins_with_nothing)
{
    static const char *const names[] = {"b", "c", "d", "e"};
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(1)), it = a;
    count_one(&a);
    peers_note_error(a.state, 111, "connect() failed");
    cr_expect_str_eq(a.state->error, "connect() failed (111: Connection refused)");
    peers_leave(&p, &a);
    for (unsigned i = 0; i < 4; i++) it = peers_enter(&p, pool, str_of(names[i]), weight(1));
    cr_assert_eq(it.slot, a.slot);
    cr_expect(it.fresh);
    cr_expect_eq(peers_tally(&p, &it).responses[1], 0);
    cr_expect_str_eq(it.state->error, "");
}

Test(peers, an_error_of_any_length_has_an_end)
{
    char text[300];
    peers_t p = join();
    peer_place_t a = peers_enter(&p, pool, STR("a"), weight(1));
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    peers_note_error(a.state, 0, text);
    cr_expect_eq(strlen(a.state->error), sizeof(a.state->error) - 1);
    peers_note_error(a.state, 0, "short");
    cr_expect_str_eq(a.state->error, "short");
}

/* What is done once for all: nobody else may while the one lives, anybody may when it is dead. */
Test(peers, a_claim_lasts_as_long_as_its_holder)
{
    peers_t p = join();
    cr_expect(peers_claim(&p));
    cr_expect(peers_claim(&p), "it is mine");
    peers_disclaim(&p);
    cr_expect_eq(shared->keeper, 0);
    shared->keeper = 3ull << 32 | 4711; /* lane 2 is not 4711's any more */
    cr_expect(peers_claim(&p));
    p.lane = 1; /* as another worker: lane 0 is of the living process 1 here */
    cr_expect_not(peers_claim(&p));
    peers_disclaim(&p);
    cr_expect_neq(shared->keeper, 0, "it is not mine");
}

/* Against adding up one by one. */
Test(peers, sums_of_all_slots_are_those_of_each)
{
    uint32_t bars[4] = {0, 0, 0, INT32_MAX}, most = 1000;
    peers_t p = join();
    peer_place_t place[4];
    for (unsigned i = 0; i < 4; i++) {
        place[i] = peers_enter(&p, pool, pool_printf(pool, "%u", i), weight(1));
        *place[i].mine = i == 3 ? 0 : 7 + (i * 5) % 7;
    }
    peers_look(&p);
    uint32_t least = peers_sum(&p, bars, 4);
    for (unsigned i = 0; i < 4; i++) {
        cr_expect_eq(p.sums[place[i].slot], peers_active(&p, &place[i]));
        if (!bars[place[i].slot] && p.sums[place[i].slot] < most) most = p.sums[place[i].slot];
    }
    cr_expect_eq(least, most);
    cr_expect_eq(least, 7);
}
