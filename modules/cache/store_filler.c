#include "modules/cache/store_filler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/crc32c.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/io/fiber.h"
#include "modules/cache/store_renew.h"

enum {
    BUFFER = 16 * 1024,  /* of a body, before it goes to the file */
    VARIANTS_MOST = 64,  /* objects of one key */
    ROOM_PAUSE_MS = 100, /* between two tries on a full disk, which the cache process looks at */
    ROOM_TRIES = 30,     /* once a second */
};

struct store_fill {
    list_t link;
    store_t *store;
    store_row_t *row;
    store_key_t key;      /* its text is the fill's own */
    char *texts;          /* NULL: no head yet. What the record's slices point into */
    store_record_t record;
    uint16_t vary;
    int64_t length;       /* -1: not known */
    uint64_t total;       /* bytes of the body so far */
    uint64_t flushed;     /* those of them in the file */
    buf_t *buf;           /* the others */
    int fd;               /* the file; -1: none yet */
    bool begun;           /* something stands in it */
    int err;              /* cannot be stored any more */
};

static list_t fills = {&fills, &fills};

/* --- begin and end --- */

static void *must(void *p)
{
    if (!p) panic("out of memory: a response that is to be stored");
    return p;
}

store_fill_t *store_filler_new(store_t *s, const store_key_t *key, store_row_t *row)
{
    store_fill_t *f = must(malloc(sizeof(*f) + key->text.n));
    *f = (store_fill_t){.store = s, .row = row, .key = *key, .fd = -1, .length = -1};
    char *text = (char *)(f + 1);
    if (key->text.n) memcpy(text, key->text.p, key->text.n);
    f->key.text = str_make(text, key->text.n);
    list_push(&fills, &f->link);
    return f;
}

static void end(store_fill_t *f)
{
    if (f->fd >= 0) close(f->fd);
    store_fills_end(f->store, f->row);
    list_remove(&f->link);
    buf_return(f->buf);
    free(f->texts);
    free(f);
}

static void drop_file(store_fill_t *f)
{
    if (f->fd >= 0) store_file_discard(&f->store->dir, f->record.id);
}

void store_fill_abandon(store_fill_t *f)
{
    STORE_COUNT(f->store, abandoned);
    drop_file(f);
    end(f);
}

bool store_fill_wanted(const store_fill_t *f)
{
    return __atomic_load_n(&f->row->waiting, __ATOMIC_SEQ_CST) != 0;
}

/* The disk may have room again later, so that storing is off for a while; but not for one response
   that is too large for it. */
static int failed(store_fill_t *f, int err)
{
    if (err == -EFBIG) return f->err = err;
    if (err == -ENOSPC || err == -EDQUOT || err == -EROFS || err == -EIO)
        store_zone_full(f->store, -err);
    else
        LOG(&log_main, LOG_ERR, -err, "a file of the cache \"%s\" cannot be written",
            f->store->options.path.p);
    return f->err = err;
}

/* --- the head --- */

static size_t put_tags(char *out, const store_response_t *r)
{
    for (unsigned i = 0; i < r->tag_count; i++) {
        uint64_t hash = store_purge_tag_hash(r->tags[i]);
        memcpy(out + i * sizeof(hash), &hash, sizeof(hash));
    }
    return r->tag_count * sizeof(uint64_t);
}

/* The record with texts of its own. False: it is larger than a record may be. */
static bool make_record(store_fill_t *f, const store_response_t *r)
{
    char tags[STORE_TAGS_MAX * sizeof(uint64_t)];
    store_record_t *rec = &f->record;
    if (r->tag_count > STORE_TAGS_MAX) return false;
    *rec = (store_record_t){.id = store_zone_next_id(f->store),
                            .variant = store_zone_variant(r->variant),
                            .born = f->row->born,
                            .stored = (uint32_t)clock_unix(),
                            .key = f->key.text,
                            .vary = r->vary,
                            .head = r->head,
                            .tags = str_make(tags, put_tags(tags, r))};
    rec->size = store_record_size(rec);
    if (!rec->size) return false;
    rec->room = store_record_room(rec->size);
    f->texts = must(malloc(rec->size));
    store_record_put(f->texts, rec);
    return store_record_peek(str_make(f->texts, rec->size), rec);
}

static bool too_large(const store_t *s, int64_t length)
{
    return s->options.max_size && length > 0 && (uint64_t)length > s->options.max_size;
}

static void tell_state(store_fill_t *f, store_row_state_t state)
{
    store_row_t next = {.state = state,
                        .variant = f->record.variant,
                        .id = f->record.id,
                        .length = f->length,
                        .bytes = f->flushed,
                        .room = f->record.room,
                        .vary = f->vary};
    store_fills_change(f->store, f->row, &next);
}

static int make_file(store_fill_t *f);
static int flush(store_fill_t *f, str_t more);

int store_fill_head(store_fill_t *f, const store_response_t *r)
{
    store_fills_alive(f->row);
    if (store_zone_is_full(f->store)) return f->err = -ENOSPC;
    f->vary = store_zone_vary(f->store, r->vary);
    if (f->vary == STORE_VARY_FULL || too_large(f->store, r->length) || !make_record(f, r))
        return f->err = -EFBIG;
    f->length = r->length;
    tell_state(f, STORE_ROW_HEADED);
    if (store_fill_wanted(f)) return flush(f, STR(""));
    int err = f->length > BUFFER ? make_file(f) : 0;
    return err ? failed(f, err) : 0;
}

/* --- the body --- */

static off_t body_at(const store_fill_t *f)
{
    return 2 * (off_t)f->record.room;
}

static bool is_no_room(int err)
{
    return err == -ENOSPC || err == -EDQUOT;
}

/* Whether there is room when others have gone, less than all of them. */
static bool would_fit(const store_fill_t *f)
{
    return (uint64_t)f->length <= store_index_stats(f->store->shared->index).bytes / 2;
}

/* What does not fit on the disk had better not be begun: who reads along could not be given the
   rest. What cannot be told beforehand, here or by the file system, is found out on the way. */
static int make_file(store_fill_t *f)
{
    int fd = store_file_create(&f->store->dir, f->record.id);
    if (fd < 0) return fd;
    f->fd = fd;
    if (f->length <= (int64_t)f->total) return 0;
    int err = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, body_at(f) + f->length) < 0 ? -errno : 0;
    if (!is_no_room(err)) return 0;
    return would_fit(f) ? err : -EFBIG;
}

/* The record and what there is of the body: one write. */
static int write_first(store_fill_t *f, str_t body, str_t more)
{
    int err = f->fd < 0 ? make_file(f) : 0;
    if (err) return err;
    char *rooms = must(calloc(2, f->record.room));
    store_record_put(rooms, &f->record);
    struct iovec iov[3] = {{rooms, (size_t)body_at(f)},
                           {(char *)(uintptr_t)body.p, body.n},
                           {(char *)(uintptr_t)more.p, more.n}};
    err = store_file_write(f->fd, iov, 3, 0);
    free(rooms);
    f->begun = !err;
    return err;
}

static int write_more(store_fill_t *f, str_t body, str_t more)
{
    struct iovec iov[2] = {{(char *)(uintptr_t)body.p, body.n},
                           {(char *)(uintptr_t)more.p, more.n}};
    return store_file_write(f->fd, iov, 2, body_at(f) + (off_t)f->flushed);
}

/* Whoever reads along would lose the rest: the cache process, which makes room on a full disk, is
   waited for. */
static int write_rest(store_fill_t *f, str_t body, str_t more)
{
    int err = write_more(f, body, more);
    if (is_no_room(err)) store_zone_full(f->store, -err);
    for (unsigned i = 0; is_no_room(err) && i < ROOM_TRIES; i++) {
        __atomic_store_n(&f->store->shared->room_wanted, 1, __ATOMIC_RELAXED);
        if (fiber_sleep(ROOM_PAUSE_MS) < 0) return err;
        err = write_more(f, body, more);
    }
    return err;
}

/* Writes what is buffered and more behind it; others see it. */
static int flush(store_fill_t *f, str_t more)
{
    str_t body = f->buf ? buf_str(f->buf) : STR("");
    bool first = !f->begun;
    int err = first ? write_first(f, body, more) : write_rest(f, body, more);
    if (err) return failed(f, err);
    f->flushed += body.n + more.n;
    if (f->buf) buf_clear(f->buf);
    if (first) tell_state(f, STORE_ROW_FILLING);
    else store_fills_more(f->row, f->flushed);
    return 0;
}

int store_fill_body(store_fill_t *f, str_t data)
{
    if (f->err) return f->err;
    ASSERT(f->texts);
    store_fills_alive(f->row);
    f->total += data.n;
    if (f->length >= 0 && f->total > (uint64_t)f->length) return f->err = -EFBIG;
    if (too_large(f->store, (int64_t)f->total)) return f->err = -EFBIG;
    f->record.body_check = crc32c_add(f->record.body_check, data);
    if (!f->buf) f->buf = buf_take(BUFFER);
    if (data.n > buf_room(f->buf)) return flush(f, data);
    buf_put(f->buf, data);
    return store_fill_wanted(f) ? flush(f, STR("")) : 0;
}

void store_filler_show_wanted(void)
{
    LIST_EACH(it, &fills)
    {
        store_fill_t *f = LIST_OF(it, store_fill_t, link);
        if (f->texts && !f->err && !f->begun && store_fill_wanted(f)) flush(f, STR(""));
    }
}

/* --- whole --- */

static store_entry_t entry_of(const store_fill_t *f)
{
    const store_record_t *r = &f->record;
    return (store_entry_t){.key = {f->key.hash[0], f->key.hash[1]},
                           .variant = r->variant,
                           .kind = STORE_KIND_OBJECT,
                           .id = r->id,
                           .length = r->length,
                           .born = r->born,
                           .stored = r->stored,
                           .used = (uint32_t)clock_unix(),
                           .body_at = (uint32_t)body_at(f),
                           .vary = f->vary,
                           .flags = r->tags.n ? STORE_TAGGED : 0};
}

static int write_whole(store_fill_t *f)
{
    str_t body = f->buf ? buf_str(f->buf) : STR("");
    f->record.complete = true;
    f->record.length = f->total;
    if (!f->begun) return write_first(f, body, STR(""));
    int err = body.n ? write_rest(f, body, STR("")) : 0;
    if (err) return err;
    store_record_put(f->texts, &f->record);
    store_record_peek(str_make(f->texts, f->record.size), &f->record);
    struct iovec iov = {f->texts, f->record.size};
    return store_file_write(f->fd, &iov, 1, 0);
}

static bool was_purged(const store_fill_t *f)
{
    const store_record_t *r = &f->record;
    store_suspect_t suspect = {.born = r->born,
                               .key_hash = f->key.hash[0],
                               .key = r->key,
                               .tags = r->tags.p,
                               .tag_count = store_record_tags(r)};
    return store_purge_check(f->store->shared->purge, &suspect) != STORE_GOOD ||
           __atomic_load_n(&f->row->doomed, __ATOMIC_SEQ_CST);
}

static int publish(store_fill_t *f)
{
    store_t *s = f->store;
    store_entry_t e = entry_of(f), gone;
    store_file_t name = store_zone_file(&e);
    store_put_t out;
    int err = store_file_publish(&s->dir, &name);
    if (err) return err;
    bool put = store_index_put(s->shared->index, &e, &out) != STORE_NO_ENTRY;
    if (!put) store_zone_clear(s, &e);
    if (out.replaced.id != e.id) store_zone_clear(s, &out.replaced);
    store_zone_evicted(s, &out.evicted);
    while (put && store_index_thin(s->shared->index, e.key, e.vary, VARIANTS_MOST, &gone))
        store_zone_clear(s, &gone);
    return put ? 0 : -ESTALE;
}

static int judge(const store_fill_t *f)
{
    if (f->err) return f->err;
    if (!f->texts) return -EINVAL;
    if (f->length >= 0 && f->total != (uint64_t)f->length) return -EPIPE;
    return 0;
}

int store_fill_commit(store_fill_t *f)
{
    int err = judge(f);
    if (!err && (err = write_whole(f)) != 0) failed(f, err);
    if (!err && was_purged(f)) err = -ESTALE; /* those who read along have all of it */
    if (!err && (err = publish(f)) != 0 && err != -ESTALE) failed(f, err);
    if (err) {
        store_fill_abandon(f);
        return err;
    }
    STORE_COUNT(f->store, stored);
    end(f);
    return 0;
}

void store_fill_pass(store_fill_t *f, unsigned seconds)
{
    store_put_t out;
    store_entry_t e = {.key = {f->key.hash[0], f->key.hash[1]},
                       .variant = STORE_VARIANT_PASS,
                       .kind = STORE_KIND_PASS,
                       .used = (uint32_t)clock_unix(),
                       .until = (uint32_t)clock_unix() + seconds};
    store_index_put(f->store->shared->index, &e, &out);
    store_zone_evicted(f->store, &out.evicted);
    drop_file(f);
    end(f);
}

/* --- after a 304 --- */

static int renew(store_fill_t *f, const store_object_t *o, str_t head)
{
    store_record_t r;
    store_entry_t e;
    if (!store_index_copy(f->store->shared->index, o->entry, &e) || e.id != o->id ||
        !store_record_peek(o->record, &r))
        return -ESTALE;
    r.head = head;
    r.born = f->row->born;
    r.stored = (uint32_t)clock_unix();
    r.stale = false;
    return store_renew(f->store, o->entry, &e, &r);
}

int store_fill_refresh(store_fill_t *f, store_object_t *o, str_t head)
{
    int err;
    do err = renew(f, o, head);
    while (err == -EAGAIN);
    if (!err) STORE_COUNT(f->store, refreshed);
    else store_remove(o);
    end(f);
    return err;
}
