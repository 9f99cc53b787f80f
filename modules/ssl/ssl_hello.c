#include "modules/ssl/ssl_hello.h"

#include "core/io/tls.h"
#include "http/http.h"
#include "modules/ssl/acme_answer.h"
#include "modules/ssl/ssl_adopt.h"
#include "modules/ssl/ssl_dynamic.h"
#include "modules/ssl/ssl_session.h"

static conn_t *conn_of(const SSL *ssl)
{
    return LIST_OF(tls_stream(ssl), conn_t, stream);
}

bool ssl_hello_begins(str_t bytes)
{
    enum { HANDSHAKE_RECORD = 0x16, SSL2 = 0x80 };
    unsigned char first = bytes.n ? (unsigned char)bytes.p[0] : 0;
    return first == HANDSHAKE_RECORD || first & SSL2;
}

/* --- the server --- */

static size_t number_at(str_t s, size_t at)
{
    return (size_t)((unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1]);
}

static bool in_names(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '.' || c == '_';
}

str_t ssl_hello_name(str_t extension, char out[SSL_HELLO_NAME_MAX])
{
    enum { HEAD = 5, HOST_NAME = 0 }; /* length of the list, kind, length of the name */
    str_t none = {out, 0}, name;
    if (extension.n < HEAD || number_at(extension, 0) != extension.n - 2) return none;
    size_t n = number_at(extension, 3);
    if (extension.p[2] != HOST_NAME || n > extension.n - HEAD || n > SSL_HELLO_NAME_MAX)
        return none;
    name = str_sub(extension, HEAD, HEAD + n);
    if (n && name.p[n - 1] == '.') n--;
    for (size_t i = 0; i < n; i++) {
        if (!in_names(name.p[i])) return none;
        out[i] = ascii_lower(name.p[i]);
    }
    return str_make(out, n);
}

static str_t find_name(SSL *ssl, char out[SSL_HELLO_NAME_MAX])
{
    const unsigned char *p;
    size_t n;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n)) return str_make(out, 0);
    return ssl_hello_name(str_make((const char *)p, n), out);
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    conn_t *c = conn_of(ssl);
    char name[SSL_HELLO_NAME_MAX];
    const site_address_t *address = conn_site(c);
    str_t host = find_name(ssl, name);
    (void)arg;
    c->named = host.n ? site_find_server(address, host, NULL) : address->fallback;
    if (acme_answer_tls(ssl, host)) return SSL_CLIENT_HELLO_SUCCESS;
    const ssl_conf_t *conf = ssl_conf(c->named);
    *alert = conf->reject ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
    if (conf->reject || (conf->made->ctx && !ssl_adopt(ssl, conf)))
        return SSL_CLIENT_HELLO_ERROR;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* 1: go on; 0: the handshake fails. */
static int on_certificate(SSL *ssl, void *arg)
{
    conn_t *conn = conn_of(ssl);
    const ssl_conf_t *c = ssl_conf(conn->named);
    (void)arg;
    if (!c->made->ctx) c = ssl_conf(conn_site(conn)->fallback);
    ssl_session_limit(ssl, c);
    return !c->made->dynamic || ssl_dynamic_show(ssl, conn, c);
}

/* --- the protocol above --- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
                   const unsigned char *offered, unsigned offered_n, void *arg)
{
    static const unsigned char protocols[] = "\2h2\10http/1.1\10http/1.0";
    enum { H2_SIZE = 3 };
    const conn_t *c = conn_of(ssl);
    (void)arg;
    if (acme_answer_agree(ssl, out, n)) return SSL_TLSEXT_ERR_OK;
    bool h2 = conn_site(c)->http2 || http_conf(c->named->conf)->http2;
    const unsigned char *ours = h2 ? protocols : protocols + H2_SIZE;
    unsigned size = (unsigned)sizeof(protocols) - 1 - (h2 ? 0 : H2_SIZE);
    int r = SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, ours, size, offered,
                                  offered_n);
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void ssl_hello_watch(SSL_CTX *ctx)
{
    SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
    SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
}
