#include "modules/upstream/proxy_identity.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/panic.h"

typedef struct identity {
    char *name; /* NULL: none */
    size_t n;
    SSL_CTX *ctx;
    uint64_t made_ms, used_ms;
} identity_t;

struct proxy_identities {
    identity_t all[PROXY_IDENTITIES];
};

static void clear(identity_t *id)
{
    free(id->name);
    SSL_CTX_free(id->ctx);
    *id = (identity_t){.name = NULL};
}

static void clear_all(void *arg)
{
    proxy_identities_t *all = arg;
    for (unsigned i = 0; i < PROXY_IDENTITIES; i++) clear(&all->all[i]);
}

proxy_identities_t *proxy_identities_new(pool_t *pool)
{
    proxy_identities_t *all = POOL_NEW(pool, proxy_identities_t);
    pool_defer(pool, clear_all, all);
    return all;
}

static identity_t *find(proxy_identities_t *all, str_t name)
{
    for (unsigned i = 0; i < PROXY_IDENTITIES; i++) {
        identity_t *id = &all->all[i];
        if (id->name && str_eq(str_make(id->name, id->n), name)) return id;
    }
    return NULL;
}

SSL_CTX *proxy_identities_find(proxy_identities_t *all, str_t name)
{
    identity_t *id = find(all, name);
    if (!id || clock_ms() >= id->made_ms + PROXY_IDENTITY_MS) return NULL;
    id->used_ms = clock_ms();
    return id->ctx;
}

static identity_t *least_used(proxy_identities_t *all)
{
    identity_t *oldest = all->all;
    for (unsigned i = 1; i < PROXY_IDENTITIES; i++)
        if (all->all[i].used_ms < oldest->used_ms) oldest = &all->all[i];
    return oldest;
}

void proxy_identities_keep(proxy_identities_t *all, str_t name, SSL_CTX *ctx)
{
    identity_t *id = find(all, name);
    if (!id) id = least_used(all);
    clear(id);
    *id = (identity_t){strndup(name.p, name.n), name.n, ctx, clock_ms(), clock_ms()};
    if (!id->name) panic("out of memory: client certificate");
}
