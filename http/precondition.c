#include "http/precondition.h"

#include "core/base/clock.h"

typedef enum compare { COMPARE_WEAK, COMPARE_STRONG } compare_t; /* RFC 9110 8.8.3.2 */

typedef struct etag {
    str_t opaque; /* with quotes */
    bool weak;
} etag_t;

static bool is_etag_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

/* Takes an entity-tag off the front of *s. */
static bool take_etag(str_t *s, etag_t *out)
{
    size_t at = str_starts(*s, STR("W/")) ? 2 : 0, end = at + 1;
    out->weak = at > 0;
    if (at >= s->n || s->p[at] != '"') return false;
    while (end < s->n && is_etag_byte(s->p[end])) end++;
    if (end >= s->n || s->p[end] != '"') return false;
    out->opaque = str_sub(*s, at, end + 1);
    *s = str_sub(*s, end + 1, s->n);
    return true;
}

static bool same_etag(const etag_t *a, const etag_t *b, compare_t how)
{
    return (how == COMPARE_WEAK || (!a->weak && !b->weak)) && str_eq(a->opaque, b->opaque);
}

/* Whether one of the list is ours; what follows a malformed member is not looked at. */
static bool list_has(str_t list, const etag_t *ours, compare_t how)
{
    for (;;) {
        etag_t theirs;
        while (list.n && (list.p[0] == ',' || list.p[0] == ' ' || list.p[0] == '\t'))
            list = str_sub(list, 1, list.n);
        if (!take_etag(&list, &theirs)) return false;
        list = str_trim(list);
        if (list.n && list.p[0] != ',') return false;
        if (ours->opaque.p && same_etag(&theirs, ours, how)) return true;
    }
}

/* If-Match and If-None-Match: "*", or lists in any number of lines. */
static bool names_ours(const header_list_t *request, header_id_t id, str_t our_etag, compare_t how)
{
    etag_t ours = {0};
    if (our_etag.p && !take_etag(&our_etag, &ours)) ours.opaque.p = NULL;
    for (const header_t *h = header_next(request, id, NULL); h; h = header_next(request, id, h))
        if (str_eq(h->value, STR("*")) || list_has(h->value, &ours, how)) return true;
    return false;
}

/* The value of a field that may be given once only; p NULL when it is not, or several times. */
static str_t only_value(const header_list_t *request, header_id_t id)
{
    const header_t *h = header_get(request, id);
    return h && !header_next(request, id, h) ? h->value : (str_t){NULL, 0};
}

/* -1: not given, several times, or malformed. */
static time_t date_of(const header_list_t *request, header_id_t id)
{
    str_t value = only_value(request, id);
    return value.p ? clock_parse_http_date(value) : -1;
}

/* Steps 1 and 2 of RFC 9110 13.2.2. */
static bool fails_match(const header_list_t *request, const precondition_target_t *t)
{
    if (header_get(request, HEADER_IF_MATCH))
        return !names_ours(request, HEADER_IF_MATCH, t->etag, COMPARE_STRONG);
    if (!header_get(request, HEADER_IF_UNMODIFIED_SINCE) || t->last_modified < 0) return false;
    time_t date = date_of(request, HEADER_IF_UNMODIFIED_SINCE);
    return date >= 0 && t->last_modified > date;
}

static bool unmodified_since(const header_list_t *request, const precondition_target_t *t)
{
    if (t->since == PRECONDITION_SINCE_OFF || t->last_modified < 0) return false;
    time_t date = date_of(request, HEADER_IF_MODIFIED_SINCE);
    if (date < 0) return false;
    return t->since == PRECONDITION_SINCE_EXACT ? date == t->last_modified
                                                : t->last_modified <= date;
}

/* Steps 3 and 4: whether the client has what there is. */
static bool is_known(const header_list_t *request, bool reads, const precondition_target_t *t)
{
    if (header_get(request, HEADER_IF_NONE_MATCH))
        return names_ours(request, HEADER_IF_NONE_MATCH, t->etag, COMPARE_WEAK);
    return reads && header_get(request, HEADER_IF_MODIFIED_SINCE) && unmodified_since(request, t);
}

/* RFC 9110 13.1.5. */
static bool if_range_holds(str_t value, const precondition_target_t *t)
{
    etag_t theirs, ours;
    str_t etag = t->etag;
    if (value.n && (value.p[0] == '"' || value.p[0] == 'W'))
        if (take_etag(&value, &theirs))
            return value.n == 0 && etag.p && take_etag(&etag, &ours) &&
                   same_etag(&theirs, &ours, COMPARE_STRONG);
    time_t date = clock_parse_http_date(value);
    return date >= 0 && date == t->last_modified && date < t->now;
}

/* Step 5. */
static bool range_counts(const header_list_t *request, parse_method_t method,
                         const precondition_target_t *t)
{
    if (method != METHOD_GET || !only_value(request, HEADER_RANGE).p) return false;
    if (!header_get(request, HEADER_IF_RANGE)) return true;
    str_t value = only_value(request, HEADER_IF_RANGE);
    return value.p && if_range_holds(value, t);
}

precondition_t precondition_check(const header_list_t *request, parse_method_t method,
                                  const precondition_target_t *target, bool *range)
{
    bool reads = method == METHOD_GET || method == METHOD_HEAD;
    *range = false;
    if (fails_match(request, target)) return PRECONDITION_FAILED;
    if (is_known(request, reads, target))
        return reads ? PRECONDITION_NOT_MODIFIED : PRECONDITION_FAILED;
    *range = range_counts(request, method, target);
    return PRECONDITION_PASS;
}

bool precondition_asked(const header_list_t *request)
{
    static const header_id_t fields[] = {HEADER_IF_NONE_MATCH, HEADER_IF_MODIFIED_SINCE,
                                         HEADER_RANGE, HEADER_IF_MATCH,
                                         HEADER_IF_UNMODIFIED_SINCE};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (header_get(request, fields[i])) return true;
    return false;
}
