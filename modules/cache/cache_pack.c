#include "modules/cache/cache_pack.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "modules/cache/cache_pack_large.h"

enum {
    LARGEST = 256 * 1024, /* what packing may keep others waiting for; larger bodies are packed by
                             the side, for those who come later */
    PATIENCE_MS = 250,    /* for a body that is being fetched to be whole */
    MAKING_MS = 10000,    /* for another worker that packs it at present: milliseconds of work, and
                             who waits is woken when it dies */
    ROUNDS = 3,
};

/* Behind the variant's text stands the coding, parted by what no field holds. */
static str_t variant_of(const cache_use_t *u, coding_t coding)
{
    return pool_join(u->r->pool, (str_t[]){u->variant, STR("\n"), negotiate_name(coding)}, 3);
}

static void close_packed(void *arg)
{
    cache_use_t *u = arg;
    store_close(&u->packed);
}

/* What was packed before, unless it was made of another body. */
static bool find(cache_use_t *u, str_t variant)
{
    entry_t e;
    pool_t *pool = u->r->pool;
    if (store_open(u->conf->zone.store, &u->key, variant, pool, &u->packed) != STORE_HIT) return false;
    if (!entry_read(pool, u->packed.head, &e) || e.base != u->object.id) {
        store_close(&u->packed);
        return false;
    }
    u->has_packed = true;
    pool_defer(pool, close_packed, u);
    return true;
}

/* All of the plain body: where it stands, or read into b. */
static bool read_plain(cache_use_t *u, buf_t *b, str_t *content)
{
    size_t all = (size_t)u->object.length;
    while (buf_used(b) < all) {
        piece_t piece;
        size_t at = buf_used(b);
        if (store_read(&u->object, at, all - at, UINT64_MAX, &piece) <= 0) return false;
        if (piece.fd < 0 && piece.n == all) {
            *content = str_make(piece.p, piece.n);
            return true;
        }
        ssize_t got = (ssize_t)piece.n;
        if (piece.fd < 0)
            memcpy(b->last, piece.p, piece.n);
        else
            got = pread(piece.fd, b->last, piece.n, piece.at);
        if (got <= 0) return false;
        b->last += got;
    }
    *content = buf_str(b);
    return true;
}

/* --- making it --- */

static bool begin(cache_use_t *u, str_t variant, store_fill_t *fill)
{
    pool_t *pool = u->r->pool;
    entry_t e = {.decide = u->entry.decide, .base = u->object.id};
    header_list_init(&e.headers, pool);
    store_response_t response = {.head = entry_write(pool, &e),
                                 .vary = store_vary(u->conf->zone.store, &u->key),
                                 .variant = variant,
                                 .length = -1};
    return store_fill_head(fill, &response) == 0;
}

/* The turn has been taken, and ends here. NULL: it cannot be packed and kept. */
static buf_t *make(cache_use_t *u, coding_t coding, str_t variant, store_fill_t *fill)
{
    str_t content;
    buf_t *plain = buf_take((size_t)u->object.length), *packed = NULL;
    if (begin(u, variant, fill) && read_plain(u, plain, &content)) {
        store_packed(u->conf->zone.store);
        packed = hooks_table.packer->pack(u->r, coding, content);
    }
    buf_return(plain);
    if (packed && store_fill_body(fill, buf_str(packed)) == 0) store_fill_commit(fill);
    else store_fill_abandon(fill);
    return packed;
}

/* A small body that another request has fetched is whole soon, and then packed once for all who
   have waited for it. */
static bool await_whole(store_object_t *o, uint64_t most_ms)
{
    uint64_t at = 0, until = clock_ms() + most_ms;
    while (o->filling && at <= LARGEST && o->length <= LARGEST) {
        piece_t piece;
        uint64_t now = clock_ms();
        ssize_t got = store_read(o, at, LARGEST + 1, until > now ? until - now : 0, &piece);
        if (got <= 0) break;
        at += (uint64_t)got;
    }
    return !o->filling;
}

/* What there is, or what this request makes, of all that want it in all workers. False: another one
   is at it, or it could not be kept and would be made again and again. */
static bool find_or_make(cache_use_t *u, coding_t coding, str_t variant, buf_t **body)
{
    pool_t *pool = u->r->pool;
    store_t *s = u->conf->zone.store;
    store_wait_t wait = {MAKING_MS, UINT64_MAX};
    store_turn_t turn = STORE_RETRY;
    for (int i = 0; i < ROUNDS && turn == STORE_RETRY; i++) {
        store_fill_t *fill = NULL;
        store_object_t *other = POOL_NEW(pool, store_object_t);
        if (find(u, variant)) return true;
        turn = store_join(s, &u->key, variant, &wait, pool, &u->packed, other, &fill);
        if (turn == STORE_FILLER) return (*body = make(u, coding, variant, fill)) != NULL;
        if (turn != STORE_FOLLOWS) continue;
        await_whole(other, MAKING_MS); /* it is about to be kept */
        store_close(other);
        turn = STORE_RETRY;
    }
    return false;
}

static bool obtain(cache_use_t *u, coding_t coding, buf_t **body)
{
    str_t variant = variant_of(u, coding);
    const store_object_t *o = &u->object;
    if (!await_whole(&u->object, PATIENCE_MS) || o->length == 0) return false;
    if (o->length <= LARGEST) return find_or_make(u, coding, variant, body);
    if (find(u, variant)) return true;
    cache_pack_large(u, coding, variant);
    return false;
}

bool cache_pack(cache_use_t *u, buf_t **body)
{
    const hooks_packer_t *packer = hooks_table.packer;
    reply_t *reply = &u->r->reply;
    *body = NULL;
    bool missed = u->fetched && u->object.filling; /* it is packed as any other that comes by */
    if (!packer || missed || u->r->inner || u->object.length == 0) return false;
    reply->length = u->object.length;
    coding_t coding = packer->coding(u->r);
    if (coding == CODING_IDENTITY) return false;
    bool packed = obtain(u, coding, body);
    packer->head(u->r, packed ? coding : CODING_IDENTITY);
    return packed;
}
