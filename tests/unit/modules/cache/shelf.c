#include "shelf.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/loop.h"
#include "core/process/bell.h"
#include "core/process/worker.h"

enum { ROWS = 32 };

static zone_t *counters;

/* Every process that is started gets a row; freed as the master does it. */
static struct {
    pid_t pid;
    worker_counters_t *row;
} family[ROWS];

static void map(shelf_t *t)
{
    const char *why = "";
    t->zones.pool = t->pool;
    cr_assert(store_setup_want(&t->zones, &t->store, &why), "%s", why);
    counters = worker_counters_zone(&t->zones);
    cr_assert(zone_set_map(&t->zones, NULL, &why), "%s", why);
    worker_counters_use(counters);
    worker_counters = worker_counters_take();
    worker_counters->worker = (uint64_t)getpid();
    cr_assert_eq(store_setup_enter(&t->store), 0);
}

void shelf_open(shelf_t *t, size_t keys, size_t memory)
{
    memset(t, 0, sizeof(*t));
    clock_update();
    cr_assert(bell_make());
    cr_assert_eq(loop_open(), 0);
    t->pool = pool_create();
    snprintf(t->path, sizeof(t->path), "/tmp/proxyd-store-XXXXXX");
    cr_assert_not_null(mkdtemp(t->path));
    t->s = &t->store;
    t->store.options = (store_options_t){.name = STR("zone"),
                                         .path = str_of(t->path),
                                         .levels = {1, 2},
                                         .keys_size = keys,
                                         .memory_size = memory,
                                         .inactive = 600000,
                                         .manager_threshold = 200,
                                         .loader_threshold = 200,
                                         .rows = ROWS};
    map(t);
}

void shelf_restart(shelf_t *t)
{
    store_setup_leave(&t->store);
    zone_set_release(&t->zones);
    t->zones = (zone_set_t){0};
    map(t);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void shelf_close(shelf_t *t)
{
    cr_expect(store_index_check(t->s->shared->index));
    if (t->s->memory) cr_expect(store_memory_check(t->s->memory));
    store_setup_leave(&t->store);
    zone_set_release(&t->zones);
    pool_destroy(t->pool);
    bell_deaf();
    loop_close();
    nftw(t->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void shelf_run(void (*fn)(void *arg), void *arg)
{
    cr_assert_not_null(fiber_start(fn, arg));
    while (fiber_count() > 0) loop_turn(100);
}

/* --- processes --- */

typedef struct child {
    shelf_t *t;
    int (*fn)(shelf_t *t, unsigned id);
    unsigned id;
    int status;
} child_t;

static void run_child(void *arg)
{
    child_t *c = arg;
    c->status = c->fn(c->t, c->id);
}

static _Noreturn void be_child(child_t *c, worker_counters_t *row)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    worker_counters = row;
    worker_counters->worker = (uint64_t)getpid();
    bell_deaf();
    loop_close();
    if (loop_open() != 0 || store_setup_enter(c->t->s) != 0 || !fiber_start(run_child, c))
        _exit(99);
    while (fiber_count() > 0) loop_turn(100);
    _exit(c->status);
}

pid_t shelf_fork(shelf_t *t, int (*fn)(shelf_t *t, unsigned id), unsigned id)
{
    child_t c = {.t = t, .fn = fn, .id = id};
    worker_counters_t *row = worker_counters_take();
    cr_assert_not_null(row);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) be_child(&c, row);
    row->worker = (uint64_t)pid; /* it is found alive from now on */
    unsigned i = 0;
    while (i < ROWS && family[i].pid) i++;
    cr_assert_lt(i, (unsigned)ROWS);
    family[i].pid = pid;
    family[i].row = row;
    return pid;
}

int shelf_bury(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    for (unsigned i = 0; i < ROWS; i++)
        if (family[i].pid == pid) {
            worker_counters_give(family[i].row);
            family[i].pid = 0;
        }
    bell_ring(UINT32_MAX);
    return status;
}

/* --- objects --- */

int shelf_put(shelf_t *t, const char *key, const char *head, str_t body)
{
    store_key_t k = store_key(str_of(key));
    store_object_t o;
    store_fill_t *fill;
    store_wait_t wait = {1000, UINT64_MAX};
    store_response_t r = {.head = str_of(head), .length = (int64_t)body.n};
    store_turn_t turn = store_join(t->s, &k, STR(""), &wait, t->pool, NULL, &o, &fill);
    cr_assert_eq(turn, STORE_FILLER, "turn %d", turn);
    cr_assert_eq(store_fill_head(fill, &r), 0);
    cr_assert_eq(store_fill_body(fill, body), 0);
    return store_fill_commit(fill);
}

str_t shelf_read(shelf_t *t, store_object_t *o)
{
    char *out = NULL;
    size_t n = 0, room = 0;
    piece_t piece;
    ssize_t got;
    while ((got = store_read(o, n, 100000, 10000, &piece)) > 0) {
        if (n + (size_t)got > room) {
            char *more = pool_bytes(t->pool, room = 2 * (n + (size_t)got));
            if (n) memcpy(more, out, n);
            out = more;
        }
        if (piece.fd < 0) memcpy(out + n, piece.p, piece.n);
        else cr_assert_eq(pread(piece.fd, out + n, piece.n, piece.at), (ssize_t)piece.n);
        n += (size_t)got;
    }
    if (got < 0) return (str_t){NULL, 0};
    return n ? str_make(out, n) : STR("");
}

str_t shelf_get(shelf_t *t, const char *key, str_t *head)
{
    store_key_t k = store_key(str_of(key));
    store_object_t o;
    if (store_open(t->s, &k, STR(""), t->pool, &o) != STORE_HIT) return (str_t){NULL, 0};
    if (head) *head = pool_str(t->pool, o.head);
    str_t body = shelf_read(t, &o);
    store_close(&o);
    return body;
}

str_t shelf_bytes(shelf_t *t, size_t n)
{
    char *p = pool_bytes(t->pool, n + 8);
    for (size_t i = 0; i < n; i++) p[i] = (char)(i ^ i >> 8 ^ i >> 15);
    return str_make(p, n);
}

const char *shelf_file(shelf_t *t, const char *key, const char *variant)
{
    char name[STORE_FILE_NAME];
    glob_t found;
    store_key_t k = store_key(str_of(key));
    store_file_t f = {{k.hash[0], k.hash[1]}, store_zone_variant(str_of(variant)), 0};
    store_file_name(&t->s->dir, &f, name);
    const char *none = pool_printf(t->pool, "%s/%s", t->path, name).p;
    *strrchr(name, '-') = 0;
    if (glob(pool_printf(t->pool, "%s/%s-*", t->path, name).p, 0, NULL, &found) != 0) return none;
    cr_assert_eq(found.gl_pathc, 1, "%zu files of %s", found.gl_pathc, key);
    const char *path = pool_str(t->pool, str_of(found.gl_pathv[0])).p;
    globfree(&found);
    return path;
}

static unsigned count_files(pool_t *pool, const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        const char *inner = pool_printf(pool, "%s/%s", path, e->d_name).p;
        if (e->d_type == DT_DIR) n += count_files(pool, inner);
        else n += strcmp(e->d_name, "purges") != 0;
    }
    if (d) closedir(d);
    return n;
}

unsigned shelf_files(shelf_t *t)
{
    return count_files(t->pool, t->path);
}
