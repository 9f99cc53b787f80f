#include "modules/cache/store.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "core/shared/shm.h"
#include "shelf.h"

static shelf_t shelf;

static void setup(void)
{
    shelf_open(&shelf, (size_t)1 << 20, (size_t)2 << 20);
}

static void teardown(void)
{
    shelf_close(&shelf);
}

TestSuite(store, .init = setup, .fini = teardown, .timeout = 180);

#define STORE_TEST(name) \
    static void body_##name(void *arg); \
    Test(store, name) \
    { \
        shelf_run(body_##name, NULL); \
    } \
    static void body_##name(void *arg __attribute__((unused)))

static void expect_body(const char *key, str_t body)
{
    str_t got = shelf_get(&shelf, key, NULL);
    cr_expect(got.p && str_eq(got, body), "%s: %zu bytes, not %zu", key, got.n, body.n);
}

static void expect_miss(const char *key)
{
    cr_expect_null(shelf_get(&shelf, key, NULL).p, "%s", key);
}

STORE_TEST(gives_back_what_was_stored)
{
    str_t head;
    expect_miss("a");
    cr_assert_eq(shelf_put(&shelf, "a", "head of a", STR("body of a")), 0);
    for (int i = 0; i < 3; i++) {
        str_t body = shelf_get(&shelf, "a", &head);
        cr_expect(str_eq(body, STR("body of a")) && str_eq(head, STR("head of a")));
    }
    cr_expect_eq(store_stats(shelf.s).opened_memory, 2, "from the second hit on");
    cr_assert_eq(shelf_put(&shelf, "a", "", STR("")), 0);
    str_t body = shelf_get(&shelf, "a", &head);
    cr_expect(body.p && body.n == 0 && head.n == 0);
    expect_miss("b");
    cr_expect_eq(access(shelf_file(&shelf, "a", ""), F_OK), 0);
}

STORE_TEST(bodies_of_all_sizes_are_whole_from_disk_and_from_memory)
{
    static const size_t sizes[] = {1, 511, 16383, 16384, 16385, 65536, 100001, 200000, 1000000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        str_t body = shelf_bytes(&shelf, sizes[i]);
        cr_assert_eq(shelf_put(&shelf, "a", "x", body), 0);
        for (int n = 0; n < 3; n++) expect_body("a", body);
    }
}

static store_turn_t join(const char *key, const char *variant, uint64_t timeout, store_object_t *o,
                         store_fill_t **fill)
{
    store_key_t k = store_key(str_of(key));
    store_wait_t wait = {timeout, UINT64_MAX};
    return store_join(shelf.s, &k, str_of(variant), &wait, shelf.pool, NULL, o, fill);
}

static int put_variant(const char *key, const char *vary, const char *variant, str_t body)
{
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {
        .vary = str_of(vary), .variant = str_of(variant), .length = (int64_t)body.n};
    cr_assert_eq(join(key, variant, 0, &o, &fill), STORE_FILLER);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_assert_eq(store_fill_body(fill, body), 0);
    return store_fill_commit(fill);
}

static bool has_variant(const char *key, const char *variant, str_t body)
{
    store_object_t o;
    store_key_t k = store_key(str_of(key));
    if (store_open(shelf.s, &k, str_of(variant), shelf.pool, &o) != STORE_HIT) return false;
    bool same = str_eq(shelf_read(&shelf, &o), body);
    store_close(&o);
    return same;
}

STORE_TEST(keeps_variants_under_their_selecting_fields)
{
    store_key_t k = store_key(STR("a"));
    cr_expect_eq(store_vary(shelf.s, &k).n, 0);
    cr_assert_eq(put_variant("a", "accept-encoding", "gzip", STR("1")), 0);
    cr_assert_eq(put_variant("a", "accept-encoding", "br", STR("2")), 0);
    cr_expect(str_eq(store_vary(shelf.s, &k), STR("accept-encoding")));
    cr_expect(has_variant("a", "gzip", STR("1")) && has_variant("a", "br", STR("2")));
    cr_expect_not(has_variant("a", "", STR("1")));
    cr_assert_eq(put_variant("a", "cookie", "c", STR("3")), 0);
    cr_expect(str_eq(store_vary(shelf.s, &k), STR("cookie")));
    cr_expect(has_variant("a", "c", STR("3")));
    cr_expect_not(has_variant("a", "gzip", STR("1")), "dropped");
    cr_expect_eq(store_stats(shelf.s).entries, 1);
    cr_expect_neq(access(shelf_file(&shelf, "a", "gzip"), F_OK), 0);
}

/* --- purges --- */

STORE_TEST(purges_a_key_with_all_variants)
{
    store_key_t k = store_key(STR("a"));
    put_variant("a", "v", "1", STR("1"));
    put_variant("a", "v", "2", STR("2"));
    shelf_put(&shelf, "b", "", STR("b"));
    cr_expect_eq(store_purge_key(shelf.s, &k, false), 2);
    cr_expect_not(has_variant("a", "1", STR("1")) || has_variant("a", "2", STR("2")));
    expect_body("b", STR("b"));
    cr_expect_neq(access(shelf_file(&shelf, "a", "1"), F_OK), 0);
    cr_expect_eq(store_purge_key(shelf.s, &k, false), 0);
    shelf_put(&shelf, "a", "", STR("new"));
    expect_body("a", STR("new"));
}

static int put_tagged(const char *key, const char *tag, str_t body)
{
    store_object_t o;
    store_fill_t *fill;
    str_t tags[] = {STR("everything"), str_of(tag)};
    store_response_t r = {.length = -1, .tags = tags, .tag_count = 2};
    cr_assert_eq(join(key, "", 0, &o, &fill), STORE_FILLER);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_assert_eq(store_fill_body(fill, body), 0);
    return store_fill_commit(fill);
}

STORE_TEST(purges_by_tag_by_prefix_and_all)
{
    put_tagged("/a/1", "red", STR("1"));
    put_tagged("/a/2", "blue", STR("2"));
    put_tagged("/b/3", "red", STR("3"));
    store_purge_tag(shelf.s, STR("green"), false);
    expect_body("/a/1", STR("1"));
    store_purge_tag(shelf.s, STR("red"), false);
    expect_miss("/a/1");
    expect_miss("/b/3");
    expect_body("/a/2", STR("2"));
    put_tagged("/a/1", "red", STR("4"));
    expect_body("/a/1", STR("4"));
    cr_expect_eq(store_purge_prefix(shelf.s, STR("/a/"), false), 0);
    put_tagged("/b/3", "red", STR("5"));
    expect_miss("/a/1");
    expect_miss("/a/2");
    expect_body("/b/3", STR("5"));
    store_purge_all(shelf.s, false);
    expect_miss("/b/3");
    cr_expect_eq(store_stats(shelf.s).entries, 0);
}

static bool is_stale(const char *key)
{
    store_object_t o;
    store_key_t k = store_key(str_of(key));
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
    store_close(&o);
    return o.stale;
}

STORE_TEST(soft_purges_make_stale)
{
    put_tagged("/a/1", "red", STR("1"));
    put_tagged("/a/2", "blue", STR("2"));
    cr_expect_not(is_stale("/a/1"));
    store_purge_tag(shelf.s, STR("red"), true);
    cr_expect(is_stale("/a/1"));
    cr_expect_not(is_stale("/a/2"));
    store_key_t k = store_key(STR("/a/2"));
    cr_expect_eq(store_purge_key(shelf.s, &k, true), 1);
    cr_expect(is_stale("/a/2"));
    put_tagged("/a/2", "blue", STR("3"));
    cr_expect_not(is_stale("/a/2"));
    store_purge_prefix(shelf.s, STR("/a"), true);
    cr_expect(is_stale("/a/2"));
    expect_body("/a/2", STR("3"));
}

STORE_TEST(what_was_purged_while_it_was_fetched_is_not_stored)
{
    store_object_t o;
    store_fill_t *fill, *second;
    store_response_t r = {.length = 3};
    store_key_t k = store_key(STR("a"));
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_expect_eq(store_purge_key(shelf.s, &k, false), 0);
    cr_expect_eq(join("a", "", 0, &o, &second), STORE_FILLER, "nobody waits for what is void");
    cr_assert_eq(store_fill_body(fill, STR("old")), 0);
    cr_expect_eq(store_fill_commit(fill), -ESTALE);
    expect_miss("a");
    cr_assert_eq(store_fill_head(second, &r), 0);
    cr_assert_eq(store_fill_body(second, STR("new")), 0);
    cr_expect_eq(store_fill_commit(second), 0);
    expect_body("a", STR("new"));
}

/* --- refusing --- */

STORE_TEST(a_body_of_another_length_is_not_stored)
{
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {.length = 3};
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    store_fill_head(fill, &r);
    store_fill_body(fill, STR("12"));
    cr_expect_eq(store_fill_commit(fill), -EPIPE);
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    store_fill_head(fill, &r);
    cr_expect_eq(store_fill_body(fill, STR("1234")), -EFBIG);
    store_fill_abandon(fill);
    expect_miss("a");
}

STORE_TEST(a_full_disk_turns_storing_off_and_on_again)
{
    store_object_t o;
    store_fill_t *fill;
    shelf_put(&shelf, "a", "", STR("a"));
    store_zone_full(shelf.s, ENOSPC);
    cr_expect(store_stats(shelf.s).full);
    cr_expect_eq(join("b", "", 1000, &o, &fill), STORE_ALONE);
    expect_body("a", STR("a"));
    clock_set(clock_ms() + STORE_FULL_MS + 1, clock_unix_ms());
    cr_expect_eq(shelf_put(&shelf, "b", "", STR("b")), 0);
    cr_expect_not(store_stats(shelf.s).full);
    expect_body("b", STR("b"));
}

STORE_TEST(counts_requests_and_remembers_what_is_not_storable)
{
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("a"));
    cr_expect_eq(store_use(shelf.s, &k), 1);
    cr_expect_eq(store_use(shelf.s, &k), 2);
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    store_fill_pass(fill, 5);
    cr_expect_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_PASS);
    cr_expect_eq(store_use(shelf.s, &k), 3);
    clock_set(clock_ms() + 6000, clock_unix_ms() + 6000);
    cr_expect_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_MISS);
    shelf_put(&shelf, "a", "", STR("a"));
    expect_body("a", STR("a"));
}

/* --- refreshing --- */

static int refresh(const char *key, const char *head)
{
    store_object_t o, other;
    store_fill_t *fill;
    store_key_t k = store_key(str_of(key));
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
    cr_assert_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, &o, &other, &fill),
                 STORE_FILLER);
    int err = store_fill_refresh(fill, &o, str_of(head));
    store_close(&o);
    return err;
}

static void expect_head(const char *key, const char *head)
{
    str_t got = STR("");
    str_t body = shelf_get(&shelf, key, &got);
    cr_expect(body.p && str_eq(got, str_of(head)), "\"" STR_FMT "\", not \"%s\"", STR_ARG(got),
              head);
}

STORE_TEST(a_refreshed_object_has_a_new_head_and_the_same_body)
{
    char head[8] = "head 0";
    str_t body = shelf_bytes(&shelf, 50000);
    cr_assert_eq(shelf_put(&shelf, "a", head, body), 0);
    for (int i = 1; i < 8; i++) {
        if (i > 3) expect_body("a", body); /* from memory, too */
        head[5] = (char)('0' + i);
        store_purge_all(shelf.s, true);
        cr_expect(is_stale("a"));
        cr_assert_eq(refresh("a", head), 0);
        cr_expect_not(is_stale("a"));
        expect_head("a", head);
        expect_body("a", body);
    }
    cr_expect_eq(store_stats(shelf.s).refreshed, 7);
    char *large = pool_bytes(shelf.pool, 5001);
    memset(large, 'x', 5000);
    large[5000] = 0;
    cr_expect_eq(refresh("a", large), -EFBIG, "larger than its room");
    expect_miss("a");
}

STORE_TEST(who_has_seen_what_is_no_longer_stored_looks_again)
{
    store_object_t seen, o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("a"));
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &seen), STORE_MISS);
    shelf_put(&shelf, "a", "", STR("1"));
    cr_expect_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, &seen, &o, &fill), STORE_RETRY);
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &seen), STORE_HIT);
    store_close(&seen);
    cr_assert_eq(refresh("a", "new"), 0);
    cr_expect_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, &seen, &o, &fill), STORE_RETRY);
}

STORE_TEST(an_object_that_is_read_stays_as_it_is_while_others_come_and_go)
{
    store_object_t o;
    store_key_t k = store_key(STR("a"));
    str_t body = shelf_bytes(&shelf, 20000), large = shelf_bytes(&shelf, 200000);
    shelf_put(&shelf, "a", "", body);
    for (int i = 0; i < 2; i++) expect_body("a", body);
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
    cr_assert_neq(o.pin, 0);
    store_purge_key(shelf.s, &k, false);
    for (int i = 0; i < 40; i++) {
        const char *key = pool_printf(shelf.pool, "k%d", i).p;
        shelf_put(&shelf, key, "", large);
        for (int n = 0; n < 2; n++) expect_body(key, large);
    }
    cr_expect(str_eq(shelf_read(&shelf, &o), body));
    store_close(&o);
    store_stats_t st = store_stats(shelf.s);
    cr_expect(st.memory_bytes > st.memory_max / 2 && st.memory_bytes <= st.memory_max);
}

/* --- one fetches for all --- */

typedef struct follower {
    bool ready, done;
    store_turn_t turn;
    str_t body;
} follower_t;

static void follow(void *arg)
{
    follower_t *f = arg;
    store_object_t o;
    store_fill_t *fill;
    f->ready = true;
    f->turn = join("a", "", 10000, &o, &fill);
    if (f->turn == STORE_FOLLOWS) {
        f->body = shelf_read(&shelf, &o);
        store_close(&o);
    }
    if (f->turn == STORE_FILLER) store_fill_abandon(fill);
    f->done = true;
}

enum { FOLLOWERS = 20 };

static void await_followers(const follower_t *f)
{
    int done = 0;
    for (int looks = 0; looks < 2000 && done < FOLLOWERS; looks++) {
        fiber_sleep(5);
        while (done < FOLLOWERS && f[done].done) done++;
    }
    cr_assert_eq(done, FOLLOWERS);
}

static void start_followers(follower_t *f)
{
    for (int i = 0; i < FOLLOWERS; i++) cr_assert_not_null(fiber_start(follow, &f[i]));
    while (!f[FOLLOWERS - 1].ready) fiber_yield();
}

STORE_TEST(who_does_not_want_to_wait_is_told)
{
    store_object_t o;
    store_fill_t *fill, *other;
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    cr_expect_eq(join("a", "", 0, &o, &other), STORE_BUSY);
    cr_expect_eq(join("a", "", 5, &o, &other), STORE_BUSY, "after a while");
    cr_assert_eq(join("b", "", 0, &o, &other), STORE_FILLER);
    store_fill_abandon(other);
    store_fill_abandon(fill);
}

static void fill_slowly(store_fill_t *fill, str_t body)
{
    for (size_t at = 0; at < body.n; at += 30000) {
        size_t to = at + 30000 < body.n ? at + 30000 : body.n;
        cr_assert_eq(store_fill_body(fill, str_sub(body, at, to)), 0);
        fiber_sleep(1);
    }
}

STORE_TEST(all_followers_get_all_of_it)
{
    static follower_t early[FOLLOWERS], late[FOLLOWERS];
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {.length = -1};
    str_t body = shelf_bytes(&shelf, 300000);
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    start_followers(early);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    fiber_sleep(5);
    start_followers(late);
    fill_slowly(fill, body);
    cr_assert_eq(store_fill_commit(fill), 0);
    await_followers(early);
    await_followers(late);
    for (int i = 0; i < FOLLOWERS; i++) {
        cr_expect(early[i].turn == STORE_FOLLOWS && str_eq(early[i].body, body));
        cr_expect(late[i].turn == STORE_FOLLOWS && str_eq(late[i].body, body));
    }
    expect_body("a", body);
    cr_expect_eq(store_stats(shelf.s).followed, 2 * FOLLOWERS);
}

STORE_TEST(followers_of_a_fill_that_breaks_off_see_it)
{
    static follower_t f[FOLLOWERS];
    store_object_t o;
    store_fill_t *fill;
    store_response_t r = {.length = 1000};
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    start_followers(f);
    cr_assert_eq(store_fill_body(fill, STR("some")), 0);
    fiber_sleep(5);
    store_fill_abandon(fill);
    await_followers(f);
    for (int i = 0; i < FOLLOWERS; i++) cr_expect(f[i].turn == STORE_FOLLOWS && !f[i].body.p);
    expect_miss("a");
}

STORE_TEST(one_of_those_who_wait_gets_the_turn)
{
    static follower_t f[FOLLOWERS];
    store_object_t o;
    store_fill_t *fill;
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    start_followers(f);
    store_fill_abandon(fill);
    await_followers(f);
    for (int i = 0; i < FOLLOWERS; i++) cr_expect_eq(f[i].turn, STORE_RETRY);
}

STORE_TEST(who_wanted_another_variant_looks_again)
{
    static follower_t f[FOLLOWERS];
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("a"));
    store_response_t r = {.vary = STR("cookie"), .variant = STR("c"), .length = 1};
    cr_assert_eq(join("a", "", 0, &o, &fill), STORE_FILLER);
    start_followers(f);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    await_followers(f);
    for (int i = 0; i < FOLLOWERS; i++) cr_expect_eq(f[i].turn, STORE_RETRY);
    cr_expect(str_eq(store_vary(shelf.s, &k), STR("cookie")));
    cr_expect_eq(join("a", "c", 0, &o, &fill), STORE_FOLLOWS);
    store_close(&o);
    store_fill_t *other;
    cr_expect_eq(join("a", "d", 0, &o, &other), STORE_FILLER);
    store_fill_abandon(other);
}
