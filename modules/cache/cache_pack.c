#include "modules/cache/cache_pack.h"

#include <unistd.h>

#include "modules/cache/cache_pack_large.h"

/* What packing may keep others waiting for; larger bodies are packed as they are sent, and beside
   that once for those who come later. */
enum { LARGEST = 256 * 1024 };

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
    if (store_open(u->conf->store, &u->key, variant, pool, &u->packed) != STORE_HIT) return false;
    if (!entry_read(pool, u->packed.head, &e) || e.base != u->object.id) {
        store_remove(&u->packed);
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

/* Keeps it for the next one, if nobody else is at it. */
static void keep(cache_use_t *u, str_t variant, str_t packed)
{
    store_t *s = u->conf->store;
    pool_t *pool = u->r->pool;
    store_fill_t *fill = NULL;
    store_object_t *other = POOL_NEW(pool, store_object_t);
    entry_t e = {.decide = u->entry.decide, .base = u->object.id};
    store_turn_t turn = store_join(s, &u->key, variant, 0, pool, &u->packed, other, &fill);
    if (turn == STORE_FOLLOWS) store_close(other);
    if (turn != STORE_FILLER) return;
    header_list_init(&e.headers, pool);
    store_response_t response = {.head = entry_write(pool, &e), .vary = store_vary(s, &u->key),
                                 .variant = variant, .length = (int64_t)packed.n};
    if (store_fill_head(fill, &response) < 0 || store_fill_body(fill, packed) < 0)
        store_fill_abandon(fill);
    else
        store_fill_commit(fill);
}

static buf_t *make(cache_use_t *u, coding_t coding, str_t variant)
{
    str_t content;
    buf_t *plain = buf_take((size_t)u->object.length), *packed = NULL;
    if (read_plain(u, plain, &content)) packed = hooks_table.packer->pack(u->r, coding, content);
    buf_return(plain);
    if (packed) keep(u, variant, buf_str(packed));
    return packed;
}

bool cache_pack(cache_use_t *u, buf_t **body)
{
    const hooks_packer_t *packer = hooks_table.packer;
    const store_object_t *o = &u->object;
    *body = NULL;
    if (!packer || o->filling || o->length <= 0) return false;
    u->r->reply.length = o->length;
    coding_t coding = packer->coding(u->r);
    if (coding == CODING_IDENTITY) return false;
    str_t variant = variant_of(u, coding);
    bool there = find(u, variant);
    if (!there && o->length > LARGEST) cache_pack_large(u, coding, variant);
    else if (!there) *body = make(u, coding, variant);
    if (!u->has_packed && !*body) return false;
    packer->head(u->r, coding);
    return true;
}
