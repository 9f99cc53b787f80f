#include "http/range.h"

#include "core/base/hash.h"

/* --- parsing --- */

/* No file is larger. */
static const uint64_t number_max = INT64_MAX;

/* Digits off the front of *s; what is too large is number_max. False when there are none. */
static bool take_number(str_t *s, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < s->n && ascii_digit(s->p[i]); i++) {
        unsigned digit = (unsigned)(s->p[i] - '0');
        v = v > (number_max - digit) / 10 ? number_max : v * 10 + digit;
    }
    *s = str_sub(*s, i, s->n);
    *out = v;
    return i > 0;
}

typedef enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_GOOD, SPEC_ALL } spec_t;

/* "-500": the last 500 bytes. Of an empty representation that is all, which no 206 can say. */
static spec_t suffix_spec(str_t spec, uint64_t length, range_t *out)
{
    uint64_t n;
    if (!take_number(&spec, &n) || spec.n) return SPEC_BAD;
    if (n == 0) return SPEC_OUTSIDE;
    if (length == 0) return SPEC_ALL;
    if (n > length) n = length;
    *out = (range_t){length - n, n};
    return SPEC_GOOD;
}

/* "0-499", "500-", "-500" (RFC 9110 14.1.2). */
static spec_t take_spec(str_t spec, uint64_t length, range_t *out)
{
    uint64_t first, last = number_max;
    if (spec.n && spec.p[0] == '-') return suffix_spec(str_sub(spec, 1, spec.n), length, out);
    if (!take_number(&spec, &first) || !spec.n || spec.p[0] != '-') return SPEC_BAD;
    spec = str_sub(spec, 1, spec.n);
    if (spec.n && (!take_number(&spec, &last) || spec.n || last < first)) return SPEC_BAD;
    if (first >= length) return SPEC_OUTSIDE;
    if (last >= length) last = length - 1;
    *out = (range_t){first, last - first + 1};
    return SPEC_GOOD;
}

static bool touch(const range_t *a, const range_t *b)
{
    return a->from <= b->from + b->n && b->from <= a->from + a->n;
}

static range_t join(const range_t *a, const range_t *b)
{
    uint64_t from = a->from < b->from ? a->from : b->from;
    uint64_t a_end = a->from + a->n, b_end = b->from + b->n;
    return (range_t){from, (a_end > b_end ? a_end : b_end) - from};
}

/* Adds a range; those it touches are taken up in it, at the place of the first of them. */
static void add_range(pool_t *pool, range_set_t *set, range_t range)
{
    range_t *v = set->ranges.v, wider = range;
    uint32_t place = UINT32_MAX, kept = 0;
    for (uint32_t i = 0; i < set->ranges.n; i++) {
        if (!touch(&range, &v[i])) {
            v[kept++] = v[i];
            continue;
        }
        wider = join(&wider, &v[i]);
        if (place == UINT32_MAX) place = kept++;
    }
    set->ranges.n = kept;
    if (place == UINT32_MAX)
        *VEC_PUSH(pool, &set->ranges) = range;
    else
        v[place] = wider;
}

range_result_t range_parse(pool_t *pool, str_t value, uint64_t length, unsigned max,
                           range_set_t *out)
{
    str_t unit = STR("bytes="), spec;
    unsigned specs = 0;
    bool all = false;
    *out = (range_set_t){.length = length};
    if (!str_istarts(value, unit)) return RANGE_WHOLE;
    for (value = str_sub(value, unit.n, value.n); str_cut(&value, ',', &spec);) {
        range_t range;
        spec = str_trim(spec);
        if (!spec.n) continue;
        if (++specs > max || specs > RANGE_SPECS_MAX) return RANGE_WHOLE;
        spec_t kind = take_spec(spec, length, &range);
        if (kind == SPEC_BAD) return RANGE_WHOLE;
        if (kind == SPEC_GOOD) add_range(pool, out, range);
        all |= kind == SPEC_ALL;
    }
    if (specs == 0 || all) return RANGE_WHOLE;
    return out->ranges.n ? RANGE_PARTIAL : RANGE_UNSATISFIED;
}

/* --- sending --- */

str_t range_content_range(pool_t *pool, const range_t *range, uint64_t length)
{
    return pool_printf(pool, "bytes %llu-%llu/%llu", (unsigned long long)range->from,
                       (unsigned long long)(range->from + range->n - 1),
                       (unsigned long long)length);
}

str_t range_unsatisfied(pool_t *pool, uint64_t length)
{
    return pool_printf(pool, "bytes */%llu", (unsigned long long)length);
}

str_t range_boundary(pool_t *pool)
{
    static uint64_t count;
    uint64_t first = ++count, second = ~first;
    return pool_printf(
        pool, "%016llx%016llx",
        (unsigned long long)hash_bytes(str_make((const char *)&first, sizeof(first))),
        (unsigned long long)hash_bytes(str_make((const char *)&second, sizeof(second))));
}

str_t range_multipart_type(pool_t *pool, str_t boundary)
{
    return pool_concat(pool, STR("multipart/byteranges; boundary="), boundary);
}

static str_t part_head(pool_t *pool, str_t boundary, str_t content_type, const range_t *range,
                       uint64_t length)
{
    str_t where = range_content_range(pool, range, length);
    if (!content_type.p)
        return pool_printf(pool, "\r\n--" STR_FMT "\r\nContent-Range: " STR_FMT "\r\n\r\n",
                           STR_ARG(boundary), STR_ARG(where));
    return pool_printf(pool,
                       "\r\n--" STR_FMT "\r\nContent-Type: " STR_FMT "\r\nContent-Range: " STR_FMT
                       "\r\n\r\n",
                       STR_ARG(boundary), STR_ARG(content_type), STR_ARG(where));
}

static piece_t slice(const piece_t *whole, const range_t *range)
{
    piece_t piece = {.n = (size_t)range->n, .fd = whole->fd};
    if (whole->fd < 0)
        piece.p = whole->p + range->from;
    else
        piece.at = whole->at + (off_t)range->from;
    return piece;
}

piece_t *range_pieces(pool_t *pool, const range_set_t *set, const piece_t *whole, str_t boundary,
                      str_t content_type, unsigned *n, uint64_t *size)
{
    bool several = set->ranges.n > 1;
    piece_t *pieces = POOL_ARRAY(pool, piece_t, 2 * set->ranges.n + 1);
    unsigned count = 0;
    VEC_EACH(const range_t, it, &set->ranges) {
        if (several)
            pieces[count++] =
                PIECE_MEMORY(part_head(pool, boundary, content_type, it, set->length));
        pieces[count++] = slice(whole, it);
    }
    if (several)
        pieces[count++] =
            PIECE_MEMORY(pool_printf(pool, "\r\n--" STR_FMT "--\r\n", STR_ARG(boundary)));
    *n = count;
    *size = 0;
    for (unsigned i = 0; i < count; i++) *size += pieces[i].n;
    return pieces;
}
