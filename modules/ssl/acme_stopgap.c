#include "modules/ssl/acme_stopgap.h"

#include "modules/ssl/acme_x509.h"

static void free_key(void *arg)
{
    EVP_PKEY_free(arg);
}

/* One for all that need the kind; it is trusted by nobody, so the smallest will do. */
static EVP_PKEY *want_key(acme_all_t *all, bool rsa)
{
    acme_key_type_t type;
    if (all->stopgap[rsa]) return all->stopgap[rsa];
    acme_key_type_read(rsa ? STR("rsa") : STR("ecdsa"), &type);
    EVP_PKEY *key = acme_key_make(type);
    if (key) pool_defer(all->pool, free_key, key);
    all->stopgap[rsa] = key;
    return key;
}

ssl_certificate_t *acme_stopgap_want(acme_certificate_t *c, ssl_store_t *store)
{
    if (c->shown) return c->shown;
    tls_identity_t id = {.key = want_key(c->all, c->key_type.rsa)};
    if (!id.key) return NULL;
    id.cert = acme_x509_stopgap(id.key, &c->names);
    if (!id.cert || !EVP_PKEY_up_ref(id.key)) return NULL;
    ssl_file_t file = {.path = c->path.p, .node = c->node};
    c->shown = ssl_certificate_add(store, &file, &id);
    return c->shown;
}
