#include "modules/cache/store_object.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/crc32c.h"
#include "core/base/log.h"
#include "core/io/fiber.h"
#include "modules/cache/store_record.h"

enum {
    OPEN_TRIES = 4,              /* of an object that is replaced while it is opened */
    BODY_ROUND = 16,             /* in memory */
    VERIFY_PIECE = 256 * 1024,
};

typedef enum opened { OPENED, CHANGED, NOTHING } opened_t;

/* --- what is wrong with it --- */

static opened_t broken(store_t *s, uint32_t at, const store_entry_t *e, const char *what)
{
    store_entry_t gone;
    if (!store_index_drop(s->shared->index, at, e->id, &gone)) return CHANGED;
    STORE_COUNT(s, broken);
    LOG(&log_main, LOG_ERR, 0, "cache \"%s\": %s, the file %016llx%016llx is dropped",
        s->options.path.p, what, (unsigned long long)e->key[0], (unsigned long long)e->key[1]);
    store_zone_clear(s, &gone);
    return NOTHING;
}

/* Somebody has removed the file: the entry goes, too. */
static opened_t give_up(store_t *s, uint32_t at, const store_entry_t *e)
{
    store_entry_t gone;
    if (!store_index_drop(s->shared->index, at, e->id, &gone)) return CHANGED;
    store_zone_clear(s, &gone);
    return NOTHING;
}

/* What was found good at that time of the clock need not be looked at until the next purge. */
static void mark_checked(store_entry_t *e, uint64_t id, uint32_t clock)
{
    __atomic_store_n(&e->checked, clock, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&e->id, __ATOMIC_SEQ_CST) != id)
        __atomic_store_n(&e->checked, 0, __ATOMIC_SEQ_CST);
}

static store_suspect_t suspect_of(const store_entry_t *e, const store_record_t *r)
{
    return (store_suspect_t){.born = e->born,
                             .key_hash = e->key[0],
                             .key = r->key,
                             .tags = r->tags.p,
                             .tag_count = store_record_tags(r)};
}

/* False: it was purged. */
static bool pass_purges(store_t *s, uint32_t at, const store_entry_t *e, const store_record_t *r,
                        bool *stale)
{
    uint32_t clock = store_purge_clock(s->shared->purge);
    *stale = e->flags & STORE_STALE;
    if (__atomic_load_n(&e->checked, __ATOMIC_RELAXED) == clock) return true;
    store_suspect_t suspect = suspect_of(e, r);
    store_verdict_t verdict = store_purge_check(s->shared->purge, &suspect);
    if (verdict == STORE_VOID) return false;
    if (verdict == STORE_SOFT) {
        *stale = true;
        store_index_flag(s->shared->index, at, e->id, STORE_STALE, 0);
    }
    mark_checked(store_index_at(s->shared->index, at), e->id, clock);
    return true;
}

static opened_t judge(store_object_t *o, uint32_t at, const store_entry_t *e,
                      const store_record_t *r)
{
    store_t *s = o->store;
    store_entry_t gone;
    if (pass_purges(s, at, e, r, &o->stale)) {
        o->id = e->id;
        o->version = e->version;
        o->entry = at;
        o->length = (int64_t)e->length;
        o->stored = e->stored;
        o->head = r->head;
        return OPENED;
    }
    store_close(o);
    if (!store_index_drop(s->shared->index, at, e->id, &gone)) return CHANGED;
    STORE_COUNT(s, purged);
    store_zone_clear(s, &gone);
    return NOTHING;
}

/* --- in memory --- */

static size_t body_offset(uint32_t record_size)
{
    return (record_size + BODY_ROUND - 1) & ~(size_t)(BODY_ROUND - 1);
}

static bool is_record_of(const store_record_t *r, const store_entry_t *e)
{
    return r->complete && r->id == e->id && r->version == e->version && r->length == e->length &&
           r->variant == e->variant;
}

/* Pins what is at the place. False: it is not there, or not that any more. */
static bool open_memory(store_object_t *o, uint32_t place, const store_entry_t *e,
                        store_record_t *r)
{
    const char *p;
    size_t n;
    o->pin = store_memory_pin(o->store->memory, place, e->id, &p, &n);
    if (!o->pin) return false;
    o->record = str_make(p, n);
    bool good = store_record_peek(o->record, r) && is_record_of(r, e) &&
                body_offset(r->size) + r->length <= n;
    if (good) o->memory = p + body_offset(r->size);
    else store_close(o);
    return good;
}

/* Takes a copy into memory, if there is room. */
static void promote(store_object_t *o, uint32_t at, const store_entry_t *e, store_record_t *r)
{
    store_memory_t *m = o->store->memory;
    store_entry_t *entry = store_index_at(o->store->shared->index, at);
    size_t front = body_offset(r->size), n = front + e->length;
    char *p;
    uint32_t lost = e->memory, none = 0;
    if (store_memory_holds(m, lost, e->id)) return;
    if (lost) /* that is somebody else's now */
        __atomic_compare_exchange_n(&entry->memory, &lost, 0, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_RELAXED);
    uint32_t place = store_memory_take(m, o->store->shared->index, n, &p);
    if (!place) return;
    memcpy(p, o->record.p, r->size);
    bool good = store_file_read(o->fd, p + front, e->length, o->file_at) == (ssize_t)e->length;
    if (!good || __atomic_load_n(&entry->memory, __ATOMIC_RELAXED)) {
        store_memory_drop(m, place, 0);
        return;
    }
    store_memory_show(m, place, e->id, at);
    if (!__atomic_compare_exchange_n(&entry->memory, &none, place, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED)) {
        store_memory_drop(m, place, e->id);
        return;
    }
    int fd = o->fd;
    str_t record = o->record;
    store_record_t here;
    o->fd = -1;
    if (open_memory(o, place, e, &here)) {
        *r = here;
        close(fd);
        return;
    }
    o->fd = fd;
    o->record = record;
}

/* --- on disk --- */

static bool verify_body(const store_object_t *o, const store_record_t *r)
{
    buf_t *b = buf_take(VERIFY_PIECE);
    uint32_t check = 0;
    uint64_t at = 0;
    while (at < r->length) {
        uint64_t left = r->length - at;
        size_t n = left < VERIFY_PIECE ? (size_t)left : VERIFY_PIECE;
        if (store_file_read(o->fd, b->start, n, o->file_at + (off_t)at) != (ssize_t)n) break;
        check = crc32c_add(check, str_make(b->start, n));
        at += n;
        if (at < r->length && fiber_self()) fiber_yield();
    }
    buf_return(b);
    return at == r->length && check == r->body_check;
}

/* What is wrong with the file; NULL: nothing. */
static const char *examine(store_object_t *o, const store_entry_t *e, pool_t *pool,
                           store_record_t *r)
{
    struct stat st;
    uint32_t room = e->body_at / 2;
    char *bytes = pool_bytes(pool, room);
    ssize_t n = store_file_read(o->fd, bytes, room, e->flags & STORE_SECOND ? room : 0);
    o->record = str_make(bytes, n > 0 ? (size_t)n : 0);
    o->file_at = e->body_at;
    if (!store_record_get(o->record, r)) return "a record is torn";
    if (!is_record_of(r, e) || r->room != room) return "it is not what was stored";
    if (fstat(o->fd, &st) < 0 || (uint64_t)st.st_size < e->body_at + e->length)
        return "the body is truncated";
    if (e->flags & STORE_UNVERIFIED && !verify_body(o, r)) return "the body's checksum is wrong";
    return NULL;
}

/* Whether the entry is another than it was copied. */
static bool has_changed(store_t *s, uint32_t at, const store_entry_t *e)
{
    store_entry_t now;
    return !store_index_copy(s->shared->index, at, &now) || now.id != e->id ||
           now.version != e->version;
}

static opened_t open_file(store_object_t *o, uint32_t at, const store_entry_t *e, pool_t *pool,
                          store_record_t *r)
{
    store_t *s = o->store;
    store_file_t name = store_zone_file(e);
    o->fd = store_file_open(&s->dir, &name, false);
    if (o->fd == -EMFILE || o->fd == -ENFILE) return NOTHING; /* not the file's fault */
    bool missing = o->fd == -ENOENT;
    const char *wrong = o->fd < 0 ? "it cannot be opened" : examine(o, e, pool, r);
    if (!wrong && e->flags & STORE_UNVERIFIED)
        store_index_flag(s->shared->index, at, e->id, 0, STORE_UNVERIFIED);
    if (!wrong) return OPENED;
    store_close(o);
    if (has_changed(s, at, e)) return CHANGED;
    return missing ? give_up(s, at, e) : broken(s, at, e, wrong);
}

/* --- opening --- */

static opened_t open_entry(store_object_t *o, str_t key, uint32_t at, const store_entry_t *e,
                           pool_t *pool)
{
    store_t *s = o->store;
    store_record_t r;
    bool again = e->hot & STORE_HOT_QUEUE;
    store_entry_touch(store_index_at(s->shared->index, at));
    bool here = s->memory && e->memory && open_memory(o, e->memory, e, &r);
    if (!here) {
        opened_t got = open_file(o, at, e, pool, &r);
        if (got != OPENED) return got;
        if (again && s->memory) promote(o, at, e, &r);
    }
    if (!str_eq(r.key, key)) { /* two texts with one hash */
        store_close(o);
        return NOTHING;
    }
    return judge(o, at, e, &r);
}

static bool is_passed(store_t *s, const store_key_t *key)
{
    store_entry_t e;
    uint32_t at = store_index_find(s->shared->index, key->hash, STORE_VARIANT_PASS, &e);
    return at != STORE_NO_ENTRY && e.until > (uint64_t)clock_unix();
}

store_found_t store_open(store_t *s, const store_key_t *key, str_t variant, pool_t *pool,
                         store_object_t *o)
{
    store_entry_t e;
    opened_t got = CHANGED;
    *o = (store_object_t){.store = s,
                          .key = {key->hash[0], key->hash[1]},
                          .variant = store_zone_variant(variant),
                          .length = -1,
                          .fd = -1};
    for (unsigned i = 0; i < OPEN_TRIES && got == CHANGED && s->entered; i++) {
        uint32_t at = store_index_find(s->shared->index, key->hash, o->variant, &e);
        got = at == STORE_NO_ENTRY ? NOTHING : open_entry(o, key->text, at, &e, pool);
    }
    if (got == OPENED) {
        STORE_COUNT(s, opened);
        if (o->pin) STORE_COUNT(s, opened_memory);
        return STORE_HIT;
    }
    bool pass = s->entered && is_passed(s, key);
    if (pass) STORE_COUNT(s, passes);
    else if (s->entered) STORE_COUNT(s, absent);
    return pass ? STORE_PASS : STORE_MISS;
}

void store_close(store_object_t *o)
{
    if (o->pin) store_memory_unpin(o->store->memory, o->pin);
    if (o->fd >= 0) close(o->fd);
    o->pin = 0;
    o->fd = -1;
    o->memory = NULL;
    o->record = o->head = STR("");
}

bool store_is_same(const store_object_t *a, const store_object_t *b)
{
    return a->id == b->id && a->version == b->version;
}

void store_remove(store_object_t *o)
{
    store_t *s = o->store;
    store_entry_t gone;
    if (o->id && !o->fill && store_index_drop(s->shared->index, o->entry, o->id, &gone))
        store_zone_clear(s, &gone);
}

/* --- reading along --- */

/* The row's fields are those of a moment ago: the file tells. */
static bool open_new(store_object_t *o, str_t key, const store_row_t *row, pool_t *pool)
{
    store_record_t r;
    store_t *s = o->store;
    o->fd = store_file_open_new(&s->dir, row->id);
    if (o->fd < 0) return false;
    char *bytes = pool_bytes(pool, row->room);
    ssize_t n = store_file_read(o->fd, bytes, row->room, 0);
    o->record = str_make(bytes, n > 0 ? (size_t)n : 0);
    if (!store_record_get(o->record, &r) || r.id != row->id || !str_eq(r.key, key)) return false;
    store_entry_t e = {.born = r.born, .key = {o->key[0], o->key[1]}};
    store_suspect_t suspect = suspect_of(&e, &r);
    if (store_purge_check(s->shared->purge, &suspect) != STORE_GOOD) return false;
    o->head = r.head;
    o->stored = r.stored;
    o->id = r.id;
    return true;
}

store_turn_t store_object_follow(store_t *s, const store_key_t *key, const store_row_t *row,
                                 uint32_t number, pool_t *pool, store_object_t *o)
{
    *o = (store_object_t){.store = s,
                          .key = {key->hash[0], key->hash[1]},
                          .variant = row->variant,
                          .length = row->length,
                          .filling = true,
                          .fd = -1,
                          .file_at = 2 * (off_t)row->room,
                          .fill = number,
                          .turn = row->turn,
                          .entry = STORE_NO_ENTRY};
    if (open_new(o, key->text, row, pool)) {
        STORE_COUNT(s, followed);
        return STORE_FOLLOWS;
    }
    store_close(o);
    o->id = 0;
    return STORE_RETRY;
}

/* The fill has ended: whether well is what the file says. */
static int finish_following(store_object_t *o)
{
    store_record_t r;
    uint32_t room = (uint32_t)(o->file_at / 2);
    buf_t *b = buf_take(room);
    ssize_t n = store_file_read(o->fd, b->start, room, 0);
    bool whole = n > 0 && store_record_get(str_make(b->start, (size_t)n), &r) && r.complete &&
                 r.id == o->id;
    buf_return(b);
    if (!whole) return -EIO;
    o->length = (int64_t)r.length;
    o->filling = false;
    return 0;
}

/* --- reading --- */

static ssize_t piece_of(const store_object_t *o, uint64_t at, size_t n, piece_t *piece)
{
    if (!o->memory)
        *piece = (piece_t){.fd = o->fd, .at = o->file_at + (off_t)at, .n = n};
    else if (n < STORE_MEMORY_SENT)
        *piece = (piece_t){.p = o->memory + at, .n = n, .fd = -1};
    else
        *piece = (piece_t){
            .fd = o->store->memory_zone->fd,
            .at = (off_t)store_memory_offset(o->store->memory, o->memory + at),
            .n = n};
    return (ssize_t)n;
}

ssize_t store_read(store_object_t *o, uint64_t at, size_t most, uint64_t timeout_ms,
                   piece_t *piece)
{
    if (o->filling) {
        int64_t there = store_fills_follow(o, at, timeout_ms);
        if (there < 0) return there;
        uint64_t left = there > 0 ? (uint64_t)there - at : 0;
        if (left) return piece_of(o, at, left < most ? (size_t)left : most, piece);
        int err = finish_following(o);
        if (err) return err;
    }
    if (at >= (uint64_t)o->length) return 0;
    uint64_t left = (uint64_t)o->length - at;
    return piece_of(o, at, left < most ? (size_t)left : most, piece);
}
