#include "modules/cache/store_loader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/io/fiber.h"
#include "modules/cache/store_fill.h"
#include "modules/cache/store_record.h"

enum { FIRST = 4096, DEPTH_MOST = STORE_FILE_LEVELS, LEVEL_MOST = 2 };

typedef struct loader {
    store_t *s;
    store_load_t *out;
    bool first;
    buf_t *buf;
    unsigned batch;      /* files since the last pause */
    uint64_t started_us; /* of the batch */
    int err;
} loader_t;

/* --- one file --- */

static bool is_known(loader_t *l, const store_file_t *f)
{
    store_entry_t e;
    return store_index_find(l->s->shared->index, f->key, f->variant, &e) != STORE_NO_ENTRY &&
           e.id == f->id;
}

/* The record in the first bytes of the file; more of them are read when it is a large one. */
static bool read_record(loader_t *l, int fd, store_record_t *r, bool *second)
{
    ssize_t n = store_file_read(fd, l->buf->start, FIRST, 0);
    str_t bytes = str_make(l->buf->start, n > 0 ? (size_t)n : 0);
    bool got = store_record_find(bytes, r, second);
    if (got && 2 * (size_t)r->room <= bytes.n) return true;
    if (bytes.n < FIRST) return got;
    n = store_file_read(fd, l->buf->start, buf_capacity(l->buf), 0);
    return store_record_find(str_make(l->buf->start, n > 0 ? (size_t)n : 0), r, second);
}

static bool is_whole(const store_record_t *r, const store_file_t *f, int fd)
{
    struct stat st;
    uint64_t wide[2];
    store_key_t key = store_key(r->key);
    memcpy(wide, key.hash, sizeof(wide));
    return r->complete && r->id == f->id && wide[0] == f->key[0] && wide[1] == f->key[1] &&
           r->variant == f->variant && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size >= 2 * (uint64_t)r->room + r->length;
}

static store_verdict_t verdict_of(store_t *s, const store_record_t *r, const store_file_t *f)
{
    store_suspect_t suspect = {.born = r->born,
                               .key_hash = f->key[0],
                               .key = r->key,
                               .tags = r->tags.p,
                               .tag_count = store_record_tags(r)};
    return store_purge_check(s->shared->purge, &suspect);
}

/* Somebody was about to drop or replace it, and has done so. */
static bool has_gone(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

/* False: the file is not worth keeping. */
static bool take(loader_t *l, const store_file_t *f, int fd)
{
    store_record_t r;
    bool second;
    store_t *s = l->s;
    store_put_t out;
    if (!read_record(l, fd, &r, &second) || !is_whole(&r, f, fd)) return false;
    store_verdict_t verdict = verdict_of(s, &r, f);
    uint16_t vary = store_zone_vary(s, r.vary);
    if (verdict == STORE_VOID || vary == STORE_VARY_FULL) return false;
    store_entry_t e = {.key = {f->key[0], f->key[1]},
                       .variant = f->variant,
                       .kind = STORE_KIND_OBJECT,
                       .id = r.id,
                       .length = r.length,
                       .born = r.born,
                       .stored = r.stored,
                       .used = (uint32_t)clock_unix(),
                       .body_at = 2 * r.room,
                       .vary = vary,
                       .version = r.version};
    e.flags = (uint8_t)(STORE_UNVERIFIED | (second ? STORE_SECOND : 0) |
                        (verdict == STORE_SOFT || r.stale ? STORE_STALE : 0) |
                        (r.tags.n ? STORE_TAGGED : 0));
    store_zone_seen_id(s, r.id);
    store_purge_seen(s->shared->purge, r.born);
    uint32_t at = store_index_add(s->shared->index, &e, &out);
    if (at == STORE_NO_ENTRY) return false;
    store_zone_clear(s, &out.replaced);
    store_zone_evicted(s, &out.evicted);
    if (has_gone(fd)) store_index_drop(s->shared->index, at, r.id, &out.replaced);
    else l->out->loaded++;
    return true;
}

/* Makes an entry of it. False: it is not worth keeping. */
static bool adopt(loader_t *l, const store_file_t *f)
{
    int fd = store_file_open(&l->s->dir, f, false);
    bool good = fd == -EMFILE || fd == -ENFILE || fd == -ENOENT || (fd >= 0 && take(l, f, fd));
    if (fd >= 0) close(fd);
    return good;
}

static void look_at(loader_t *l, str_t name)
{
    store_file_t f;
    if (!store_file_parse(name, &f)) return;
    l->out->files++;
    l->batch++;
    if (is_known(l, &f) || (l->first && adopt(l, &f))) return;
    /* Who has just made it tells the index before it says that it has done. */
    if (store_fills_id(l->s, f.id) || is_known(l, &f)) return;
    store_file_unlink(&l->s->dir, &f);
    l->out->dropped++;
}

/* What nobody writes any more. */
static void look_at_temp(loader_t *l, int dir, str_t name)
{
    uint64_t id;
    l->batch++;
    if (name.n == 16 && str_hex_to_u64(name, &id) && !store_fills_id(l->s, id))
        unlinkat(dir, name.p, 0);
}

/* --- directories --- */

static void pause_between(loader_t *l)
{
    const store_options_t *o = &l->s->options;
    bool long_enough = (clock_us_now() - l->started_us) / 1000 >= o->loader_threshold;
    if (l->batch < o->loader_files && !long_enough) return;
    l->err = fiber_sleep(o->loader_sleep);
    l->batch = 0;
    l->started_us = clock_us_now();
}

static DIR *open_in(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) close(fd);
    return d;
}

static void walk_temp(loader_t *l)
{
    DIR *d = open_in(l->s->dir.fd, "temp");
    struct dirent *e;
    while (d && !l->err && (e = readdir(d))) {
        look_at_temp(l, dirfd(d), str_of(e->d_name));
        pause_between(l);
    }
    if (d) closedir(d);
}

/* Hexadecimal names of a level's length lead on, of whatever `levels` there were before. */
static bool leads_on(unsigned depth, str_t name)
{
    return depth < DEPTH_MOST && name.n <= LEVEL_MOST && ascii_hex(name.p[0]) >= 0 &&
           ascii_hex(name.p[name.n - 1]) >= 0;
}

/* A file where `levels` had it stand once is none of the cache any more. */
static bool is_in_place(loader_t *l, const char *dir, str_t name)
{
    char right[STORE_FILE_NAME];
    store_file_t f;
    if (!store_file_parse(name, &f)) return true;
    store_file_name(&l->s->dir, &f, right);
    size_t n = strlen(dir);
    return strncmp(right, dir, n) == 0 && str_eq(str_of(right + n), name);
}

static void look_in(loader_t *l, int dir, const char *path, str_t name)
{
    if (is_in_place(l, path, name)) look_at(l, name);
    else if (unlinkat(dir, name.p, 0) == 0) l->out->dropped++;
}

/* path: of the directory, with a slash behind it unless it is the first one. */
static void walk(loader_t *l, int parent, const char *name, const char *path, unsigned depth)
{
    char inner[STORE_FILE_NAME];
    DIR *d = open_in(parent, name);
    struct dirent *e;
    while (d && !l->err && (e = readdir(d))) {
        str_t child = str_of(e->d_name);
        bool further = leads_on(depth, child);
        if (further) snprintf(inner, sizeof(inner), "%s%.*s/", path, LEVEL_MOST, e->d_name);
        if (further) walk(l, dirfd(d), e->d_name, inner, depth + 1);
        else look_in(l, dirfd(d), path, child);
        pause_between(l);
    }
    if (d) closedir(d);
}

int store_loader_run(store_t *s, bool first, store_load_t *out)
{
    loader_t l = {.s = s, .out = out, .first = first, .started_us = clock_us_now()};
    *out = (store_load_t){0};
    store_purge_load(s->shared->purge, s->dir.fd);
    l.buf = buf_take(2 * STORE_RECORD_MOST);
    walk_temp(&l);
    walk(&l, s->dir.fd, ".", "", 0);
    buf_return(l.buf);
    return l.err;
}
