#include "modules/cache/entry.h"

#include <stddef.h>

#include "core/base/clock.h"

/* Changes whenever what follows would be misread by another version. */
enum { ENTRY_FORMAT = 2 };

typedef struct fixed {
    uint32_t format;
    uint32_t fields;       /* their number */
    reuse_stored_t decide;
    uint64_t base, tail;
    uint32_t reason, type, no_cache; /* lengths of the texts that come first */
    uint32_t has_type;
    char date[CLOCK_HTTP_DATE_LEN]; /* as it is sent with every hit */
} fixed_t;

typedef struct field {
    uint16_t id;
    uint16_t name; /* length */
    uint32_t value;
} field_t;

/* --- writing --- */

static size_t size_of(const entry_t *e, uint32_t *fields)
{
    size_t n = sizeof(fixed_t) + e->reason.n + e->content_type.n + e->no_cache_fields.n;
    *fields = 0;
    HEADER_EACH(h, &e->headers)
    {
        n += sizeof(field_t) + h->name.n + h->value.n;
        ++*fields;
    }
    return n;
}

static char *put(char *at, const void *p, size_t n)
{
    return n ? mempcpy(at, p, n) : at;
}

static char *put_field(char *at, const header_t *h)
{
    field_t f = {(uint16_t)h->id, (uint16_t)h->name.n, (uint32_t)h->value.n};
    at = put(at, &f, sizeof(f));
    at = put(at, h->name.p, h->name.n);
    return put(at, h->value.p, h->value.n);
}

str_t entry_write(pool_t *pool, const entry_t *e)
{
    fixed_t fixed;
    memset(&fixed, 0, sizeof(fixed)); /* the gaps, too: they are stored */
    size_t n = size_of(e, &fixed.fields);
    fixed.format = ENTRY_FORMAT;
    fixed.decide = e->decide;
    fixed.base = e->base;
    fixed.tail = e->tail;
    fixed.reason = (uint32_t)e->reason.n;
    fixed.type = (uint32_t)e->content_type.n;
    fixed.no_cache = (uint32_t)e->no_cache_fields.n;
    fixed.has_type = e->content_type.p != NULL;
    clock_put_http_date(fixed.date, e->decide.freshness.date);
    char *bytes = pool_bytes(pool, n), *at = put(bytes, &fixed, sizeof(fixed));
    at = put(at, e->reason.p, e->reason.n);
    at = put(at, e->content_type.p, e->content_type.n);
    at = put(at, e->no_cache_fields.p, e->no_cache_fields.n);
    HEADER_EACH(h, &e->headers) at = put_field(at, h);
    return str_make(bytes, n);
}

/* --- reading --- */

static bool take(str_t *rest, void *out, size_t n)
{
    if (rest->n < n) return false;
    memcpy(out, rest->p, n);
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

static bool take_text(str_t *rest, size_t n, str_t *out)
{
    if (rest->n < n) return false;
    *out = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

/* The id that was stored, unless this version calls another field so. */
static header_id_t id_of(const field_t *f, str_t name)
{
    if (f->id == HEADER_OTHER || f->id >= HEADER_ID_COUNT) return header_id(name);
    str_t known = header_name((header_id_t)f->id);
    return str_eq(known, name) || str_ieq(known, name) ? (header_id_t)f->id : header_id(name);
}

static bool take_field(str_t *rest, header_list_t *list)
{
    field_t f;
    str_t name, value;
    if (!take(rest, &f, sizeof(f)) || !take_text(rest, f.name, &name) || !name.n ||
        !take_text(rest, f.value, &value))
        return false;
    return header_add_as(list, id_of(&f, name), name, value);
}

bool entry_read(pool_t *pool, str_t bytes, entry_t *e)
{
    fixed_t fixed;
    size_t at = offsetof(fixed_t, date);
    str_t date = str_sub(bytes, at, at + sizeof(fixed.date));
    if (!take(&bytes, &fixed, sizeof(fixed)) || fixed.format != ENTRY_FORMAT ||
        fixed.decide.status < 200 || fixed.decide.status > ENTRY_STATUS_MAX)
        return false;
    e->decide = fixed.decide;
    e->base = fixed.base;
    e->tail = fixed.tail;
    e->date = date;
    header_list_init(&e->headers, pool);
    if (!take_text(&bytes, fixed.reason, &e->reason) ||
        !take_text(&bytes, fixed.type, &e->content_type) ||
        !take_text(&bytes, fixed.no_cache, &e->no_cache_fields))
        return false;
    if (!fixed.has_type) e->content_type = (str_t){NULL, 0};
    for (uint32_t i = 0; i < fixed.fields; i++)
        if (!take_field(&bytes, &e->headers)) return false;
    return bytes.n == 0;
}
