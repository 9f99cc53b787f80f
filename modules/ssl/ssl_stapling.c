#include "modules/ssl/ssl_stapling.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "core/base/clock.h"
#include "core/io/tls.h"

enum { LOOK_MS = 60000, DER_MOST = 64 * 1024, CLOCK_SKEW = 300 };

struct ssl_staple {
    const char *path;
    const ssl_certificate_t *of;
    unsigned char *der; /* NULL: there is none at present */
    int n;
    uint64_t look_at;   /* clock_ms from which the file is looked at again */
};

/* --- the file --- */

static bool is_good(OCSP_RESPONSE *response)
{
    ASN1_GENERALIZEDTIME *from, *until;
    int reason, status;
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
    const OCSP_SINGLERESP *single = basic ? OCSP_resp_get0(basic, 0) : NULL;
    if (single)
        status = OCSP_single_get0_status((OCSP_SINGLERESP *)(uintptr_t)single, &reason, NULL, &from,
                                         &until);
    bool ok = single && status == V_OCSP_CERTSTATUS_GOOD &&
              OCSP_check_validity(from, until, CLOCK_SKEW, -1) == 1;
    OCSP_BASICRESP_free(basic);
    return ok;
}

static void forget(struct ssl_staple *s)
{
    OPENSSL_free(s->der);
    s->der = NULL;
}

/* False: there is none that is good now. */
static bool read_response(struct ssl_staple *s)
{
    BIO *in = BIO_new_file(s->path, "rb");
    OCSP_RESPONSE *response = in ? d2i_OCSP_RESPONSE_bio(in, NULL) : NULL;
    BIO_free(in);
    forget(s);
    if (!response) return false;
    if (is_good(response)) s->n = i2d_OCSP_RESPONSE(response, &s->der);
    OCSP_RESPONSE_free(response);
    if (s->n <= 0 || s->n > DER_MOST) forget(s);
    return s->der;
}

/* Also what has not changed may have run out. */
static void look(struct ssl_staple *s)
{
    if (clock_ms() < s->look_at) return;
    s->look_at = clock_ms() + LOOK_MS;
    ERR_clear_error();
    read_response(s);
    ERR_clear_error();
}

/* --- in a handshake --- */

static int on_status(SSL *ssl, void *arg)
{
    struct ssl_staple *s = arg;
    look(s);
    if (!s->der || SSL_get_certificate(ssl) != s->of->identity.cert)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(s->der, (size_t)s->n);
    if (!copy) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, s->n);
    return SSL_TLSEXT_ERR_OK;
}

/* --- the configuration --- */

static void free_staple(void *arg)
{
    forget(arg);
}

bool ssl_stapling_prepare(conf_t *cf, const ssl_conf_t *c)
{
    char reason[256];
    if (!c->stapling || !c->made->first) return true;
    if (!c->staple.path) {
        conf_warn(cf, conf_node(cf, "ssl_stapling"), 0, "add ssl_stapling_file",
                  "\"ssl_stapling\" ignored: responders are not asked, a file is needed");
        return true;
    }
    struct ssl_staple *s = POOL_NEW(cf->pool, struct ssl_staple);
    s->path = c->staple.path;
    s->of = c->made->first;
    pool_defer(cf->pool, free_staple, s);
    if (!read_response(s)) {
        tls_reason(reason, sizeof(reason));
        conf_warn(cf, c->staple.node, 1, NULL, "no good OCSP response in \"%s\" (%s)",
                  c->staple.path, reason);
    }
    SSL_CTX_set_tlsext_status_cb(c->made->ctx, on_status);
    SSL_CTX_set_tlsext_status_arg(c->made->ctx, s);
    return true;
}
