#include "modules/ssl/ssl_certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "core/io/tls.h"

enum { SOON_DAYS = 14, SOON_PART = 3 }; /* and less than this part of its life is left */

static void clear_all(void *arg)
{
    ssl_store_t *store = arg;
    VEC_EACH(ssl_certificate_t *, it, &store->all) tls_identity_clear(&(*it)->identity);
}

ssl_store_t *ssl_store_new(pool_t *pool)
{
    ssl_store_t *store = POOL_NEW(pool, ssl_store_t);
    store->pool = pool;
    hash_map_init(&store->known, pool);
    pool_defer(pool, clear_all, store);
    return store;
}

/* --- what is doubtful about one --- */

/* Without a clock of its own: days and seconds from now, negative in the past. */
static bool time_left(const ASN1_TIME *end, int *days, int *seconds)
{
    return ASN1_TIME_diff(days, seconds, NULL, end) == 1;
}

static void check_dates(conf_t *cf, const ssl_certificate_t *c)
{
    const X509 *cert = c->identity.cert;
    int days, seconds, life, rest;
    const ASN1_TIME *begin = X509_get0_notBefore(cert), *end = X509_get0_notAfter(cert);
    if (time_left(begin, &days, &seconds) && (days > 0 || seconds > 0))
        conf_warn(cf, c->file.node, 1, NULL, "certificate \"%s\" is not valid yet", c->file.path);
    if (!time_left(end, &days, &seconds) || ASN1_TIME_diff(&life, &rest, begin, end) != 1) return;
    if (days < 0 || seconds < 0)
        conf_warn(cf, c->file.node, 1, "renew it", "certificate \"%s\" has expired", c->file.path);
    else if (days < SOON_DAYS && days < life / SOON_PART)
        conf_warn(cf, c->file.node, 1, "renew it", "certificate \"%s\" expires in %d days",
                  c->file.path, days);
}

static void check_chain(conf_t *cf, const ssl_certificate_t *c)
{
    X509 *below = c->identity.cert;
    for (int i = 0; i < sk_X509_num(c->identity.chain); i++) {
        X509 *issuer = sk_X509_value(c->identity.chain, i);
        if (X509_check_issued(issuer, below) != X509_V_OK) {
            conf_warn(cf, c->file.node, 1,
                      "the server's certificate comes first, then each one's issuer",
                      "the chain in \"%s\" is in the wrong order: certificate %d did not issue "
                      "certificate %d", c->file.path, i + 2, i + 1);
            return;
        }
        below = issuer;
    }
}

/* --- reading --- */

static bool wrong(conf_t *cf, const ssl_file_t *file, const char *what)
{
    char reason[256];
    tls_reason(reason, sizeof(reason));
    return conf_error(cf, file->node, 1, NULL, "cannot load %s \"%s\" (%s)", what, file->path,
                      reason);
}

static bool read_key(conf_t *cf, ssl_certificate_t *c, const ssl_file_t *file)
{
    tls_passwords_t passwords = {.n = 0};
    if (file->path && !tls_identity_read_passwords(cf->pool, file->path, &passwords))
        return conf_error(cf, file->node, 1, NULL, "cannot read \"%s\" (%d: %s)", file->path, errno,
                          strerror(errno));
    bool ok = tls_identity_read_key(&c->identity, c->key.path, &passwords);
    tls_identity_forget_passwords(&passwords);
    if (!ok) return wrong(cf, &c->key, "certificate key");
    return tls_identity_fits(&c->identity) ||
           conf_error(cf, c->key.node, 1, "give the key that the certificate was made for",
                      "the key \"%s\" does not fit the certificate \"%s\"", c->key.path,
                      c->file.path);
}

static bool read_both(conf_t *cf, ssl_certificate_t *c, const ssl_file_t *passwords)
{
    if (!tls_identity_read_certificate(&c->identity, c->file.path))
        return wrong(cf, &c->file, "certificate");
    if (!read_key(cf, c, passwords)) return false;
    check_dates(cf, c);
    check_chain(cf, c);
    return true;
}

ssl_certificate_t *ssl_certificate_want(conf_t *cf, ssl_store_t *store, const ssl_file_t *file,
                                        const ssl_file_t *key, const ssl_file_t *passwords)
{
    str_t name = pool_printf(cf->pool, "%s\n%s", file->path, key->path);
    ssl_certificate_t *c = hash_map_get(&store->known, name);
    if (!c) {
        c = POOL_NEW(store->pool, ssl_certificate_t);
        c->file = *file;
        c->key = *key;
        c->passwords = *passwords;
        c->edition = 1;
        c->loaded = c->seen = ssl_stamp(c);
        hash_map_set(&store->known, name, c);
        *VEC_PUSH(store->pool, &store->all) = c;
        if (!read_both(cf, c, passwords)) tls_identity_clear(&c->identity);
    }
    return c->identity.cert ? c : NULL;
}

ssl_certificate_t *ssl_certificate_add(ssl_store_t *store, const ssl_file_t *file,
                                       tls_identity_t *id)
{
    ssl_certificate_t *c = POOL_NEW(store->pool, ssl_certificate_t);
    c->file = c->key = *file;
    c->identity = *id;
    c->edition = 1;
    c->asked_for = true;
    *id = (tls_identity_t){.cert = NULL};
    *VEC_PUSH(store->pool, &store->all) = c;
    return c;
}

/* --- showing --- */

bool ssl_certificate_show(ssl_certificate_t *c, pool_t *pool, SSL_CTX *ctx)
{
    if (!tls_identity_show(&c->identity, ctx)) return false;
    *VEC_PUSH(pool, &c->users) = ctx;
    return true;
}

void ssl_certificate_replace(ssl_certificate_t *c, tls_identity_t *id)
{
    tls_identity_t before = c->identity;
    VEC_EACH(SSL_CTX *, ctx, &c->users) tls_identity_show(id, *ctx);
    c->identity = *id;
    c->edition++;
    *id = before;
}

static void stamp_file(const char *path, ssl_stamp_t *out, unsigned i)
{
    struct stat st;
    if (stat(path, &st) != 0) return;
    out->changed[i] = st.st_mtim;
    out->number[i] = st.st_ino;
    out->size[i] = st.st_size;
}

ssl_stamp_t ssl_stamp(const ssl_certificate_t *c)
{
    ssl_stamp_t stamp;
    memset(&stamp, 0, sizeof(stamp));
    stamp_file(c->file.path, &stamp, 0);
    stamp_file(c->key.path, &stamp, 1);
    return stamp;
}

bool ssl_stamp_eq(const ssl_stamp_t *a, const ssl_stamp_t *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* --- names --- */

static bool check_name(conf_t *cf, const ssl_certificate_t *c, const GENERAL_NAME *name,
                       bool (*serves)(conf_t *cf, str_t name))
{
    if (name->type != GEN_DNS) return true;
    str_t text = str_make((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                          (size_t)ASN1_STRING_length(name->d.dNSName));
    if (str_starts(text, STR("*.")) || serves(cf, pool_lower(cf->pool, text))) return true;
    conf_warn(cf, c->file.node, 1, "a server_name is missing, or the certificate is another's",
              "certificate \"%s\" is for \"" STR_FMT "\", which is the name of no server",
              c->file.path, STR_ARG(text));
    return false;
}

void ssl_certificate_check_names(conf_t *cf, const ssl_store_t *store,
                                 bool (*serves)(conf_t *cf, str_t name))
{
    VEC_EACH(ssl_certificate_t *const, it, &store->all) {
        if (!(*it)->identity.cert) continue;
        GENERAL_NAMES *names = X509_get_ext_d2i((*it)->identity.cert, NID_subject_alt_name, NULL,
                                                NULL);
        for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
            if (!check_name(cf, *it, sk_GENERAL_NAME_value(names, i), serves)) break;
        GENERAL_NAMES_free(names);
    }
}
