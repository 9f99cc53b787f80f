#include "modules/cache/status_field.h"

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

static void add(pool_t *pool, str_t *text, str_t parameter)
{
    *text = pool_concat(pool, *text, parameter);
}

static void add_forward(pool_t *pool, str_t *text, const status_field_t *s)
{
    add(pool, text, pool_printf(pool, "; fwd=%s", fwd_names[s->fwd]));
    if (s->fwd_status) add(pool, text, pool_printf(pool, "; fwd-status=%u", s->fwd_status));
}

str_t status_field_text(pool_t *pool, const status_field_t *s)
{
    str_t text = name_of(pool, s->cache);
    if (s->hit) add(pool, &text, STR("; hit"));
    else if (s->fwd != STATUS_FIELD_NO_FWD) add_forward(pool, &text, s);
    if (s->has_ttl) add(pool, &text, pool_printf(pool, "; ttl=%lld", (long long)s->ttl));
    if (s->stored) add(pool, &text, STR("; stored"));
    if (s->collapsed) add(pool, &text, STR("; collapsed"));
    if (s->key.p) add(pool, &text, pool_concat(pool, STR("; key="), quoted(pool, s->key)));
    if (!s->detail.p) return text;
    add(pool, &text, pool_concat(pool, STR("; detail="), name_of(pool, s->detail)));
    return text;
}

str_t status_field_append(pool_t *pool, str_t upstream, const status_field_t *s)
{
    str_t ours = status_field_text(pool, s);
    if (str_trim(upstream).n == 0) return ours;
    return pool_concat(pool, pool_concat(pool, str_trim(upstream), STR(", ")), ours);
}
