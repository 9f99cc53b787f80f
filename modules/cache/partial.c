#include "modules/cache/partial.h"

#include "core/base/clock.h"

/* A number off the front of *s up to `end`. */
static bool take_number(str_t *s, char end, uint64_t *out)
{
    size_t n = str_find(*s, 0, end);
    if (n == s->n || !str_to_u64(str_sub(*s, 0, n), out)) return false;
    *s = str_sub(*s, n + 1, s->n);
    return true;
}

bool partial_parse(str_t content_range, partial_t *out)
{
    str_t unit = STR("bytes "), s = str_trim(content_range);
    uint64_t from, last, length;
    if (!str_istarts(s, unit)) return false;
    s = str_sub(s, unit.n, s.n);
    if (!take_number(&s, '-', &from) || !take_number(&s, '/', &last)) return false;
    if (!str_to_u64(s, &length) || length > INT64_MAX || last < from || last >= length)
        return false;
    *out = (partial_t){{from, last - from + 1}, length};
    return true;
}

bool partial_fits(const header_list_t *headers, const range_t *wanted, int64_t body,
                  partial_t *out)
{
    if (!partial_parse(header_value(headers, HEADER_CONTENT_RANGE), out)) return false;
    uint64_t rest = out->length - out->range.from; /* out->range.from is inside */
    return out->range.from == wanted->from &&
           out->range.n == (wanted->n < rest ? wanted->n : rest) &&
           (body < 0 || (uint64_t)body == out->range.n);
}

bool partial_holds(pool_t *pool, const header_list_t *headers, int64_t body, str_t range,
                   partial_t *out)
{
    range_set_t set;
    uint64_t there = (uint64_t)body;
    if (body < 0 || !partial_parse(header_value(headers, HEADER_CONTENT_RANGE), out) ||
        there > out->range.n || range_parse(pool, range, out->length, 1, &set) != RANGE_PARTIAL)
        return false;
    const range_t *wanted = set.ranges.v;
    return wanted->from >= out->range.from && wanted->from - out->range.from <= there &&
           wanted->n <= there - (wanted->from - out->range.from);
}

str_t partial_validator(const header_list_t *headers, time_t date)
{
    str_t etag = str_trim(header_value(headers, HEADER_ETAG));
    str_t modified = str_trim(header_value(headers, HEADER_LAST_MODIFIED));
    time_t t = clock_parse_http_date(modified);
    if (etag.n >= 2 && etag.p[0] == '"') return etag;
    return t >= 0 && t < date ? modified : (str_t){NULL, 0};
}
