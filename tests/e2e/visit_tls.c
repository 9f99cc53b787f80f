#include "tests/e2e/visit_tls.h"

#include <stdio.h>

void visit_tls_push(visit_tls_t *s)
{
    char *p;
    long n = BIO_get_mem_data(SSL_get_wbio(s->ssl), &p);
    if (n > 0) visit_send_n(s->v, p, (size_t)n);
    (void)BIO_reset(SSL_get_wbio(s->ssl));
}

static bool pull_in(visit_tls_t *s)
{
    char bytes[4096];
    visit_tls_push(s);
    size_t n = visit_read(s->v, bytes, sizeof(bytes));
    if (n) BIO_write(SSL_get_rbio(s->ssl), bytes, (int)n);
    return n > 0;
}

bool visit_tls_begin(visit_tls_t *s, visit_t *v)
{
    const char *dir = visit_arg(v);
    char cert[512], key[512];
    snprintf(cert, sizeof(cert), "%s/leaf.pem", dir);
    snprintf(key, sizeof(key), "%s/leaf.key", dir);
    s->v = v;
    s->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_chain_file(s->ctx, cert);
    SSL_CTX_use_PrivateKey_file(s->ctx, key, SSL_FILETYPE_PEM);
    s->ssl = SSL_new(s->ctx);
    SSL_set_bio(s->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(s->ssl), -1);
    while (SSL_accept(s->ssl) != 1)
        if (!pull_in(s)) return false;
    visit_tls_push(s);
    return true;
}

bool visit_tls_read(visit_tls_t *s, char *out, int n)
{
    int got;
    while ((got = SSL_read(s->ssl, out, n - 1)) <= 0)
        if (SSL_get_error(s->ssl, got) != SSL_ERROR_WANT_READ || !pull_in(s)) return false;
    out[got] = '\0';
    return true;
}

void visit_tls_send(visit_tls_t *s, const char *bytes)
{
    SSL_write(s->ssl, bytes, (int)strlen(bytes));
    visit_tls_push(s);
}

void visit_tls_end(visit_tls_t *s, bool goodbye)
{
    if (goodbye) SSL_shutdown(s->ssl);
    if (goodbye) visit_tls_push(s);
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
}
