#include "modules/site/expires.h"

#include "core/base/clock.h"

enum { DAY = 24 * 60 * 60 };

/* The two moments that stand for "long ago" and "never", as nginx writes them. */
static const time_t epoch = 1, never = 2145916555; /* Thu, 31 Dec 2037 23:55:55 GMT */

/* --- values --- */

static const char *parse_time(str_t text, int64_t *seconds)
{
    msec_t ms;
    const char *hint = value_msec(text, &ms);
    if (!hint) *seconds = (int64_t)(ms / 1000);
    return hint;
}

const char *expires_parse(str_t text, expires_spec_t *out)
{
    *out = (expires_spec_t){.kind = EXPIRES_OFF};
    if (str_eq(text, STR("off"))) return NULL;
    out->kind = str_eq(text, STR("epoch")) ? EXPIRES_EPOCH
                : str_eq(text, STR("max")) ? EXPIRES_MAX
                                           : EXPIRES_TIME;
    if (out->kind != EXPIRES_TIME) return NULL;
    char sign = text.n ? text.p[0] : '\0';
    if (sign == '+' || sign == '-' || sign == '@') text = str_sub(text, 1, text.n);
    if (sign == '@') out->kind = EXPIRES_DAILY;
    if (parse_time(text, &out->seconds))
        return "for example 1h, -1, @15h30m, epoch, max or off";
    if (sign == '-') out->seconds = -out->seconds;
    bool beyond = out->kind == EXPIRES_DAILY && out->seconds >= DAY;
    return beyond ? "a time of day, up to @23h59m59s" : NULL;
}

bool expires_take(conf_t *cf, const tree_node_t *node, expires_t *out)
{
    expires_spec_t spec;
    unsigned word = node->n - 1;
    str_t text = node->words[word].text;
    out->modified = node->n == 3;
    if (out->modified && !str_eq(node->words[1].text, STR("modified")))
        return conf_error(cf, node, 1, "expires [modified] TIME", "invalid value \"" STR_FMT "\"",
                          STR_ARG(node->words[1].text));
    if (!text_compile(cf, node, word, text, &out->value)) return false;
    if (!text_is_constant(&out->value)) return true;
    const char *hint = expires_parse(text, &spec);
    if (hint)
        return conf_error(cf, node, word, hint, "invalid value \"" STR_FMT "\"", STR_ARG(text));
    if (out->modified && spec.kind == EXPIRES_DAILY)
        return conf_error(cf, node, word, NULL, "a time of day cannot be used with modified");
    return true;
}

/* --- replies --- */

/* The next time that the local clock shows so many seconds after midnight. */
static time_t next_daily(int64_t seconds, time_t now)
{
    struct tm tm;
    localtime_r(&now, &tm);
    tm.tm_hour = (int)(seconds / 3600);
    tm.tm_min = (int)(seconds / 60 % 60);
    tm.tm_sec = (int)(seconds % 60);
    tm.tm_isdst = -1;
    time_t at = mktime(&tm);
    if (at > now) return at;
    tm.tm_mday++;
    tm.tm_isdst = -1;
    return mktime(&tm);
}

time_t expires_at(const expires_spec_t *s, bool modified, time_t last_modified, time_t now)
{
    switch (s->kind) {
    case EXPIRES_EPOCH: return epoch;
    case EXPIRES_MAX: return never;
    case EXPIRES_DAILY: return next_daily(s->seconds, now);
    case EXPIRES_TIME:
    case EXPIRES_OFF: break;
    }
    return (modified && last_modified >= 0 ? last_modified : now) + s->seconds;
}

static str_t cache_control(request_t *r, const expires_spec_t *s, time_t at, time_t now)
{
    if (s->kind == EXPIRES_MAX) return STR("max-age=315360000");
    if (s->kind == EXPIRES_EPOCH || at < now) return STR("no-cache");
    return pool_printf(r->pool, "max-age=%lld", (long long)(at - now));
}

void expires_apply(request_t *r, const expires_t *e)
{
    header_list_t *fields = &r->reply.headers;
    expires_spec_t spec;
    time_t now = clock_unix();
    if (expires_parse(text_eval(&e->value, r), &spec) || spec.kind == EXPIRES_OFF) return;
    str_t modified = header_value(fields, HEADER_LAST_MODIFIED);
    time_t at =
        expires_at(&spec, e->modified, modified.p ? clock_parse_http_date(modified) : -1, now);
    char *date = pool_bytes(r->pool, CLOCK_HTTP_DATE_LEN);
    clock_put_http_date(date, at);
    header_set(fields, HEADER_EXPIRES, str_make(date, CLOCK_HTTP_DATE_LEN));
    header_set(fields, HEADER_CACHE_CONTROL, cache_control(r, &spec, at, now));
}
