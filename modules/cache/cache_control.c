#include "modules/cache/cache_control.h"

#include "modules/cache/structured.h"

const str_t cache_control_targets[1] = {STR_INIT("CDN-Cache-Control")};

/* How the argument of a directive is given: none, in either syntax; or one that cannot be read. */
typedef struct argument {
    bool given, bad;
    str_t text;
} argument_t;

typedef enum kind { FLAG, SECONDS, SECONDS_OR_ALL, FIELDS } kind_t;

typedef struct directive {
    str_t name;
    kind_t kind;
    unsigned flag; /* of FLAG and FIELDS */
    size_t field;  /* the offset in cache_control_t, of the others */
} directive_t;

/* Flags that make a cache do more; those do not count when malformed. */
enum { LIBERAL = CACHE_CONTROL_PUBLIC | CACHE_CONTROL_MUST_UNDERSTAND | CACHE_CONTROL_IMMUTABLE };

#define AT(name) offsetof(cache_control_t, name)

static const directive_t directives[] = {
    {STR_INIT("max-age"), SECONDS, 0, AT(max_age)},
    {STR_INIT("s-maxage"), SECONDS, 0, AT(s_maxage)},
    {STR_INIT("no-cache"), FIELDS, CACHE_CONTROL_NO_CACHE, AT(no_cache_fields)},
    {STR_INIT("no-store"), FLAG, CACHE_CONTROL_NO_STORE, 0},
    {STR_INIT("private"), FIELDS, CACHE_CONTROL_PRIVATE, AT(private_fields)},
    {STR_INIT("public"), FLAG, CACHE_CONTROL_PUBLIC, 0},
    {STR_INIT("must-revalidate"), FLAG, CACHE_CONTROL_MUST_REVALIDATE, 0},
    {STR_INIT("proxy-revalidate"), FLAG, CACHE_CONTROL_PROXY_REVALIDATE, 0},
    {STR_INIT("must-understand"), FLAG, CACHE_CONTROL_MUST_UNDERSTAND, 0},
    {STR_INIT("no-transform"), FLAG, CACHE_CONTROL_NO_TRANSFORM, 0},
    {STR_INIT("immutable"), FLAG, CACHE_CONTROL_IMMUTABLE, 0},
    {STR_INIT("stale-while-revalidate"), SECONDS, 0, AT(stale_while_revalidate)},
    {STR_INIT("stale-if-error"), SECONDS, 0, AT(stale_if_error)},
    {STR_INIT("only-if-cached"), FLAG, CACHE_CONTROL_ONLY_IF_CACHED, 0},
    {STR_INIT("max-stale"), SECONDS_OR_ALL, 0, AT(max_stale)},
    {STR_INIT("min-fresh"), SECONDS, 0, AT(min_fresh)},
};

static const cache_control_t nothing = {
    .max_age = CACHE_CONTROL_NONE,
    .s_maxage = CACHE_CONTROL_NONE,
    .stale_while_revalidate = CACHE_CONTROL_NONE,
    .stale_if_error = CACHE_CONTROL_NONE,
    .max_stale = CACHE_CONTROL_NONE,
    .min_fresh = CACHE_CONTROL_NONE,
};

static const directive_t *find(str_t name)
{
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++)
        if (str_ieq(directives[i].name, name)) return &directives[i];
    return NULL;
}

static void *at(cache_control_t *cc, const directive_t *d)
{
    return (char *)cc + d->field;
}

bool cache_control_seconds(str_t s, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_digit(s.p[i])) return false;
        v = v * 10 + (s.p[i] - '0');
        if (v > CACHE_CONTROL_MAX) v = CACHE_CONTROL_MAX;
    }
    if (s.n == 0) return false;
    *out = v;
    return true;
}

static int64_t seconds_of(const directive_t *d, const argument_t *arg)
{
    int64_t v = 0;
    if (!arg->given && d->kind == SECONDS_OR_ALL) return CACHE_CONTROL_MAX;
    if (arg->given && !arg->bad && cache_control_seconds(arg->text, &v)) return v;
    return 0;
}

/* A list with no field in it could only mean that none is free: it counts as no list. */
static void add_fields(pool_t *pool, const directive_t *d, const argument_t *arg,
                       cache_control_t *cc)
{
    str_t *fields = at(cc, d), rest = arg->text, first;
    if (!arg->given || arg->bad || !header_element(&rest, &first)) {
        cc->flags |= d->flag;
        return;
    }
    if (fields->n) *fields = pool_concat(pool, pool_concat(pool, *fields, STR(", ")), arg->text);
    else *fields = arg->text;
}

static void apply(pool_t *pool, const directive_t *d, const argument_t *arg, cache_control_t *cc)
{
    if (d->kind == FLAG) {
        if (!arg->bad || !(d->flag & LIBERAL)) cc->flags |= d->flag;
    } else if (d->kind == FIELDS) {
        add_fields(pool, d, arg, cc);
    } else {
        int64_t *seconds = at(cc, d);
        if (*seconds == CACHE_CONTROL_NONE) *seconds = seconds_of(d, arg);
    }
}

static str_t without_backslashes(pool_t *pool, str_t s)
{
    if (str_find(s, 0, '\\') == s.n) return s;
    char *out = pool_bytes(pool, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n) i++;
        out[n++] = s.p[i];
    }
    return str_make(out, n);
}

/* The index of the quote that ends the string beginning at s.p[0], or s.n. */
static size_t closing_quote(str_t s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '"') return i;
        if (s.p[i] == '\\') i++;
    }
    return s.n;
}

/* token or quoted-string behind "=" (RFC 9111 5.2: either, whatever the directive's own form). */
static argument_t argument_of(pool_t *pool, str_t s)
{
    argument_t arg = {.given = true, .text = s};
    if (s.n && s.p[0] == '"') {
        arg.bad = closing_quote(s) + 1 != s.n;
        if (!arg.bad) arg.text = without_backslashes(pool, str_sub(s, 1, s.n - 1));
    }
    return arg;
}

/* Spaces around "=" are an error; the directive is then taken at its most cautious. */
static void parse_directive(pool_t *pool, str_t element, cache_control_t *cc)
{
    argument_t arg = {0};
    size_t equals = str_find(element, 0, '=');
    str_t name = str_sub(element, 0, equals);
    const directive_t *d = find(str_trim(name));
    if (!d) return;
    if (equals < element.n) arg = argument_of(pool, str_sub(element, equals + 1, element.n));
    if (str_trim(name).n != name.n) arg.bad = true;
    apply(pool, d, &arg, cc);
}

static void parse_lines(pool_t *pool, const header_list_t *list, cache_control_t *cc)
{
    const header_t *h = NULL;
    while ((h = header_next(list, HEADER_CACHE_CONTROL, h))) {
        str_t rest = h->value, element;
        while (header_element(&rest, &element)) parse_directive(pool, element, cc);
    }
}

void cache_control_request(pool_t *pool, const header_list_t *request, cache_control_t *out)
{
    *out = nothing;
    if (header_get(request, HEADER_CACHE_CONTROL)) parse_lines(pool, request, out);
    else if (header_has_token(request, HEADER_PRAGMA, STR("no-cache")))
        out->flags = CACHE_CONTROL_NO_CACHE;
}

/* --- targeted fields --- */

/* Seconds are an Integer and nothing else, fields a String or Token (RFC 9213 2.1). */
static argument_t argument_of_member(pool_t *pool, kind_t kind, const structured_member_t *m)
{
    argument_t arg = {.given = m->type != STRUCTURED_BOOLEAN};
    if (kind != FIELDS && m->type == STRUCTURED_INTEGER)
        arg.text = pool_printf(pool, "%lld", (long long)m->number);
    else if (kind == FIELDS && m->type == STRUCTURED_STRING)
        arg.text = without_backslashes(pool, m->text);
    else if (kind == FIELDS && m->type == STRUCTURED_TOKEN)
        arg.text = m->text;
    else
        arg.bad = arg.given;
    return arg;
}

/* The last member of a key counts (RFC 8941 3.2), and "?0" unsays the directive. */
static void apply_member(pool_t *pool, const structured_member_t *m, cache_control_t *cc)
{
    const directive_t *d = find(m->key);
    if (!d) return;
    cc->flags &= ~d->flag;
    if (d->kind == FIELDS) *(str_t *)at(cc, d) = (str_t){NULL, 0};
    else if (d->kind != FLAG) *(int64_t *)at(cc, d) = CACHE_CONTROL_NONE;
    if (m->type == STRUCTURED_BOOLEAN && !m->number) return;
    argument_t arg = argument_of_member(pool, d->kind, m);
    apply(pool, d, &arg, cc);
}

/* Lines are members of one Dictionary; an empty one leaves a comma that nothing follows. */
static bool parse_target(pool_t *pool, const header_list_t *list, str_t name, cache_control_t *cc)
{
    const header_t *h = NULL;
    bool any = false;
    while ((h = header_next_named(list, name, h))) {
        str_t rest = h->value;
        structured_member_t m;
        int r, members = 0;
        for (; (r = structured_member(&rest, &m)) > 0; members++) apply_member(pool, &m, cc);
        if (r < 0 || members == 0) return false;
        any = true;
    }
    return any;
}

void cache_control_response(pool_t *pool, const header_list_t *response, const str_t *targets,
                            size_t n, cache_control_t *out)
{
    for (size_t i = 0; i < n; i++) {
        *out = nothing;
        if (!parse_target(pool, response, targets[i], out)) continue;
        out->flags |= CACHE_CONTROL_TARGETED;
        return;
    }
    *out = nothing;
    parse_lines(pool, response, out);
}

bool cache_control_lists(str_t fields, str_t name)
{
    str_t element;
    while (header_element(&fields, &element))
        if (str_ieq(element, name)) return true;
    return false;
}
