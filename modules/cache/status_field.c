#include "modules/cache/status_field.h"

#include "core/base/strbuf.h"

static const char *const fwd_names[] = {
    [STATUS_FIELD_BYPASS] = "bypass",       [STATUS_FIELD_METHOD] = "method",
    [STATUS_FIELD_URI_MISS] = "uri-miss",   [STATUS_FIELD_VARY_MISS] = "vary-miss",
    [STATUS_FIELD_MISS] = "miss",           [STATUS_FIELD_REQUEST] = "request",
    [STATUS_FIELD_STALE] = "stale",         [STATUS_FIELD_PARTIAL] = "partial",
};

static bool is_token(str_t s)
{
    if (s.n == 0 || !ascii_alpha(s.p[0])) return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (!ascii_alpha(c) && !ascii_digit(c) && !(c && strchr("!#$%&'*+-.^_`|~:/", c)))
            return false;
    }
    return true;
}

/* sf-string (RFC 8941 3.3.3): printable ASCII, with quotes and backslashes escaped. */
static str_t quoted(pool_t *pool, str_t s)
{
    char *out = pool_bytes(pool, 2 * s.n + 2);
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~') continue;
        if (s.p[i] == '"' || s.p[i] == '\\') out[n++] = '\\';
        out[n++] = s.p[i];
    }
    out[n++] = '"';
    return str_make(out, n);
}

static str_t name_of(pool_t *pool, str_t s)
{
    return is_token(s) ? s : quoted(pool, s);
}

static void add_number(strbuf_t *b, str_t name, int64_t n)
{
    char digits[20];
    strbuf_add(b, name);
    if (n < 0) strbuf_put(b, '-');
    strbuf_add(b, str_make(digits, str_put_u64(digits, n < 0 ? -(uint64_t)n : (uint64_t)n)));
}

static void add_forward(strbuf_t *b, const status_field_t *s)
{
    strbuf_add(b, STR("; fwd="));
    strbuf_add(b, str_of(fwd_names[s->fwd]));
    if (s->fwd_status) add_number(b, STR("; fwd-status="), s->fwd_status);
}

str_t status_field_text(pool_t *pool, const status_field_t *s)
{
    strbuf_t b = {.pool = pool};
    strbuf_add(&b, name_of(pool, s->cache));
    if (s->hit) strbuf_add(&b, STR("; hit"));
    else if (s->fwd != STATUS_FIELD_NO_FWD) add_forward(&b, s);
    if (s->has_ttl) add_number(&b, STR("; ttl="), s->ttl);
    if (s->stored) strbuf_add(&b, STR("; stored"));
    if (s->collapsed) strbuf_add(&b, STR("; collapsed"));
    if (s->key.p) strbuf_add(&b, pool_concat(pool, STR("; key="), quoted(pool, s->key)));
    if (s->detail.p) strbuf_add(&b, pool_concat(pool, STR("; detail="), name_of(pool, s->detail)));
    return strbuf_text(&b);
}

str_t status_field_append(pool_t *pool, str_t upstream, const status_field_t *s)
{
    str_t ours = status_field_text(pool, s);
    if (str_trim(upstream).n == 0) return ours;
    return pool_concat(pool, pool_concat(pool, str_trim(upstream), STR(", ")), ours);
}
