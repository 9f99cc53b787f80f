#include "modules/ssl/acme_answer.h"

#include "modules/ssl/acme_key.h"
#include "modules/ssl/acme_x509.h"

#define PROTOCOL "acme-tls/1"

static acme_board_t *board;
static int mark = -1; /* of connections that are answers */

void acme_answer_from(acme_board_t *b)
{
    board = b;
    if (b && mark < 0) mark = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* --- over HTTP --- */

verdict_t acme_answer_http(request_t *r)
{
    static const str_t prefix = STR_INIT("/.well-known/acme-challenge/");
    str_t authorization;
    if (!board || !acme_board_is_challenged(board) || !str_starts(r->uri, prefix))
        return VERDICT(NEXT);
    if (r->method_id != METHOD_GET && r->method_id != METHOD_HEAD) return VERDICT(NEXT);
    str_t token = str_sub(r->uri, prefix.n, r->uri.n);
    if (!acme_board_by_token(board, token, r->pool, &authorization)) return VERDICT(NEXT);
    LOG(&r->log, LOG_INFO, 0, "an authority is told that " STR_FMT " is ours", STR_ARG(r->host));
    return reply_text(r, 200, STR("application/octet-stream"), authorization);
}

/* --- over TLS --- */

/* Whether it is the one protocol that the client offers (RFC 7301 3.1). */
static bool is_offered(SSL *ssl)
{
    static const char alone[] = "\0\13\12" PROTOCOL;
    const unsigned char *p;
    size_t n;
    return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p,
                                     &n) &&
           str_eq(str_make((const char *)p, n), str_make(alone, sizeof(alone) - 1));
}

static bool show(SSL *ssl, str_t name, str_t authorization)
{
    static const acme_key_type_t type = {.bits = 256};
    EVP_PKEY *key = acme_key_make(type);
    X509 *cert = key ? acme_x509_challenge(key, name, authorization) : NULL;
    SSL_certs_clear(ssl);
    SSL_set_cert_cb(ssl, NULL, NULL);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    bool ok = cert && SSL_use_cert_and_key(ssl, cert, key, NULL, 1) == 1 &&
              SSL_set_num_tickets(ssl, 0) && SSL_set_ex_data(ssl, mark, &mark);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool acme_answer_tls(SSL *ssl, str_t name)
{
    str_t authorization;
    if (!board || !name.n || !acme_board_is_challenged(board) || !is_offered(ssl)) return false;
    pool_t *pool = pool_create();
    bool ok = acme_board_by_name(board, name, pool, &authorization) &&
              show(ssl, name, authorization);
    pool_destroy(pool);
    if (ok)
        LOG(&log_main, LOG_INFO, 0, "an authority is told that " STR_FMT " is ours", STR_ARG(name));
    return ok;
}

bool acme_answer_is_all(const SSL *ssl)
{
    return mark >= 0 && SSL_get_ex_data(ssl, mark) == &mark;
}

bool acme_answer_agree(const SSL *ssl, const unsigned char **out, unsigned char *n)
{
    static const char protocol[] = PROTOCOL;
    if (!acme_answer_is_all(ssl)) return false;
    *out = (const unsigned char *)protocol;
    *n = sizeof(protocol) - 1;
    return true;
}
