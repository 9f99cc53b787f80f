#include "modules/gzip/policy.h"

#include "core/base/clock.h"
#include "http/negotiate.h"

/* --- the reply --- */

static const str_t usual_types[] = {
    STR_INIT("text/plain"),
    STR_INIT("text/css"),
    STR_INIT("text/javascript"),
    STR_INIT("text/xml"),
    STR_INIT("text/csv"),
    STR_INIT("text/markdown"),
    STR_INIT("text/calendar"),
    STR_INIT("text/vtt"),
    STR_INIT("application/javascript"),
    STR_INIT("application/x-javascript"),
    STR_INIT("application/json"),
    STR_INIT("application/ld+json"),
    STR_INIT("application/geo+json"),
    STR_INIT("application/problem+json"),
    STR_INIT("application/manifest+json"),
    STR_INIT("application/xml"),
    STR_INIT("application/xhtml+xml"),
    STR_INIT("application/rss+xml"),
    STR_INIT("application/atom+xml"),
    STR_INIT("image/svg+xml"),
};

static bool has_type(const str_t *types, size_t n, str_t type)
{
    for (size_t i = 0; i < n; i++)
        if (str_ieq(types[i], type) || str_eq(types[i], STR("*"))) return true;
    return false;
}

static bool fits_type(str_t content_type, const gzip_conf_t *c)
{
    str_t type = str_trim(str_sub(content_type, 0, str_find(content_type, 0, ';')));
    if (str_ieq(type, STR("text/html"))) return true;
    return c->types.n ? has_type(c->types.v, c->types.n, type)
                      : type.n && has_type(usual_types, sizeof(usual_types) / sizeof(str_t), type);
}

/* The reply's content stands for itself: no part of something, no message about something else. */
static bool fits_status(const reply_t *p)
{
    if (p->status < 200 || (p->status >= 300 && p->status < 400)) return false;
    if (p->status == 204 || p->status == 205 || p->status == 206) return false;
    return !header_get(&p->headers, HEADER_CONTENT_RANGE);
}

/* RFC 9111 5.2.1.6, 5.2.2.6 */
static bool may_transform(const request_t *r)
{
    return !header_has_token(&r->reply.headers, HEADER_CACHE_CONTROL, STR("no-transform")) &&
           !header_has_token(&r->head.headers, HEADER_CACHE_CONTROL, STR("no-transform"));
}

bool policy_compresses(const request_t *r, const gzip_conf_t *c)
{
    const reply_t *p = &r->reply;
    bool too_short = p->length == 0 || (p->length > 0 && (uint64_t)p->length < c->min_length);
    return !too_short && fits_status(p) && fits_type(p->content_type, c) &&
           !header_get(&p->headers, HEADER_CONTENT_ENCODING) && may_transform(r);
}

bool policy_decompresses(const request_t *r)
{
    const header_list_t *list = &r->reply.headers;
    const header_t *h = header_get(list, HEADER_CONTENT_ENCODING);
    return h && !header_next(list, HEADER_CONTENT_ENCODING, h) &&
           negotiate_coding(h->value) == CODING_GZIP && fits_status(&r->reply) && may_transform(r);
}

/* --- the client --- */

/* A limit that was hit means that nothing is known: then no. */
static bool is_disabled(const request_t *r, const gzip_conf_t *c)
{
    str_t agent = header_value(&r->head.headers, HEADER_USER_AGENT);
    if (!agent.p) return false;
    for (uint32_t i = 0; i < c->disable.n; i++)
        if (regex_match(c->disable.v[i], agent, NULL) != 0) return true;
    return false;
}

static bool has_expired(const reply_t *p, str_t expires)
{
    time_t at = clock_parse_http_date(expires);
    time_t now = p->date.p ? clock_parse_http_date(p->date) : clock_unix();
    return at < now; /* a bad date is -1, and in the past (RFC 9111 5.3) */
}

/* Whether Cache-Control has one of the directives that were asked for, with or without fields. */
static bool is_kept_out(const header_list_t *list, unsigned wanted)
{
    static const struct {
        str_t name;
        unsigned bit;
    } known[] = {{STR_INIT("no-cache"), GZIP_PROXIED_NO_CACHE},
                 {STR_INIT("no-store"), GZIP_PROXIED_NO_STORE},
                 {STR_INIT("private"), GZIP_PROXIED_PRIVATE}};
    const header_t *h = NULL;
    while ((h = header_next(list, HEADER_CACHE_CONTROL, h))) {
        str_t rest = h->value, element;
        while (header_element(&rest, &element)) {
            str_t name = str_trim(str_sub(element, 0, str_find(element, 0, '=')));
            for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (wanted & known[i].bit && str_ieq(name, known[i].name)) return true;
        }
    }
    return false;
}

/* What gzip_proxied says of a reply that goes to a proxy. One that says nothing of its own caching
   is compressed unless it has a validator that it should not have. */
static bool fits_proxy(const request_t *r, unsigned proxied)
{
    const header_list_t *list = &r->reply.headers;
    const header_t *expires = header_get(list, HEADER_EXPIRES);
    if (!proxied || proxied & GZIP_PROXIED_ANY) return proxied;
    if (proxied & GZIP_PROXIED_AUTH && header_get(&r->head.headers, HEADER_AUTHORIZATION))
        return true;
    if (expires && proxied & GZIP_PROXIED_EXPIRED && has_expired(&r->reply, expires->value))
        return true;
    if (is_kept_out(list, proxied)) return true;
    if (expires || header_get(list, HEADER_CACHE_CONTROL)) return false;
    if (proxied & GZIP_PROXIED_NO_LAST_MODIFIED && header_get(list, HEADER_LAST_MODIFIED))
        return false;
    return !(proxied & GZIP_PROXIED_NO_ETAG && header_get(list, HEADER_ETAG));
}

bool policy_wanted(const request_t *r, const gzip_conf_t *c)
{
    static const coding_t offered[] = {CODING_GZIP};
    const header_list_t *list = &r->head.headers;
    if (!header_get(list, HEADER_ACCEPT_ENCODING)) return false;
    if (r->head.minor == 0 && c->http_version == GZIP_HTTP_11) return false;
    negotiate_t n = negotiate_read(list);
    if (negotiate_choose(&n, offered, 1) != CODING_GZIP) return false;
    if (header_get(list, HEADER_VIA) && !fits_proxy(r, c->proxied)) return false;
    return !is_disabled(r, c);
}

bool policy_refused(const request_t *r, const gzip_conf_t *c)
{
    negotiate_t n = negotiate_read(&r->head.headers);
    return n.weight[CODING_GZIP] == 0 || is_disabled(r, c);
}
