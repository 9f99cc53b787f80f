#include "modules/cache/cache_parts.h"

#include "modules/cache/cache_key.h"
#include "modules/cache/cache_slice.h"

enum { FORMAT = 1, PARTS_MAX = 8192 };

/* The head that is stored; behind it a bit for each part. */
typedef struct marks {
    uint64_t length; /* of the whole */
    uint32_t format, parts;
} marks_t;

static uint32_t parts_of(uint64_t length)
{
    uint64_t n = (length + CACHE_SLICE_SIZE - 1) / CACHE_SLICE_SIZE;
    return n <= PARTS_MAX ? (uint32_t)n : 0;
}

static size_t size_of(uint32_t parts)
{
    return sizeof(marks_t) + (parts + 7) / 8;
}

/* A copy of what is stored, in the pool; p NULL: nothing of use. */
static str_t read_marks(store_t *s, const store_key_t *key, pool_t *pool, store_object_t *o)
{
    marks_t m;
    str_t head = {NULL, 0};
    if (store_open(s, key, STR(""), pool, o) != STORE_HIT) return head;
    if (o->head.n > sizeof(m) && !o->stale) {
        memcpy(&m, o->head.p, sizeof(m));
        bool good = m.format == FORMAT && m.parts && m.parts == parts_of(m.length) &&
                    o->head.n == size_of(m.parts);
        if (good) head = pool_str(pool, o->head);
    }
    store_close(o);
    return head;
}

static bool is_of(str_t head, uint64_t length)
{
    marks_t m;
    if (!head.p) return false;
    memcpy(&m, head.p, sizeof(m));
    return m.length == length;
}

static char *new_marks(pool_t *pool, uint64_t length, uint32_t parts)
{
    marks_t m = {.length = length, .format = FORMAT, .parts = parts};
    char *bytes = pool_bytes(pool, size_of(parts));
    memset(bytes, 0, size_of(parts));
    memcpy(bytes, &m, sizeof(m));
    return bytes;
}

/* Who comes second does without: it is a hint. */
static void write_marks(store_t *s, const store_key_t *key, pool_t *pool, str_t whole,
                        const store_object_t *seen, str_t head)
{
    store_fill_t *fill = NULL;
    store_object_t *o = POOL_NEW(pool, store_object_t);
    store_turn_t turn = store_join(s, key, STR(""), NULL, pool, seen, o, &fill);
    store_response_t response = {.head = head, .tags = &whole, .tag_count = 1};
    if (turn == STORE_FOLLOWS) store_close(o);
    if (turn != STORE_FILLER) return;
    if (store_fill_head(fill, &response) < 0) store_fill_abandon(fill);
    else store_fill_commit(fill);
}

void cache_parts_note(store_t *s, pool_t *pool, str_t whole, const range_t *part, uint64_t length)
{
    str_t text = cache_key_parts(pool, whole);
    uint32_t parts = parts_of(length), i = (uint32_t)(part->from / CACHE_SLICE_SIZE);
    if (!text.p || i >= parts || part->n != CACHE_SLICE_SIZE) return;
    store_key_t key = store_key(text);
    store_object_t *seen = POOL_NEW(pool, store_object_t);
    str_t head = read_marks(s, &key, pool, seen);
    char *bytes = is_of(head, length) ? (char *)head.p : new_marks(pool, length, parts);
    char *bits = bytes + sizeof(marks_t);
    if (bits[i / 8] & 1 << i % 8) return;
    bits[i / 8] = (char)(bits[i / 8] | 1 << i % 8);
    write_marks(s, &key, pool, whole, seen, str_make(bytes, size_of(parts)));
}

bool cache_parts_suffice(const cache_use_t *u)
{
    str_t text = cache_key_parts(u->r->pool, u->whole);
    if (!text.p) return false;
    store_object_t *o = POOL_NEW(u->r->pool, store_object_t);
    store_key_t key = store_key(text);
    str_t head = read_marks(u->conf->zone.store, &key, u->r->pool, o);
    if (!head.p) return false;
    marks_t m;
    uint32_t there = 0;
    memcpy(&m, head.p, sizeof(m));
    for (size_t i = sizeof(m); i < head.n; i++)
        there += (uint32_t)__builtin_popcount((unsigned char)head.p[i]);
    return 2 * there >= m.parts;
}
