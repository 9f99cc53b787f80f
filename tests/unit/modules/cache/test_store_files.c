/* What becomes of the files of a store: over a restart, when they are damaged, when room is needed.
   */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "modules/cache/store_manager.h"
#include "modules/cache/store_record.h"
#include "shelf.h"

static shelf_t shelf;

static void setup(void)
{
    shelf_open(&shelf, (size_t)512 << 10, (size_t)1 << 20);
    shelf.s->options.loader_files = 7;
    shelf.s->options.loader_sleep = 0;
    shelf.s->options.manager_files = 7;
    shelf.s->options.manager_sleep = 0;
}

static void teardown(void)
{
    shelf_close(&shelf);
}

TestSuite(store_files, .init = setup, .fini = teardown, .timeout = 180);

#define FILES_TEST(name) \
    static void body_##name(void *arg); \
    Test(store_files, name) \
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

/* Everything ends and begins anew: the manager has had its turn. */
static void restart(void)
{
    shelf_restart(&shelf);
    cr_assert_eq(store_manager_turn(shelf.s), 0);
    cr_expect_not(store_stats(shelf.s).loading);
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void refresh(const char *key, const char *head)
{
    store_object_t o, other;
    store_fill_t *fill;
    store_key_t k = store_key(str_of(key));
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
    cr_assert_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, &o, &other, &fill),
                 STORE_FILLER);
    cr_assert_eq(store_fill_refresh(fill, &o, str_of(head)), 0);
    store_close(&o);
}

FILES_TEST(objects_outlive_a_restart)
{
    str_t large = shelf_bytes(&shelf, 700000), head;
    char *long_head = pool_bytes(shelf.pool, 20001);
    memset(long_head, 'h', 20000);
    long_head[20000] = 0;
    for (int i = 0; i < 50; i++) {
        const char *key = pool_printf(shelf.pool, "key%d", i).p;
        shelf_put(&shelf, key, "head", str_of(key));
    }
    shelf_put(&shelf, "large", "", large);
    shelf_put(&shelf, "long", long_head, STR("x"));
    refresh("key7", "new");
    restart();
    cr_expect_eq(store_stats(shelf.s).entries, 52);
    for (int i = 0; i < 50; i++) {
        const char *key = pool_printf(shelf.pool, "key%d", i).p;
        str_t body = shelf_get(&shelf, key, &head);
        cr_expect(str_eq(body, str_of(key)));
        cr_expect(str_eq(head, i == 7 ? STR("new") : STR("head")));
    }
    expect_body("large", large);
    shelf_get(&shelf, "long", &head);
    cr_expect_eq(head.n, 20000);
    expect_body("long", STR("x"));
    cr_assert_eq(shelf_put(&shelf, "key1", "", STR("newer")), 0);
    restart();
    expect_body("key1", STR("newer"));
}

FILES_TEST(so_do_purges)
{
    store_key_t k = store_key(STR("a"));
    shelf_put(&shelf, "a", "", STR("a"));
    shelf_put(&shelf, "b", "", STR("b"));
    shelf_put(&shelf, "c1", "", STR("c"));
    const char *b = shelf_file(&shelf, "b", ""), *kept = "/tmp/proxyd-store-kept";
    cr_assert_eq(link(b, pool_printf(shelf.pool, "%s/kept", shelf.path).p), 0, "%s", kept);
    store_purge_key(shelf.s, &k, false);
    store_key_t kb = store_key(STR("b"));
    store_purge_key(shelf.s, &kb, false);
    cr_assert_eq(link(pool_printf(shelf.pool, "%s/kept", shelf.path).p, b), 0); /* back again */
    store_purge_prefix(shelf.s, STR("c"), false);
    restart();
    expect_miss("a");
    expect_miss("b");
    expect_miss("c1");
    cr_expect_eq(store_stats(shelf.s).entries, 0);
    shelf_put(&shelf, "b", "", STR("new"));
    restart();
    expect_body("b", STR("new"));
    store_purge_all(shelf.s, true);
    restart();
    store_object_t o;
    cr_assert_eq(store_open(shelf.s, &kb, STR(""), shelf.pool, &o), STORE_HIT);
    cr_expect(o.stale);
    store_close(&o);
}

FILES_TEST(what_was_softly_purged_stays_so_when_the_purge_is_forgotten)
{
    store_object_t o;
    store_key_t k = store_key(STR("a"));
    for (int i = 0; i < 2; i++) {
        str_t head = STR("");
        shelf_put(&shelf, "a", "head", STR("a"));
        store_purge_all(shelf.s, true);
        if (i) store_open(shelf.s, &k, STR(""), shelf.pool, &o), store_close(&o);
        cr_assert_eq(store_manager_turn(shelf.s), 0);
        restart();
        cr_expect(str_eq(shelf_get(&shelf, "a", &head), STR("a")) && str_eq(head, STR("head")));
        cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
        cr_expect(o.stale);
        store_close(&o);
    }
    refresh("a", "new");
    restart();
    cr_assert_eq(store_open(shelf.s, &k, STR(""), shelf.pool, &o), STORE_HIT);
    cr_expect_not(o.stale);
    store_close(&o);
}

/* Notes that a full disk or a killed process has left torn, with others behind them. */
FILES_TEST(a_torn_note_of_a_purge_costs_no_other)
{
    const char *purges = pool_printf(shelf.pool, "%s/purges", shelf.path).p;
    for (int i = 0; i < 3; i++)
        shelf_put(&shelf, pool_printf(shelf.pool, "/%d/", i).p, "", STR("x"));
    cr_assert_eq(store_purge_prefix(shelf.s, STR("/0"), false), 0);
    cr_assert_eq(store_purge_prefix(shelf.s, STR("/lost"), false), 0);
    cr_assert_eq(truncate(purges, size_of(purges) - 3), 0);
    cr_assert_eq(store_purge_prefix(shelf.s, STR("/2"), false), 0);
    restart();
    expect_miss("/0/");
    expect_body("/1/", STR("x"));
    expect_miss("/2/");
}

FILES_TEST(purges_work_when_the_list_of_earlier_ones_is_lost)
{
    for (int i = 0; i < 5; i++) store_purge_tag(shelf.s, STR("some"), false);
    shelf_put(&shelf, "a", "", STR("a"));
    cr_assert_eq(unlink(pool_printf(shelf.pool, "%s/purges", shelf.path).p), 0);
    restart();
    expect_body("a", STR("a"));
    store_purge_all(shelf.s, false);
    expect_miss("a");
}

/* --- directories --- */

FILES_TEST(files_of_other_levels_are_taken_away)
{
    shelf_put(&shelf, "a", "", STR("a"));
    shelf_put(&shelf, "b", "", STR("b"));
    const char *notes = pool_printf(shelf.pool, "%s/a/README", shelf.path).p;
    mkdir(pool_printf(shelf.pool, "%s/a", shelf.path).p, 0700);
    close(open(notes, O_CREAT | O_WRONLY, 0600));
    cr_expect_eq(shelf_files(&shelf), 3);
    shelf.s->options.levels[0] = 2;
    shelf.s->options.levels[1] = 0;
    restart();
    expect_miss("a");
    cr_expect_eq(shelf_files(&shelf), 1, "what is not ours stays");
    shelf_put(&shelf, "a", "", STR("new"));
    restart();
    expect_body("a", STR("new"));
    cr_expect_eq(shelf_files(&shelf), 2);
}

static int remove_all(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type;
    return ftw->level ? remove(path) : 0;
}

FILES_TEST(goes_on_when_somebody_has_emptied_the_directory)
{
    shelf_put(&shelf, "a", "", STR("a"));
    cr_assert_eq(nftw(shelf.path, remove_all, 8, FTW_DEPTH | FTW_PHYS), 0);
    expect_miss("a");
    cr_expect_eq(shelf_put(&shelf, "a", "", STR("new")), 0);
    expect_body("a", STR("new"));
}

/* --- damage --- */

enum {
    BODY = 5000,
    RECORD_END = STORE_RECORD_FIXED + 1 + 4, /* with key and head */
};

static void change_byte(const char *path, off_t at)
{
    char c;
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &c, 1, at), 1);
    c ^= 0x40;
    cr_assert_eq(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

/* Bytes of the file at every place where something stands. */
FILES_TEST(a_damaged_file_of_an_earlier_run_is_never_served)
{
    str_t body = shelf_bytes(&shelf, BODY);
    off_t size = 2 * 512 + BODY;
    for (off_t at = 0; at < size; at += at < RECORD_END ? 5 : at < 1024 ? 300 : 1997) {
        shelf_put(&shelf, "a", "head", body);
        const char *path = shelf_file(&shelf, "a", "");
        cr_assert_eq(size_of(path), size);
        change_byte(path, at);
        restart();
        bool matters = at < RECORD_END || at >= 1024;
        if (matters) expect_miss("a");
        else expect_body("a", body);
        if (matters) cr_expect_eq(size_of(path), -1, "byte %lld", (long long)at);
    }
}

FILES_TEST(neither_is_one_that_is_truncated)
{
    str_t body = shelf_bytes(&shelf, BODY);
    for (off_t n = 0; n < 1024 + BODY; n += 177) {
        shelf_put(&shelf, "a", "head", body);
        const char *path = shelf_file(&shelf, "a", "");
        cr_assert_eq(truncate(path, n), 0);
        if (n % 2) restart();
        expect_miss("a");
        cr_expect_eq(size_of(path), -1);
    }
    cr_expect_gt(store_stats(shelf.s).broken, 0);
}

FILES_TEST(a_torn_new_head_leaves_the_old_one)
{
    str_t head, body = shelf_bytes(&shelf, BODY);
    shelf_put(&shelf, "a", "old", body);
    refresh("a", "new");
    change_byte(shelf_file(&shelf, "a", ""), 512 + 20);
    restart();
    cr_expect(str_eq(shelf_get(&shelf, "a", &head), body));
    cr_expect(str_eq(head, STR("old")));
}

FILES_TEST(foreign_files_are_left_alone_or_dropped_but_never_served)
{
    shelf_put(&shelf, "a", "", STR("a"));
    shelf_put(&shelf, "b", "", STR("b"));
    const char *a = shelf_file(&shelf, "a", ""), *b = shelf_file(&shelf, "b", "");
    const char *notes = pool_printf(shelf.pool, "%s/README", shelf.path).p;
    const char *left = pool_printf(shelf.pool, "%s/temp/00000000000000ff", shelf.path).p;
    cr_assert_eq(unlink(a), 0);
    cr_assert_eq(link(b, a), 0); /* the name of a, the content of b */
    close(open(notes, O_CREAT | O_WRONLY, 0600));
    close(open(left, O_CREAT | O_WRONLY, 0600));
    expect_miss("a");
    restart();
    expect_miss("a");
    expect_body("b", STR("b"));
    cr_expect_eq(access(notes, F_OK), 0);
    cr_expect_neq(access(left, F_OK), 0);
}

FILES_TEST(a_lost_file_is_a_miss_and_can_be_stored_again)
{
    shelf_put(&shelf, "a", "", STR("a"));
    cr_assert_eq(unlink(shelf_file(&shelf, "a", "")), 0);
    expect_miss("a");
    cr_expect_eq(store_stats(shelf.s).entries, 0);
    shelf_put(&shelf, "a", "", STR("b"));
    expect_body("a", STR("b"));
}

/* --- the manager --- */

/* As if so many seconds had passed for what is stored. */
static void age(uint32_t seconds)
{
    for (uint32_t i = 0; i < store_index_capacity(shelf.s->shared->index); i++) {
        store_index_at(shelf.s->shared->index, i)->used -= seconds;
        store_index_at(shelf.s->shared->index, i)->until -= seconds;
    }
}

FILES_TEST(what_nobody_asks_for_goes)
{
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("p"));
    shelf.s->options.inactive = 10000;
    shelf_put(&shelf, "a", "", STR("a"));
    shelf_put(&shelf, "b", "", STR("b"));
    store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill);
    store_fill_pass(fill, 5);
    for (int i = 0; i < 4; i++) {
        age(4);
        for (int n = 0; n < 6; n++) cr_assert_eq(store_manager_turn(shelf.s), 0); /* all of it */
        cr_expect_eq(store_stats(shelf.s).entries, i < 1 ? 3 : i < 2 ? 2 : 1, "turn %d: %d", i,
                     (int)store_stats(shelf.s).entries);
        expect_body("b", STR("b"));
    }
    expect_miss("a");
    cr_expect_neq(access(shelf_file(&shelf, "a", ""), F_OK), 0);
    cr_expect_eq(store_stats(shelf.s).inactive, 1);
    cr_expect_eq(store_stats(shelf.s).entries, 1);
}

FILES_TEST(max_size_is_kept)
{
    str_t body = shelf_bytes(&shelf, 30000); /* 32 KiB on the disk */
    shelf.s->options.max_size = 320 * 1024;
    for (int i = 0; i < 50; i++) {
        const char *key = pool_printf(shelf.pool, "key%d", i).p;
        shelf_put(&shelf, key, "", body);
        cr_assert_eq(store_manager_turn(shelf.s), 0);
    }
    store_stats_t st = store_stats(shelf.s);
    cr_expect_eq(st.entries, 10);
    cr_expect_eq(st.bytes, 320 * 1024);
    cr_expect_eq(st.evicted, 40);
    store_fill_t *fill;
    store_object_t o;
    store_key_t k = store_key(STR("x"));
    store_response_t r = {.length = 320 * 1024 + 1};
    store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill);
    cr_expect_eq(store_fill_head(fill, &r), -EFBIG);
    store_fill_abandon(fill);
}

FILES_TEST(min_free_and_a_full_disk_make_room)
{
    for (int i = 0; i < 32; i++)
        shelf_put(&shelf, pool_printf(shelf.pool, "key%d", i).p, "", STR("x"));
    store_zone_full(shelf.s, ENOSPC);
    cr_assert_eq(store_manager_turn(shelf.s), 0);
    cr_expect_eq(store_stats(shelf.s).entries, 30, "a sixteenth has gone");
    shelf.s->options.min_free = UINT64_MAX / 2;
    cr_assert_eq(store_manager_turn(shelf.s), 0);
    cr_expect_eq(store_stats(shelf.s).entries, 0);
}

/* A file system of a megabyte instead of the directory. False: that may not be done here. */
static bool make_small_disk(void)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", shelf.path, "tmpfs", 0, "size=1m") < 0)
        return false;
    store_setup_leave(shelf.s);
    return store_setup_enter(shelf.s) == 0;
}

/* The errno that storing it came to, with whatever call. */
static int try_put(const char *key, str_t body)
{
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(str_of(key));
    store_response_t r = {.length = (int64_t)body.n};
    if (store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill) != STORE_FILLER)
        return 1;
    int err = store_fill_head(fill, &r);
    if (!err) err = store_fill_body(fill, body);
    if (!err) return store_fill_commit(fill);
    store_fill_abandon(fill);
    return err;
}

FILES_TEST(a_disk_that_fills_is_written_to_again_when_there_is_room)
{
    str_t body = shelf_bytes(&shelf, 100000);
    int n = 0, err = 0;
    if (!make_small_disk()) cr_skip_test("no file system may be mounted here");
    while (!err && n < 20) err = try_put(pool_printf(shelf.pool, "key%d", n++).p, body);
    cr_expect_eq(err, -ENOSPC);
    cr_expect(n > 8 && n < 12, "%d", n);
    cr_expect_eq(try_put("more", body), 1, "storing is off");
    for (int i = 0; i < n - 1; i++) expect_body(pool_printf(shelf.pool, "key%d", i).p, body);
    cr_assert_eq(store_manager_turn(shelf.s), 0); /* makes room */
    clock_set(clock_ms() + STORE_FULL_MS + 1, clock_unix_ms());
    cr_expect_eq(try_put("more", body), 0);
    expect_body("more", body);
    store_setup_leave(shelf.s);
    cr_expect_eq(umount(shelf.path), 0);
}

/* The request then goes on without the cache, whole. */
FILES_TEST(what_does_not_fit_on_the_disk_is_not_begun)
{
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("large"));
    store_response_t r = {.length = 600000};
    if (!make_small_disk()) cr_skip_test("no file system may be mounted here");
    for (int i = 0; i < 5; i++) {
        const char *key = pool_printf(shelf.pool, "key%d", i).p;
        cr_assert_eq(shelf_put(&shelf, key, "", shelf_bytes(&shelf, 100000)), 0);
    }
    for (int i = 0; i < 2; i++, r.length = 200000) {
        const char *more = pool_printf(shelf.pool, "more%d", i).p;
        cr_assert_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill),
                     STORE_FILLER);
        cr_expect_eq(store_fill_head(fill, &r), i ? -ENOSPC : -EFBIG);
        store_fill_abandon(fill);
        cr_expect_eq(store_stats(shelf.s).full, i == 1, "only if less than all must go");
        if (!i) cr_assert_eq(shelf_put(&shelf, more, "", shelf_bytes(&shelf, 360000)), 0);
    }
    cr_expect_eq(shelf_files(&shelf), 6);
    store_setup_leave(shelf.s);
    cr_expect_eq(umount(shelf.path), 0);
}

static void make_room(void *arg)
{
    for (const bool *done = arg; !*done;) {
        fiber_sleep(20);
        store_manager_turn(shelf.s);
    }
}

/* Of a body whose length nobody knew: who reads along must not lose the rest. */
FILES_TEST(what_has_been_begun_waits_for_room)
{
    store_object_t o;
    store_fill_t *fill;
    store_key_t k = store_key(STR("long"));
    store_response_t r = {.length = -1};
    bool done = false;
    str_t part = shelf_bytes(&shelf, 50000);
    if (!make_small_disk()) cr_skip_test("no file system may be mounted here");
    cr_assert_eq(store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill), STORE_FILLER);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_assert_eq(store_fill_body(fill, part), 0);
    for (int i = 0; i < 16; i++) {
        const char *key = pool_printf(shelf.pool, "key%d", i).p;
        cr_assert_eq(shelf_put(&shelf, key, "", shelf_bytes(&shelf, 60000)), 0);
    }
    cr_assert(fiber_start(make_room, &done));
    cr_assert_eq(store_fill_body(fill, part), 0);
    cr_assert_eq(store_fill_body(fill, part), 0, "a disk of 1 MiB is full by now");
    cr_expect(store_stats(shelf.s).full);
    cr_assert_eq(store_fill_commit(fill), 0);
    cr_expect_eq(shelf_get(&shelf, "long", NULL).n, 3 * part.n);
    done = true;
    fiber_sleep(40);
    store_setup_leave(shelf.s);
    cr_expect_eq(umount(shelf.path), 0);
}

FILES_TEST(entries_are_kept_to_spare)
{
    unsigned n = store_index_capacity(shelf.s->shared->index);
    for (unsigned i = 0; i < n + 100; i++) {
        store_key_t k = store_key(pool_printf(shelf.pool, "key%u", i));
        cr_assert_eq(store_use(shelf.s, &k), 1);
    }
    cr_assert_eq(store_manager_turn(shelf.s), 0);
    for (unsigned i = 0; i < store_index_shards(shelf.s->shared->index); i++)
        cr_expect_not(store_index_short(shelf.s->shared->index, i));
    cr_expect_geq(store_stats(shelf.s).entries, n * 9 / 10);
}

FILES_TEST(what_was_purged_is_swept_away)
{
    store_object_t o;
    store_fill_t *fill;
    str_t tag = STR("red");
    store_key_t k = store_key(STR("tagged"));
    store_response_t r = {.length = 1, .tags = &tag, .tag_count = 1};
    store_join(shelf.s, &k, STR(""), NULL, shelf.pool, NULL, &o, &fill);
    store_fill_head(fill, &r);
    store_fill_body(fill, STR("x"));
    store_fill_commit(fill);
    shelf_put(&shelf, "/a/1", "", STR("1"));
    shelf_put(&shelf, "/b/1", "", STR("1"));
    store_purge_tag(shelf.s, tag, false);
    for (unsigned i = 0; i < STORE_PREFIXES; i++)
        cr_expect_eq(store_purge_prefix(shelf.s, STR("/a/"), false), 0);
    cr_expect_eq(store_purge_prefix(shelf.s, STR("/a/"), false), -EAGAIN);
    cr_assert_eq(store_manager_turn(shelf.s), 0);
    cr_expect_eq(store_stats(shelf.s).entries, 1);
    cr_expect_neq(access(shelf_file(&shelf, "tagged", ""), F_OK), 0);
    cr_expect_neq(access(shelf_file(&shelf, "/a/1", ""), F_OK), 0);
    cr_expect_eq(store_purge_prefix(shelf.s, STR("/a/"), false), 0, "there is room again");
    expect_body("/b/1", STR("1"));
}
