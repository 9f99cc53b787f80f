#include "modules/ssl/ssl_stapling.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "core/base/clock.h"
#include "core/io/tls.h"
#include "modules/ssl/acme.h"

enum { LOOK_MS = 60000 };

/* --- whom it is about --- */

/* Another certificate's, that says it signed this one. */
static X509 *issuer_in_chain(const tls_identity_t *id)
{
    for (int i = 0; i < sk_X509_num(id->chain); i++) {
        X509 *x = sk_X509_value(id->chain, i);
        if (X509_check_issued(x, id->cert) == X509_V_OK && X509_up_ref(x)) return x;
    }
    return NULL;
}

static X509 *issuer_among(X509_STORE *anchors, X509 *cert)
{
    X509 *issuer = NULL;
    X509_STORE_CTX *look = X509_STORE_CTX_new();
    bool ok = look && X509_STORE_CTX_init(look, anchors, NULL, NULL) &&
              X509_STORE_CTX_get1_issuer(&issuer, look, cert) == 1;
    X509_STORE_CTX_free(look);
    return ok ? issuer : NULL;
}

ssl_ocsp_subject_t ssl_stapling_subject(const ssl_staple_t *s)
{
    const tls_identity_t *id = &s->of->identity;
    X509 *issuer = issuer_in_chain(id);
    if (!issuer && s->anchors) issuer = issuer_among(s->anchors, id->cert);
    return (ssl_ocsp_subject_t){id->cert, issuer, s->anchors, id->chain};
}

bool ssl_stapling_bind(ssl_staple_t *s, bool renew)
{
    unsigned n = sizeof(s->digest);
    if (s->edition != s->of->edition) {
        if (X509_digest(s->of->identity.cert, EVP_sha256(), s->digest, &n) != 1) return false;
        s->edition = s->of->edition;
        s->place = SSL_STAPLES_NONE;
        s->version = 0;
    }
    if (s->place < 0 || renew)
        s->place = ssl_staples_place(s->store->staples->root, s->digest, clock_unix());
    return s->place >= 0;
}

/* --- what there is to show --- */

static void forget(ssl_staple_t *s)
{
    OPENSSL_free(s->der);
    s->der = NULL;
}

static void keep(ssl_staple_t *s, const char *p, size_t n)
{
    forget(s);
    s->der = OPENSSL_memdup(p, n);
    s->n = n;
}

/* NULL, or what is wrong with the file. */
static const char *read_file(ssl_staple_t *s)
{
    static char der[SSL_OCSP_MOST];
    BIO *in = BIO_new_file(s->path, "rb");
    int n = in ? BIO_read(in, der, sizeof(der)) : 0;
    BIO_free(in);
    forget(s);
    if (!in) return "it cannot be read";
    ssl_ocsp_subject_t of = ssl_stapling_subject(s);
    str_t answer = str_make(der, n > 0 ? (size_t)n : 0);
    const char *wrong = ssl_ocsp_judge(answer, &of, clock_unix(), &s->until);
    X509_free(of.issuer);
    if (!wrong) keep(s, der, answer.n);
    return wrong;
}

static void look_at_file(ssl_staple_t *s)
{
    if (clock_ms() < s->look_at) return;
    s->look_at = clock_ms() + LOOK_MS;
    ERR_clear_error();
    read_file(s);
    ERR_clear_error();
}

static void look_at_zone(ssl_staple_t *s)
{
    static char der[SSL_OCSP_MOST];
    ssl_staples_t *all = s->store->staples->root;
    if (!ssl_stapling_bind(s, false)) return forget(s);
    uint64_t version = ssl_staples_version(all, s->place);
    if (version == s->version) return;
    s->version = version;
    size_t n = ssl_staples_get(all, s->place, s->digest, der, sizeof(der), &s->until);
    if (n) keep(s, der, n);
    else forget(s);
}

/* --- in a handshake --- */

static int show(SSL *ssl, ssl_staple_t *s)
{
    if (s->path) look_at_file(s);
    else look_at_zone(s);
    if (!s->der || s->until <= clock_unix()) return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(s->der, s->n);
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->n);
    return SSL_TLSEXT_ERR_OK;
}

static int on_status(SSL *ssl, void *arg)
{
    const ssl_staples_shown_t *shown = arg;
    VEC_EACH(ssl_staple_t *const, it, shown)
        if (SSL_get_certificate(ssl) == (*it)->of->identity.cert) return show(ssl, *it);
    return SSL_TLSEXT_ERR_NOACK;
}

/* --- the configuration --- */

static void free_staple(void *arg)
{
    ssl_staple_t *s = arg;
    forget(s);
    X509_STORE_free(s->anchors);
}

static ssl_staple_t *new_staple(conf_t *cf, const ssl_conf_t *c, const ssl_certificate_t *of)
{
    ssl_staple_t *s = POOL_NEW(cf->pool, ssl_staple_t);
    s->of = of;
    s->store = c->store;
    s->http = http_conf(c->made->server->conf);
    s->place = SSL_STAPLES_NONE;
    pool_defer(cf->pool, free_staple, s);
    return s;
}

static void staple_from_file(conf_t *cf, const ssl_conf_t *c)
{
    if (!c->made->shown.n) return;
    ssl_staple_t *s = new_staple(cf, c, c->made->shown.v[0]);
    s->path = c->staple.path;
    const char *wrong = read_file(s);
    if (wrong)
        conf_warn(cf, c->staple.node, 1, NULL, "no good OCSP response in \"%s\": %s",
                  c->staple.path, wrong);
    *VEC_PUSH(cf->pool, &c->made->staples) = s;
}

static bool load_anchors(conf_t *cf, const ssl_conf_t *c, ssl_staple_t *s)
{
    char reason[256];
    if (!c->staple_verify || !c->trusted.path) return true;
    ERR_clear_error();
    s->anchors = X509_STORE_new();
    if (s->anchors && X509_STORE_load_file(s->anchors, c->trusted.path) == 1) return true;
    tls_reason(reason, sizeof(reason));
    return conf_error(cf, c->trusted.node, 1, NULL, "cannot load trusted certificates \"%s\" (%s)",
                      c->trusted.path, reason);
}

static bool ignore(conf_t *cf, const ssl_conf_t *c, const ssl_staple_t *s, const char *hint,
                   const char *why)
{
    conf_warn(cf, ssl_node(c, "ssl_stapling"), 0, hint,
              "\"ssl_stapling\" ignored, %s certificate \"%s\"", why, s->of->file.path);
    return true;
}

/* Of several servers that show the certificate the first says how its responder is asked. */
static ssl_staple_t *want_staple(conf_t *cf, const ssl_conf_t *c, const ssl_certificate_t *of)
{
    if (of->staple) return of->staple;
    ssl_staple_t *s = new_staple(cf, c, of);
    s->responder = c->responder;
    return load_anchors(cf, c, s) ? s : NULL;
}

static bool ask_about(conf_t *cf, const ssl_conf_t *c, ssl_certificate_t *of, ssl_staple_t *s)
{
    if (!of->staple) *VEC_PUSH(cf->pool, &c->store->fetched) = s;
    of->staple = s;
    *VEC_PUSH(cf->pool, &c->made->staples) = s;
    return true;
}

static bool staple_from_responder(conf_t *cf, const ssl_conf_t *c, ssl_certificate_t *of)
{
    ssl_staple_t *s = want_staple(cf, c, of);
    if (!s) return false;
    ssl_ocsp_subject_t subject = ssl_stapling_subject(s);
    X509_free(subject.issuer);
    if (!subject.issuer)
        return ignore(cf, c, s, "append it to the file of the certificate",
                      "issuer certificate not found for");
    if (!s->responder.n && !ssl_ocsp_responder(cf->pool, subject.cert).n)
        return ignore(cf, c, s, "ssl_stapling_responder http://...;",
                      "no OCSP responder URL in the");
    return ask_about(cf, c, of, s);
}

/* Whom to ask about it is seen when there is one. */
static bool staple_asked_for(conf_t *cf, const ssl_conf_t *c)
{
    ssl_staple_t *s = want_staple(cf, c, c->acme->shown);
    c->store->acme = c->acme->all;
    return s && ask_about(cf, c, c->acme->shown, s);
}

static void warn_of_required(conf_t *cf, const ssl_conf_t *c)
{
    VEC_EACH(ssl_certificate_t *const, it, &c->made->shown)
        if (ssl_ocsp_is_required((*it)->identity.cert))
            conf_warn(cf, (*it)->file.node, 1, "ssl_stapling on;",
                      "certificate \"%s\" must be shown with its status: clients will refuse it",
                      (*it)->file.path);
}

bool ssl_stapling_prepare(conf_t *cf, const ssl_conf_t *c)
{
    bool ok = true;
    if (!c->stapling) {
        warn_of_required(cf, c);
        return true;
    }
    if (c->staple.path) staple_from_file(cf, c);
    else
        VEC_EACH(ssl_certificate_t *const, it, &c->made->shown)
            ok = staple_from_responder(cf, c, *it) && ok;
    if (c->acme) ok = staple_asked_for(cf, c) && ok;
    if (!c->made->staples.n) return ok;
    SSL_CTX_set_tlsext_status_cb(c->made->ctx, on_status);
    SSL_CTX_set_tlsext_status_arg(c->made->ctx, &c->made->staples);
    return ok;
}
