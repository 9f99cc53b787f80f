#include "modules/cache/cache_pack_large.h"

#include <unistd.h>

#include "core/base/buf.h"
#include "core/io/fiber.h"
#include "core/process/worker.h"

/* What others wait for at one time, and what goes to the file at once. */
enum { PIECE = 16 * 1024, OUT = 64 * 1024 };

typedef struct errand {
    pool_t *pool; /* of all that follows */
    store_t *store;
    store_key_t key;
    str_t plain, variant; /* where the body stands, and where it goes packed */
    uint64_t base;        /* the body's id */
    reuse_stored_t decide;
    void *packer;         /* of hooks_packer_t */
    store_object_t object;
    store_object_t seen;  /* that there is none packed yet */
    store_fill_t *fill;
    buf_t *in, *out;
} errand_t;

static bool busy; /* this worker has one */

static bool write_out(errand_t *e)
{
    int err = store_fill_body(e->fill, buf_str(e->out));
    buf_clear(e->out);
    return err == 0;
}

static bool pack_piece(errand_t *e, str_t content, bool last)
{
    const hooks_packer_t *packer = hooks_table.packer;
    while (!packer->feed(e->packer, &content, last, e->out))
        if (!write_out(e)) return false;
    return !last || write_out(e);
}

/* The bytes of a piece, where they stand or read from its file. */
static bool read_piece(errand_t *e, const piece_t *piece, str_t *content)
{
    *content = str_make(piece->p, piece->n);
    if (piece->fd < 0) return true;
    ssize_t got = pread(piece->fd, e->in->start, piece->n, piece->at);
    *content = str_make(e->in->start, piece->n);
    return got == (ssize_t)piece->n;
}

static bool pack_all(errand_t *e)
{
    uint64_t at = 0, all = (uint64_t)e->object.length;
    while (at < all) {
        piece_t piece;
        str_t content;
        ssize_t got = store_read(&e->object, at, PIECE, UINT64_MAX, &piece);
        if (got <= 0 || !read_piece(e, &piece, &content)) return false;
        at += (uint64_t)got;
        if (!pack_piece(e, content, at == all)) return false;
        fiber_yield();
        if (worker_stopping || fiber_cancelled(fiber_self())) return false;
    }
    return true;
}

/* The same body still, and the turn to pack it. */
static bool open_both(errand_t *e)
{
    store_object_t other;
    if (store_open(e->store, &e->key, e->plain, e->pool, &e->object) != STORE_HIT ||
        e->object.id != e->base)
        return false;
    store_turn_t turn =
        store_join(e->store, &e->key, e->variant, NULL, e->pool, &e->seen, &other, &e->fill);
    if (turn == STORE_FOLLOWS) store_close(&other);
    return turn == STORE_FILLER;
}

static bool begin_fill(errand_t *e)
{
    entry_t entry = {.decide = e->decide, .base = e->base};
    header_list_init(&entry.headers, e->pool);
    store_response_t response = {.head = entry_write(e->pool, &entry),
                                 .vary = store_vary(e->store, &e->key),
                                 .variant = e->variant,
                                 .length = -1};
    if (store_fill_head(e->fill, &response) < 0) return false;
    store_packed(e->store);
    return true;
}

static void end(errand_t *e)
{
    hooks_table.packer->end(e->packer);
    store_close(&e->object);
    buf_return(e->in);
    buf_return(e->out);
    pool_destroy(e->pool);
    worker_release();
    busy = false;
}

static void run(void *arg)
{
    errand_t *e = arg;
    if (open_both(e)) {
        e->in = buf_take(PIECE);
        e->out = buf_take(OUT);
        if (begin_fill(e) && pack_all(e)) store_fill_commit(e->fill);
        else store_fill_abandon(e->fill);
    }
    end(e);
}

void cache_pack_large(cache_use_t *u, coding_t coding, str_t variant)
{
    if (busy || worker_stopping || !worker_has_room() || !worker_hold()) return;
    pool_t *pool = pool_create();
    errand_t *e = POOL_NEW(pool, errand_t);
    *e = (errand_t){.pool = pool,
                    .store = u->conf->zone.store,
                    .key = u->key,
                    .plain = pool_str(pool, u->variant),
                    .variant = pool_str(pool, variant),
                    .base = u->object.id,
                    .decide = u->entry.decide,
                    .object = {.fd = -1},
                    .seen = u->packed};
    e->key.text = pool_str(pool, u->key.text);
    e->packer = hooks_table.packer->begin(u->r, coding, u->object.length);
    busy = true;
    if (!fiber_start(run, e)) end(e);
}
