#include "modules/gzip/breach.h"

#include "http/uri.h"

static bool has_secrets(const request_t *r)
{
    const header_list_t *list = &r->head.headers;
    return (header_get(list, HEADER_COOKIE) || header_get(list, HEADER_AUTHORIZATION)) &&
           !header_has_token(&r->reply.headers, HEADER_CACHE_CONTROL, STR("public"));
}

static bool has_words(const request_t *r)
{
    return r->args.n || body_present(r) || r->reply.status >= 400;
}

/* Whether the host of a URL ("https://host:port/...") is the one that was asked. */
static bool is_own(const request_t *r, str_t url)
{
    str_t host;
    uint16_t port;
    size_t at = str_search(url, STR("://"));
    if (at == url.n) return false;
    url = str_sub(url, at + 3, url.n);
    url = str_sub(url, 0, str_find(url, 0, '/'));
    url = str_sub(url, 0, str_find(url, 0, '?'));
    return r->host.n && uri_split_host(url, &host, &port) && str_ieq(host, r->host);
}

static bool is_of_the_site(const request_t *r)
{
    const header_list_t *list = &r->head.headers;
    const header_t *h = header_next_named(list, STR("Sec-Fetch-Site"), NULL);
    if (h) return str_eq(h->value, STR("same-origin")) || str_eq(h->value, STR("none"));
    h = header_get(list, HEADER_ORIGIN);
    if (!h) h = header_get(list, HEADER_REFERER);
    return h && is_own(r, h->value);
}

bool breach_threatens(const request_t *r)
{
    return has_secrets(r) && has_words(r) && !is_of_the_site(r);
}
