#include "http/header.h"

#include "http/scan.h"

/* CAP_FIRST fields fit into a quarter of a pool block. */
enum { SLOTS = 256, NAME_MIN = 2, NAME_MAX = 32, CAP_FIRST = 24 };

static const str_t canonical[HEADER_ID_COUNT] = {
#define X(id, name) [HEADER_##id] = STR_INIT(name),
    HEADER_NAMES(X)
#undef X
};

_Static_assert(HEADER_ID_COUNT <= SLOTS / 2, "the table of names must stay sparse");

/* Open addressing over `slots`, filled at start; a slot holds an id, HEADER_OTHER ends a probe. */
static uint8_t slots[SLOTS];
static char lower[HEADER_ID_COUNT][NAME_MAX];

/* The factors give every name in the table a slot of its own (today; a clash costs a probe). */
static unsigned slot_of(str_t name)
{
    unsigned first = (unsigned char)name.p[0] | 0x20u;
    unsigned middle = (unsigned char)name.p[name.n / 2] | 0x20u;
    unsigned last = (unsigned char)name.p[name.n - 1] | 0x20u;
    return ((unsigned)name.n * 24 + first * 15 + middle * 2 + last) % SLOTS;
}

static __attribute__((constructor)) void fill_slots(void)
{
    for (unsigned id = 1; id < HEADER_ID_COUNT; id++) {
        for (size_t i = 0; i < canonical[id].n; i++) lower[id][i] = ascii_lower(canonical[id].p[i]);
        unsigned at = slot_of(canonical[id]);
        while (slots[at]) at = (at + 1) % SLOTS;
        slots[at] = (uint8_t)id;
    }
}

/*
 * Whether 8 (or 4) bytes of a name are those of `low`, which has only lower-case letters, digits
 * and "-": of these only letters have bit 0x40, and only in a letter is the case bit ignored.
 */
static bool same8(const char *name, const char *low)
{
    uint64_t a, b;
    memcpy(&a, name, sizeof(a));
    memcpy(&b, low, sizeof(b));
    return (a | (b >> 1 & 0x2020202020202020u)) == b;
}

static bool same4(const char *name, const char *low)
{
    uint32_t a, b;
    memcpy(&a, name, sizeof(a));
    memcpy(&b, low, sizeof(b));
    return (a | (b >> 1 & 0x20202020u)) == b;
}

static bool same_few(str_t name, const char *low)
{
    for (size_t i = 0; i < name.n; i++)
        if ((name.p[i] | (low[i] >> 1 & 0x20)) != low[i]) return false;
    return true;
}

/* By words, the last of which overlaps the one before. */
static bool same(str_t name, const char *low)
{
    size_t n = name.n, i = 0;
    if (n < 4) return same_few(name, low);
    if (n < 8) return same4(name.p, low) && same4(name.p + n - 4, low + n - 4);
    for (; i + 8 < n; i += 8)
        if (!same8(name.p + i, low + i)) return false;
    return same8(name.p + n - 8, low + n - 8);
}

header_id_t header_id(str_t name)
{
    if (name.n < NAME_MIN || name.n > NAME_MAX) return HEADER_OTHER;
    for (unsigned at = slot_of(name); slots[at]; at = (at + 1) % SLOTS) {
        unsigned id = slots[at];
        if (canonical[id].n == name.n && same(name, lower[id])) return (header_id_t)id;
    }
    return HEADER_OTHER;
}

str_t header_name(header_id_t id)
{
    return canonical[id];
}

void header_list_init(header_list_t *list, pool_t *pool)
{
    *list = (header_list_t){.pool = pool};
}

void header_list_clear(header_list_t *list)
{
    list->n = 0;
    memset(list->first, 0, sizeof(list->first));
}

static __attribute__((noinline, cold)) void grow(header_list_t *list)
{
    unsigned cap = list->cap ? list->cap * 2u : CAP_FIRST;
    if (cap > UINT16_MAX) cap = UINT16_MAX;
    header_t *v = pool_alloc(list->pool, cap * sizeof(*v));
    if (list->n) memcpy(v, list->v, list->n * sizeof(*v));
    list->v = v;
    list->cap = (uint16_t)cap;
}

bool header_add_as(header_list_t *list, header_id_t id, str_t name, str_t value)
{
    if (list->n == UINT16_MAX) return false;
    if (list->n == list->cap) grow(list);
    header_t *h = &list->v[list->n++];
    h->name = name;
    h->value = value;
    h->id = id;
    if (id != HEADER_OTHER && list->first[id] == 0) list->first[id] = list->n;
    return true;
}

bool header_add(header_list_t *list, str_t name, str_t value)
{
    return header_add_as(list, header_id(name), name, value);
}

bool header_add_id(header_list_t *list, header_id_t id, str_t value)
{
    return header_add_as(list, id, canonical[id], value);
}

const header_t *header_next(const header_list_t *list, header_id_t id, const header_t *prev)
{
    if (!prev) return header_get(list, id);
    for (const header_t *h = prev + 1; h < list->v + list->n; h++)
        if (h->id == id) return h;
    return NULL;
}

const header_t *header_next_named(const header_list_t *list, str_t name, const header_t *prev)
{
    header_id_t id = header_id(name);
    if (id != HEADER_OTHER) return header_next(list, id, prev);
    for (const header_t *h = prev ? prev + 1 : list->v; h < list->v + list->n; h++)
        if (h->id == HEADER_OTHER && h->name.n && str_ieq(h->name, name)) return h;
    return NULL;
}

static void remove_one(header_t *h)
{
    *h = (header_t){.id = HEADER_OTHER};
}

void header_remove(header_list_t *list, header_id_t id)
{
    if (list->first[id] == 0) return;
    for (header_t *h = &list->v[list->first[id] - 1]; h < list->v + list->n; h++)
        if (h->id == id) remove_one(h);
    list->first[id] = 0;
}

void header_remove_named(header_list_t *list, str_t name)
{
    header_id_t id = header_id(name);
    if (id != HEADER_OTHER) {
        header_remove(list, id);
        return;
    }
    const header_t *h = NULL;
    while ((h = header_next_named(list, name, h))) remove_one(&list->v[h - list->v]);
}

void header_set(header_list_t *list, header_id_t id, str_t value)
{
    header_remove(list, id);
    if (value.p) header_add_id(list, id, value);
}

static bool has_controls(str_t s)
{
    return s.n && scan_text(s.p, s.p, s.p + s.n) != s.p + s.n;
}

str_t header_clean(pool_t *pool, str_t value)
{
    if (!has_controls(value)) return value;
    char *out = pool_memdup(pool, value.p, value.n);
    for (size_t i = 0; i < value.n; i++)
        if (has_controls(str_sub(value, i, i + 1))) out[i] = ' ';
    return str_make(out, value.n);
}

static size_t joined_length(const header_list_t *list, str_t name, size_t separator)
{
    size_t n = 0;
    const header_t *h = NULL;
    while ((h = header_next_named(list, name, h))) n += h->value.n + separator;
    return n;
}

str_t header_join(const header_list_t *list, str_t name)
{
    const header_t *h = header_next_named(list, name, NULL);
    if (!h) return (str_t){NULL, 0};
    if (!header_next_named(list, name, h)) return h->value;
    str_t separator = h->id == HEADER_COOKIE ? STR("; ") : STR(", ");
    char *out = pool_bytes(list->pool, joined_length(list, name, separator.n));
    size_t n = 0;
    for (; h; h = header_next_named(list, name, h)) {
        if (h->value.n) memcpy(out + n, h->value.p, h->value.n);
        n += h->value.n;
        memcpy(out + n, separator.p, separator.n);
        n += separator.n;
    }
    return str_make(out, n - separator.n);
}

/* The length of the element at the front of s: up to a comma outside quotes, or all of it. */
static size_t element_length(str_t s)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < s.n; i++) {
        char c = s.p[i];
        if (c == ',' && !quoted) break;
        if (c == '"') quoted = !quoted;
        if (c == '\\' && quoted && i + 1 < s.n) i++;
    }
    return i;
}

bool header_element(str_t *rest, str_t *element)
{
    while (rest->n) {
        size_t n = element_length(*rest);
        *element = str_trim(str_sub(*rest, 0, n));
        *rest = str_sub(*rest, n < rest->n ? n + 1 : n, rest->n);
        if (element->n) return true;
    }
    return false;
}

bool header_has_token(const header_list_t *list, header_id_t id, str_t token)
{
    for (const header_t *h = header_get(list, id); h; h = header_next(list, id, h)) {
        str_t rest = h->value, element;
        while (header_element(&rest, &element))
            if (str_ieq(element, token)) return true;
    }
    return false;
}

static bool is_digest(str_t name)
{
    static const str_t digests[] = {STR_INIT("Content-MD5"), STR_INIT("Content-Digest"),
                                    STR_INIT("Repr-Digest"), STR_INIT("Digest")};
    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
        if (str_ieq(name, digests[i])) return true;
    return false;
}

void header_remove_digests(header_list_t *list)
{
    for (header_t *h = list->v; h < list->v + list->n; h++)
        if (h->id == HEADER_OTHER && is_digest(h->name)) remove_one(h);
}

/* What is no entity-tag at all goes. */
void header_weaken_etag(header_list_t *list)
{
    str_t etag = header_value(list, HEADER_ETAG);
    if (!etag.p || str_starts(etag, STR("W/"))) return;
    bool strong = etag.n >= 2 && etag.p[0] == '"';
    header_set(list, HEADER_ETAG, strong ? pool_concat(list->pool, STR("W/"), etag)
                                         : (str_t){NULL, 0});
}
