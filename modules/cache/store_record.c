#include "modules/cache/store_record.h"

#include "core/base/crc32c.h"
#include "modules/cache/store.h"

static const char magic[8] = "proxydC1";

enum { COMPLETE = 1, STALE = 2 };

typedef struct wire {
    char magic[8];
    uint32_t check; /* of everything behind it */
    uint32_t size;  /* of all of the record */
    uint64_t id, variant, length;
    uint32_t body_check, born, stored, room;
    uint32_t key, vary, tags, head; /* bytes of the texts, in this order */
    uint32_t version, flags;
    uint64_t reserved;
} wire_t;

_Static_assert(sizeof(wire_t) == STORE_RECORD_FIXED, "the fixed part of a record");

enum { CHECKED_FROM = offsetof(wire_t, size) };

uint32_t store_record_size(const store_record_t *r)
{
    if (r->key.n > STORE_KEY_MAX || r->vary.n > STORE_VARY_MAX || r->head.n > STORE_HEAD_MAX ||
        r->tags.n > STORE_TAGS_MAX * sizeof(uint64_t))
        return 0;
    return (uint32_t)(sizeof(wire_t) + r->key.n + r->vary.n + r->tags.n + r->head.n);
}

uint32_t store_record_room(uint32_t size)
{
    enum { SPARE = 192 };
    uint32_t n = size + size / 8 + SPARE;
    return (n + STORE_RECORD_ROUND - 1) / STORE_RECORD_ROUND * STORE_RECORD_ROUND;
}

static char *put_text(char *out, str_t s)
{
    if (s.n) memmove(out, s.p, s.n); /* it may be where it is to go */
    return out + s.n;
}

void store_record_put(char *out, const store_record_t *r)
{
    wire_t w = {.size = store_record_size(r),
                .id = r->id,
                .variant = r->variant,
                .length = r->complete ? r->length : 0,
                .body_check = r->body_check,
                .born = r->born,
                .stored = r->stored,
                .room = r->room,
                .key = (uint32_t)r->key.n,
                .vary = (uint32_t)r->vary.n,
                .tags = (uint32_t)r->tags.n,
                .head = (uint32_t)r->head.n,
                .version = r->version,
                .flags = (r->complete ? COMPLETE : 0) | (r->stale ? STALE : 0)};
    memcpy(w.magic, magic, sizeof(magic));
    memcpy(out, &w, sizeof(w));
    char *at = put_text(out + sizeof(w), r->key);
    put_text(put_text(put_text(at, r->vary), r->tags), r->head);
    w.check = crc32c_add(0, str_make(out + CHECKED_FROM, w.size - CHECKED_FROM));
    memcpy(out + offsetof(wire_t, check), &w.check, sizeof(w.check));
}

static str_t take_text(str_t *rest, uint32_t n)
{
    str_t s = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return s;
}

static bool lengths_agree(const wire_t *w, size_t n)
{
    return memcmp(w->magic, magic, sizeof(magic)) == 0 && w->size <= n &&
           w->key <= STORE_KEY_MAX && w->vary <= STORE_VARY_MAX && w->head <= STORE_HEAD_MAX &&
           w->tags <= STORE_TAGS_MAX * sizeof(uint64_t) && w->tags % sizeof(uint64_t) == 0 &&
           w->size == sizeof(*w) + w->key + w->vary + w->tags + w->head;
}

bool store_record_peek(str_t bytes, store_record_t *out)
{
    wire_t w;
    if (bytes.n < sizeof(w)) return false;
    memcpy(&w, bytes.p, sizeof(w));
    if (!lengths_agree(&w, bytes.n)) return false;
    str_t rest = str_sub(bytes, sizeof(w), w.size);
    *out = (store_record_t){.id = w.id,
                            .variant = w.variant,
                            .length = w.length,
                            .body_check = w.body_check,
                            .born = w.born,
                            .stored = w.stored,
                            .room = w.room,
                            .size = w.size,
                            .version = (uint8_t)w.version,
                            .complete = w.flags & COMPLETE,
                            .stale = w.flags & STALE};
    out->key = take_text(&rest, w.key);
    out->vary = take_text(&rest, w.vary);
    out->tags = take_text(&rest, w.tags);
    out->head = rest;
    return true;
}

bool store_record_get(str_t bytes, store_record_t *out)
{
    uint32_t check;
    if (!store_record_peek(bytes, out)) return false;
    memcpy(&check, bytes.p + offsetof(wire_t, check), sizeof(check));
    bool fits = out->room >= out->size && out->room % STORE_RECORD_ROUND == 0 &&
                out->room <= 2 * STORE_RECORD_MOST && out->length <= INT64_MAX / 2;
    return fits &&
           crc32c_add(0, str_make(bytes.p + CHECKED_FROM, out->size - CHECKED_FROM)) == check;
}

/* The second record, when the first is broken and does not tell where it is. */
static bool search_second(str_t bytes, store_record_t *out)
{
    for (size_t at = STORE_RECORD_ROUND; at + sizeof(wire_t) <= bytes.n; at += STORE_RECORD_ROUND)
        if (store_record_get(str_sub(bytes, at, bytes.n), out) && out->room == at) return true;
    return false;
}

bool store_record_find(str_t bytes, store_record_t *out, bool *second)
{
    store_record_t other;
    *second = false;
    if (!store_record_get(bytes, out)) return *second = search_second(bytes, out);
    if (out->room >= bytes.n) return true;
    bool both = store_record_get(str_sub(bytes, out->room, bytes.n), &other) &&
                other.id == out->id && other.room == out->room;
    *second = both && (uint8_t)(other.version - out->version) < 128;
    if (*second) *out = other;
    return true;
}
