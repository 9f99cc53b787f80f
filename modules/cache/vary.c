#include "modules/cache/vary.h"

#include <stdlib.h>

#include "core/base/panic.h"

typedef VEC(str_t) names_t;

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const str_t *)a, *(const str_t *)b);
}

/* Sorts, and keeps one of what is equal; how many are left. */
static uint32_t sort_unique(str_t *v, uint32_t n)
{
    uint32_t kept = 0;
    if (n) qsort(v, n, sizeof(*v), by_bytes);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(v[i], v[kept - 1])) v[kept++] = v[i];
    return kept;
}

void vary_parse(pool_t *pool, const header_list_t *response, vary_t *out)
{
    const header_t *h = NULL;
    *out = (vary_t){0};
    while ((h = header_next(response, HEADER_VARY, h))) {
        str_t rest = h->value, name;
        while (header_element(&rest, &name)) {
            if (str_eq(name, STR("*")) || out->fields.n == VARY_FIELDS_MAX) out->any = true;
            else *VEC_PUSH(pool, &out->fields) = pool_lower(pool, name);
        }
    }
    out->fields.n = sort_unique(out->fields.v, out->fields.n);
}

static str_t join(pool_t *pool, const str_t *v, uint32_t count)
{
    size_t n = 0;
    for (uint32_t i = 0; i < count; i++) n += v[i].n + 1;
    char *out = pool_bytes(pool, n);
    n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i) out[n++] = ',';
        memcpy(out + n, v[i].p, v[i].n);
        n += v[i].n;
    }
    return str_make(out, n);
}

str_t vary_text(pool_t *pool, const vary_t *vary)
{
    return join(pool, vary->fields.v, vary->fields.n);
}

/* Fields whose value is one text, in which commas and spaces are what they are. */
static bool is_single(header_id_t id)
{
    switch (id) {
    case HEADER_USER_AGENT: case HEADER_COOKIE: case HEADER_AUTHORIZATION: case HEADER_REFERER:
    case HEADER_ORIGIN: case HEADER_HOST: case HEADER_IF_MODIFIED_SINCE:
    case HEADER_IF_UNMODIFIED_SINCE:
        return true;
    default:
        return false;
    }
}

/* Lists of weighted names in any case, in any order: what comes first is not preferred for that
   (RFC 9110 12.5.4: "this behavior cannot be relied upon"). */
static bool is_weighted(header_id_t id)
{
    return id == HEADER_ACCEPT_ENCODING || id == HEADER_ACCEPT_LANGUAGE ||
           id == HEADER_ACCEPT_CHARSET;
}

/* A name without the spaces around ";" and without a weight of 1, which is the default. */
static str_t normal_name(pool_t *pool, str_t element)
{
    char *out = pool_bytes(pool, element.n);
    size_t n = 0;
    for (size_t i = 0; i < element.n; i++)
        if (element.p[i] != ' ' && element.p[i] != '\t') out[n++] = element.p[i];
    str_t s = str_make(out, n);
    static const str_t ones[] = {STR_INIT(";q=1.000"), STR_INIT(";q=1.00"), STR_INIT(";q=1.0"),
                                 STR_INIT(";q=1."), STR_INIT(";q=1")};
    for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++)
        if (str_ends(s, ones[i])) s.n -= ones[i].n;
    return str_eq(s, STR("x-gzip")) ? STR("gzip") : s;
}

static void add_elements(pool_t *pool, const header_t *h, names_t *out)
{
    str_t rest = h->value, element;
    while (header_element(&rest, &element)) {
        if (is_weighted(h->id)) element = normal_name(pool, pool_lower(pool, element));
        *VEC_PUSH(pool, out) = element;
    }
}

static str_t normal_value(pool_t *pool, const header_list_t *request, str_t name)
{
    names_t elements = {0};
    const header_t *h = header_next_named(request, name, NULL);
    header_id_t id = h->id;
    for (; h; h = header_next_named(request, name, h)) {
        if (is_single(id)) *VEC_PUSH(pool, &elements) = str_trim(h->value);
        else add_elements(pool, h, &elements);
    }
    if (is_weighted(id)) elements.n = sort_unique(elements.v, elements.n);
    return join(pool, elements.v, elements.n);
}

/* Each field as "name:value\n" or "name\n": no line break can stand in a name or a value. */
str_t vary_key(pool_t *pool, const vary_t *vary, const header_list_t *request)
{
    ASSERT(!vary->any);
    str_t key = STR("");
    VEC_EACH(str_t, name, &vary->fields) {
        key = pool_concat(pool, key, *name);
        if (header_next_named(request, *name, NULL)) {
            key = pool_concat(pool, key, STR(":"));
            key = pool_concat(pool, key, normal_value(pool, request, *name));
        }
        key = pool_concat(pool, key, STR("\n"));
    }
    return key;
}
