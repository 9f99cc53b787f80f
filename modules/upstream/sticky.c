#include "modules/upstream/sticky.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>

#include "core/base/clock.h"
#include "http/var_field.h"

void *sticky_make_secret(slab_t *slab, void *unused)
{
    unsigned char *secret = slab_alloc(slab, STICKY_SECRET);
    (void)unused;
    return secret && RAND_bytes(secret, STICKY_SECRET) == 1 ? secret : NULL;
}

static str_t identity_of(const upstream_peer_t *peer)
{
    return peer->server->route.n ? peer->server->route : peer->name;
}

bool sticky_is(const upstream_peer_t *peer, str_t identity)
{
    return str_eq(identity_of(peer), identity);
}

/* --- the cookie --- */

static str_t secret_of(const sticky_t *s)
{
    return s->secret.p ? s->secret : str_make(s->zone->root, STICKY_SECRET);
}

/* Half of the digest, in hexadecimal digits: UPSTREAM_TOKEN bytes. */
static void make_token(const upstream_t *g, upstream_peer_t *peer)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    const sticky_t *s = g->policy.sticky;
    str_t secret = secret_of(s), group = pool_lower(g->pool, g->name);
    str_t text = pool_printf(g->pool, STR_FMT "%c" STR_FMT, STR_ARG(group), '\n',
                             STR_ARG(identity_of(peer)));
    HMAC(EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)text.p, text.n, digest,
         NULL);
    for (unsigned i = 0; i < UPSTREAM_TOKEN / 2; i++)
        snprintf(peer->token + 2 * i, 3, "%02x", digest[i]);
}

static str_t token_of(const upstream_t *g, upstream_peer_t *peer)
{
    if (!peer->token[0]) make_token(g, peer);
    return str_make(peer->token, UPSTREAM_TOKEN);
}

static bool same_secret(str_t a, str_t b)
{
    return a.n == b.n && CRYPTO_memcmp(a.p, b.p, a.n) == 0;
}

static str_t client_cookie(const sticky_t *s, const request_t *r)
{
    return var_field_cookie(&r->head.headers, HEADER_COOKIE, s->name);
}

static str_t find_by_cookie(const upstream_t *g, const request_t *r)
{
    str_t cookie = client_cookie(g->policy.sticky, r);
    if (cookie.n != UPSTREAM_TOKEN) return (str_t){NULL, 0};
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone && same_secret(token_of(g, *it), cookie)) return identity_of(*it);
    return (str_t){NULL, 0};
}

static str_t add_attribute(request_t *r, str_t cookie, const char *name, const text_t *text)
{
    str_t value = text->set ? text_eval(text, r) : STR("");
    if (value.n == 0 || str_find(value, 0, ';') < value.n) return cookie;
    return pool_printf(r->pool, STR_FMT "; %s=" STR_FMT, STR_ARG(cookie), name, STR_ARG(value));
}

static str_t add_expiry(request_t *r, str_t cookie, msec_t after)
{
    char date[CLOCK_HTTP_DATE_LEN];
    unsigned long long seconds = after / 1000;
    if (after == 0) return cookie;
    clock_put_http_date(date, clock_unix() + (time_t)seconds);
    return pool_printf(r->pool, STR_FMT "; Expires=%.*s; Max-Age=%llu", STR_ARG(cookie),
                       CLOCK_HTTP_DATE_LEN, date, seconds);
}

/* RFC 6265 4.1. The client that has it already is not told again. */
static void set_cookie(const upstream_t *g, upstream_peer_t *peer, request_t *r)
{
    const sticky_t *s = g->policy.sticky;
    str_t token = token_of(g, peer);
    if (same_secret(client_cookie(s, r), token)) return;
    str_t cookie = pool_printf(r->pool, STR_FMT "=" STR_FMT, STR_ARG(s->name), STR_ARG(token));
    cookie = add_expiry(r, cookie, s->expires);
    cookie = add_attribute(r, cookie, "Domain", &s->domain);
    cookie = add_attribute(r, cookie, "Path", &s->path);
    if (s->http_only) cookie = pool_concat(r->pool, cookie, STR("; HttpOnly"));
    if (s->secure) cookie = pool_concat(r->pool, cookie, STR("; Secure"));
    cookie = add_attribute(r, cookie, "SameSite", &s->same_site);
    header_add_id(&r->reply.headers, HEADER_SET_COOKIE, header_clean(r->pool, cookie));
}

/* --- variables --- */

static str_t first_value(const text_list_t *list, request_t *r)
{
    str_t value = {NULL, 0};
    VEC_EACH(text_t, text, list)
        if ((value = text_eval(text, r)).n) return value;
    return value;
}

/* Of servers that have a route= alone: nobody asks for an address. */
static str_t find_by_route(const upstream_t *g, request_t *r)
{
    str_t route = first_value(&g->policy.sticky->lookup, r);
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (route.n && str_eq((*it)->server->route, route)) return route;
    return (str_t){NULL, 0};
}

/* --- sessions --- */

static uint64_t key_of(const upstream_t *g, request_t *r, str_t session)
{
    str_t group = pool_lower(r->pool, g->name);
    return hash_bytes(pool_printf(r->pool, STR_FMT "\n" STR_FMT, STR_ARG(group), STR_ARG(session)));
}

static uint64_t owner_of(const upstream_peer_t *peer)
{
    return hash_bytes(identity_of(peer)) | 1;
}

static str_t find_by_session(const upstream_t *g, request_t *r)
{
    const sticky_t *s = g->policy.sticky;
    str_t session = first_value(&s->lookup, r);
    if (session.n == 0) return (str_t){NULL, 0};
    uint64_t owner = sticky_table_find(s->zone->root, key_of(g, r, session), s->timeout);
    if (owner == 0) return (str_t){NULL, 0};
    VEC_EACH(upstream_peer_t *, it, &g->peers)
        if (!(*it)->gone && owner_of(*it) == owner) return identity_of(*it);
    return (str_t){NULL, 0};
}

static void learn(const upstream_t *g, const upstream_peer_t *peer, request_t *r)
{
    const sticky_t *s = g->policy.sticky;
    str_t session = first_value(&s->create, r);
    if (session.n) sticky_table_put(s->zone->root, key_of(g, r, session), owner_of(peer));
}

/* --- all of them --- */

str_t sticky_find(upstream_t *g, request_t *r)
{
    switch (g->policy.sticky->kind) {
    case STICKY_COOKIE: return find_by_cookie(g, r);
    case STICKY_ROUTE: return find_by_route(g, r);
    case STICKY_LEARN: return find_by_session(g, r);
    }
    return (str_t){NULL, 0};
}

void sticky_answered(const upstream_t *g, upstream_peer_t *peer, request_t *r)
{
    const sticky_t *s = g->policy.sticky;
    if (s->kind == STICKY_COOKIE) set_cookie(g, peer, r);
    if (s->kind == STICKY_LEARN) learn(g, peer, r);
}
