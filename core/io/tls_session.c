#include "core/io/tls_session.h"

#include <stdlib.h>

#include "core/base/hash.h"
#include "core/base/panic.h"

typedef struct place {
    const SSL_CTX *ctx;
    char *key; /* peer and name */
    size_t n;
    SSL_SESSION *session; /* NULL: free */
} place_t;

static place_t places[TLS_SESSION_PLACES];

static void clear(place_t *p)
{
    SSL_SESSION_free(p->session);
    free(p->key);
    *p = (place_t){.session = NULL};
}

static place_t *place_of(const SSL_CTX *ctx, str_t peer, str_t name)
{
    uint64_t h = (uintptr_t)ctx / 64;
    h = h * 31 + hash_bytes(peer);
    h = h * 31 + hash_bytes(name);
    return &places[h % TLS_SESSION_PLACES];
}

static bool holds(const place_t *p, const SSL_CTX *ctx, str_t peer, str_t name)
{
    return p->session && p->ctx == ctx && p->n == peer.n + name.n &&
           str_eq(str_make(p->key, peer.n), peer) &&
           str_eq(str_make(p->key + peer.n, name.n), name);
}

void tls_session_keep(const SSL_CTX *ctx, str_t peer, str_t name, SSL_SESSION *session)
{
    place_t *p = place_of(ctx, peer, name);
    if (holds(p, ctx, peer, name)) {
        SSL_SESSION_free(p->session);
        p->session = session;
        return;
    }
    clear(p);
    char *key = malloc(peer.n + name.n + 1);
    if (!key) panic("out of memory: TLS session");
    if (peer.n) memcpy(key, peer.p, peer.n);
    if (name.n) memcpy(key + peer.n, name.p, name.n);
    *p = (place_t){ctx, key, peer.n + name.n, session};
}

void tls_session_offer(SSL *ssl, str_t peer, str_t name)
{
    const SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
    place_t *p = place_of(ctx, peer, name);
    if (!holds(p, ctx, peer, name)) return;
    if (SSL_SESSION_is_resumable(p->session)) SSL_set_session(ssl, p->session);
    else clear(p);
}

void tls_session_trim(void)
{
    for (size_t i = 0; i < TLS_SESSION_PLACES; i++) clear(&places[i]);
}
