#include "core/io/tls_ctx.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static const struct {
    unsigned bit;
    int version;
    uint64_t off;
} protocols_known[] = {
    {TLS_1_0, TLS1_VERSION, SSL_OP_NO_TLSv1},
    {TLS_1_1, TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {TLS_1_2, TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {TLS_1_3, TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};

static bool set_protocols(SSL_CTX *ctx, unsigned wanted)
{
    int least = 0, most = 0;
    for (size_t i = 0; i < sizeof(protocols_known) / sizeof(protocols_known[0]); i++) {
        if (!(wanted & protocols_known[i].bit)) {
            SSL_CTX_set_options(ctx, protocols_known[i].off);
            continue;
        }
        SSL_CTX_clear_options(ctx, protocols_known[i].off); /* the system's configuration may */
        most = protocols_known[i].version;
        if (!least) least = most;
    }
    return SSL_CTX_set_min_proto_version(ctx, least) && SSL_CTX_set_max_proto_version(ctx, most);
}

SSL_CTX *tls_ctx_new(bool server, unsigned protocols)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!ctx) return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (server) SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (set_protocols(ctx, protocols)) return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool tls_ctx_ciphers(SSL_CTX *ctx, const char *list)
{
    ERR_clear_error();
    return SSL_CTX_set_cipher_list(ctx, list) == 1;
}

bool tls_ctx_trust(SSL_CTX *ctx, const char *path, unsigned depth)
{
    ERR_clear_error();
    SSL_CTX_set_verify_depth(ctx, (int)depth);
    return SSL_CTX_load_verify_file(ctx, path) == 1;
}

bool tls_ctx_revoked(SSL_CTX *ctx, const char *path)
{
    ERR_clear_error();
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (!lookup || !X509_LOOKUP_load_file(lookup, path, X509_FILETYPE_PEM)) return false;
    return X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
}

bool tls_ctx_groups(SSL_CTX *ctx, const char *list)
{
    ERR_clear_error();
    return SSL_CTX_set1_groups_list(ctx, list) == 1;
}

bool tls_ctx_dh(SSL_CTX *ctx, const char *path)
{
    ERR_clear_error();
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *parameters = file ? PEM_read_bio_Parameters(file, NULL) : NULL;
    BIO_free(file);
    if (parameters && SSL_CTX_set0_tmp_dh_pkey(ctx, parameters) == 1) return true;
    EVP_PKEY_free(parameters);
    return false;
}

/* --- commands --- */

bool tls_ctx_command(SSL_CTX *ctx, const char *name, const char *value)
{
    ERR_clear_error();
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    if (!conf) return false;
    SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SERVER |
                                     SSL_CONF_FLAG_CERTIFICATE | SSL_CONF_FLAG_SHOW_ERRORS);
    SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
    bool ok = SSL_CONF_cmd(conf, name, value) > 0 && SSL_CONF_CTX_finish(conf) == 1;
    SSL_CONF_CTX_free(conf);
    return ok;
}
