#include "modules/gzip/policy.h"

#include "core/base/clock.h"
#include "modules/gzip/codec.h"
#include "modules/gzip/recode.h"

/* What stands first is taken where a client likes several alike: zstd costs the least for what it
   saves, and gzip saves the least. */
static const coding_t preferred[] = {CODING_ZSTD, CODING_BR, CODING_GZIP};

enum { PREFERRED = sizeof(preferred) / sizeof(preferred[0]) };

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
    STR_INIT("application/x-ndjson"),
    STR_INIT("application/xml"),
    STR_INIT("application/yaml"),
};

/* Anything "+json" or "+xml" is written in it (RFC 6839): feeds, SVG, XHTML, problem details. */
static bool is_usual(str_t type)
{
    for (size_t i = 0; i < sizeof(usual_types) / sizeof(usual_types[0]); i++)
        if (str_ieq(usual_types[i], type)) return true;
    str_t tail = str_sub(type, str_find(type, 0, '+'), type.n);
    return str_ieq(tail, STR("+json")) || str_ieq(tail, STR("+xml"));
}

static bool is_listed(const conf_strs_t *types, str_t type)
{
    for (uint32_t i = 0; i < types->n; i++)
        if (str_ieq(types->v[i], type) || str_eq(types->v[i], STR("*"))) return true;
    return false;
}

static bool fits_type(str_t content_type, const conf_strs_t *types)
{
    str_t type = str_trim(str_sub(content_type, 0, str_find(content_type, 0, ';')));
    if (str_ieq(type, STR("text/html"))) return true;
    return types->n ? is_listed(types, type) : is_usual(type);
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

static bool fits(const reply_t *p, const gzip_coding_t *c)
{
    bool too_short = p->length == 0 || (p->length > 0 && (uint64_t)p->length < c->min_length);
    return c->on && !too_short && fits_type(p->content_type, &c->types);
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

/* Whether this client may have it: what gzip's directives say, which are about old proxies and
   agents that have never heard of another coding. Chunks, which any packed reply comes in, are
   HTTP/1.1's. */
static bool may_have(const request_t *r, const gzip_conf_t *c, coding_t coding)
{
    if (coding != CODING_GZIP) return r->head.minor >= 1;
    if (r->head.minor == 0 && c->http_version == GZIP_HTTP_11) return false;
    if (header_get(&r->head.headers, HEADER_VIA) && !fits_proxy(r, c->proxied)) return false;
    return !is_disabled(r, c);
}

policy_t policy_compress(const request_t *r, const gzip_conf_t *c)
{
    const reply_t *p = &r->reply;
    coding_t fitting[PREFERRED], offered[PREFERRED];
    unsigned fit = 0, n = 0;
    for (unsigned i = 0; i < PREFERRED; i++)
        if (fits(p, &c->coding[preferred[i]])) fitting[fit++] = preferred[i];
    if (!fit || !fits_status(p) || header_get(&p->headers, HEADER_CONTENT_ENCODING) ||
        !may_transform(r))
        return (policy_t){.varies = false};
    negotiate_t liked = negotiate_read(&r->head.headers);
    for (unsigned i = 0; i < fit; i++)
        if (liked.weight[fitting[i]] && may_have(r, c, fitting[i])) offered[n++] = fitting[i];
    return (policy_t){.coding = negotiate_choose(&liked, offered, n), .varies = true};
}

static bool might_fit(const reply_t *p, const gzip_coding_t *c)
{
    bool told = p->content_type.p && !str_istarts(p->content_type, STR("multipart/byteranges"));
    return c->on && (!told || fits_type(p->content_type, &c->types));
}

bool policy_varies(const request_t *r, const gzip_conf_t *c)
{
    coding_t coding = recode_coding(&r->reply.headers);
    if (!may_transform(r)) return false;
    if (coding != CODING_IDENTITY) return c->gunzip && codec_of(coding);
    for (unsigned i = 0; i < PREFERRED; i++)
        if (might_fit(&r->reply, &c->coding[preferred[i]])) return true;
    return c->gunzip && r->reply.status == 304; /* which need not tell its coding */
}

bool policy_packs_body(const request_t *r, const gzip_coding_t *c)
{
    const header_list_t *list = &r->head.headers;
    int64_t length = r->body.gathered ? (int64_t)r->body.size : body_length(r);
    bool too_short = length >= 0 && (uint64_t)length < c->min_length;
    return body_present(r) && !too_short && !header_get(list, HEADER_CONTENT_ENCODING) &&
           !header_get(list, HEADER_CONTENT_RANGE) &&
           !header_has_token(list, HEADER_CACHE_CONTROL, STR("no-transform")) &&
           fits_type(header_value(list, HEADER_CONTENT_TYPE), &c->types);
}

policy_t policy_decompress(const request_t *r, const gzip_conf_t *c)
{
    policy_t policy = {.coding = CODING_IDENTITY};
    coding_t coding = recode_coding(&r->reply.headers);
    if (coding == CODING_IDENTITY || !codec_of(coding) || !fits_status(&r->reply) ||
        !may_transform(r))
        return policy;
    policy.varies = true;
    bool takes = negotiate_read(&r->head.headers).weight[coding] > 0;
    if (!takes || (coding == CODING_GZIP && is_disabled(r, c))) policy.coding = coding;
    return policy;
}
