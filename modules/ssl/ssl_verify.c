#include "modules/ssl/ssl_verify.h"

#include <openssl/x509.h>

#include "core/io/tls.h"
#include "core/io/tls_ctx.h"

enum { STATUS_WRONG_CERTIFICATE = 495, STATUS_NO_CERTIFICATE = 496 };

/* --- asking --- */

static bool wrong(conf_t *cf, const ssl_file_t *file, const char *what)
{
    char reason[256];
    tls_reason(reason, sizeof(reason));
    return conf_error(cf, file->node, 1, NULL, "cannot load %s \"%s\" (%s)", what, file->path,
                      reason);
}

/* What is wrong with a certificate is the business of ssl_verify_check. */
static int go_on(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 1;
}

/* Whose certificates the client is told to choose from. */
static bool name_authorities(conf_t *cf, const ssl_conf_t *c)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(c->client_ca.path);
    if (!names) return wrong(cf, &c->client_ca, "certificates");
    SSL_CTX_set_client_CA_list(c->made->ctx, names);
    return tls_ctx_trust(c->made->ctx, c->client_ca.path, c->depth) ||
           wrong(cf, &c->client_ca, "certificates");
}

static bool trust(conf_t *cf, const ssl_conf_t *c)
{
    if (c->client_ca.path && !name_authorities(cf, c)) return false;
    if (c->trusted.path && !tls_ctx_trust(c->made->ctx, c->trusted.path, c->depth))
        return wrong(cf, &c->trusted, "trusted certificates");
    return !c->revoked.path || tls_ctx_revoked(c->made->ctx, c->revoked.path) ||
           wrong(cf, &c->revoked, "revocation lists");
}

bool ssl_verify_prepare(conf_t *cf, const ssl_conf_t *c)
{
    if (c->verify == SSL_VERIFY_CLIENT_OFF) return true;
    if (c->verify != SSL_VERIFY_CLIENT_OPTIONAL_NO_CA && !c->client_ca.path && !c->trusted.path)
        return conf_error(cf, ssl_node(c, "ssl_verify_client"), 0, "add ssl_client_certificate",
                          "no ssl_client_certificate for ssl_verify_client");
    SSL_CTX_set_verify(c->made->ctx, SSL_VERIFY_PEER, go_on);
    SSL_CTX_set_verify_depth(c->made->ctx, (int)c->depth);
    return trust(cf, c);
}

/* --- telling sessions apart --- */

static bool digest_file(const ssl_file_t *file, EVP_MD_CTX *digest)
{
    char bytes[512];
    int n;
    BIO *in = file->path ? BIO_new_file(file->path, "r") : NULL;
    bool ok = true;
    while (in && ok && (n = BIO_read(in, bytes, sizeof(bytes))) > 0)
        ok = EVP_DigestUpdate(digest, bytes, (size_t)n) == 1;
    BIO_free(in);
    return ok && EVP_DigestUpdate(digest, "", 1) == 1;
}

bool ssl_verify_digest(const ssl_conf_t *c, EVP_MD_CTX *digest)
{
    unsigned rules[] = {c->verify, c->depth};
    return EVP_DigestUpdate(digest, rules, sizeof(rules)) == 1 &&
           (c->verify == SSL_VERIFY_CLIENT_OFF ||
            (digest_file(&c->client_ca, digest) && digest_file(&c->trusted, digest) &&
             digest_file(&c->revoked, digest)));
}

/* --- who is let in --- */

/* The chain leads to nobody known: what optional_no_ca leaves to others to judge. */
static bool is_unknown_authority(long error)
{
    return error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           error == X509_V_ERR_CERT_UNTRUSTED ||
           error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* A certificate was judged by the rules of the server named in the handshake, and by no others. */
static bool same_rules(const request_t *r)
{
    const ssl_conf_t *asked = ssl_conf(r->server), *shaken = ssl_conf(r->conn->named);
    return asked->made == shaken->made || (!asked->verify && !shaken->verify);
}

verdict_t ssl_verify_check(request_t *r)
{
    const ssl_conf_t *c = ssl_conf(r->server);
    const SSL *ssl = tls_ssl(&r->conn->stream);
    if (!same_rules(r))
        return verdict_refuse(421, LOG_INFO,
                              "client attempted to request the server name different from the one "
                              "that was negotiated");
    if (c->verify == SSL_VERIFY_CLIENT_OFF) return VERDICT(NEXT);
    long error = SSL_get_verify_result(ssl);
    bool forgiven = c->verify == SSL_VERIFY_CLIENT_OPTIONAL_NO_CA && is_unknown_authority(error);
    if (error != X509_V_OK && !forgiven)
        return verdict_refuse(STATUS_WRONG_CERTIFICATE, LOG_INFO,
                              pool_printf(r->pool,
                                          "client SSL certificate verify error: (%ld:%s)", error,
                                          X509_verify_cert_error_string(error)).p);
    if (c->verify == SSL_VERIFY_CLIENT_ON && !SSL_get0_peer_certificate(ssl))
        return verdict_refuse(STATUS_NO_CERTIFICATE, LOG_INFO,
                              "client sent no required SSL certificate");
    return VERDICT(NEXT);
}
