#include "tests/e2e/secure.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/io/net.h"

/* A process that is stopped and goes on may be interrupted. */
#define UNINTERRUPTED(ssl, call) \
    ({ \
        int r_; \
        do errno = 0, r_ = (call); \
        while (r_ <= 0 && errno == EINTR && SSL_want(ssl) != SSL_NOTHING); \
        r_; \
    })

static int dial(const char *port)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(harness_port(port)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    net_nodelay(fd);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    int r;
    do r = connect(fd, (struct sockaddr *)&to, sizeof(to));
    while (r < 0 && errno == EINTR);
    cr_assert_eq(r, 0, "connect to @%s@", port);
    return fd;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    secure_t *s = SSL_get_app_data(ssl);
    SSL_SESSION_free(s->session);
    s->session = session;
    s->sessions++;
    return 1;
}

static void (*midway)(void);

static void on_progress(const SSL *ssl, int where, int result)
{
    (void)result;
    if (where != SSL_CB_CONNECT_LOOP || SSL_get_state(ssl) != TLS_ST_CR_SRVR_HELLO) return;
    void (*fn)(void) = midway;
    midway = NULL;
    if (fn) fn();
}

static SSL_CTX *context(const secure_how_t *how)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_min_proto_version(ctx, how->version);
    SSL_CTX_set_max_proto_version(ctx, how->version);
    if (how->ciphers) cr_assert(SSL_CTX_set_cipher_list(ctx, how->ciphers));
    if (how->groups) cr_assert(SSL_CTX_set1_groups_list(ctx, how->groups));
    if (how->signatures) cr_assert(SSL_CTX_set1_sigalgs_list(ctx, how->signatures));
    if (how->alpn.n)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)how->alpn.p, (unsigned)how->alpn.n);
    if (how->status) {
        SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
        SSL_CTX_set_tlsext_status_cb(ctx, how->status);
        SSL_CTX_set_tlsext_status_arg(ctx, how->status_arg);
    }
    midway = how->midway;
    SSL_CTX_set_info_callback(ctx, on_progress);
    if (!how->certificate) return ctx;
    const char *certificate = file_path(text("%s.pem", how->certificate));
    const char *key = file_path(text("%s.key", how->certificate));
    cr_assert(SSL_CTX_use_certificate_chain_file(ctx, certificate) == 1);
    cr_assert(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1);
    return ctx;
}

static const char *reason(void)
{
    char out[256];
    ERR_error_string_n(ERR_get_error(), out, sizeof(out));
    return text("%s", out);
}

static void end(void *arg)
{
    secure_close(arg);
}

secure_t *secure_open(const secure_how_t *how)
{
    secure_t *s = calloc(1, sizeof(*s));
    SSL_CTX *ctx = context(how);
    signal(SIGPIPE, SIG_IGN);
    s->fd = dial(how->port);
    s->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_app_data(s->ssl, s);
    SSL_set_fd(s->ssl, s->fd);
    if (how->name) SSL_set_tlsext_host_name(s->ssl, how->name);
    if (how->session) SSL_set_session(s->ssl, how->session);
    harness_at_end(end, s);
    if (how->before)
        cr_assert(write(s->fd, how->before, strlen(how->before)) == (ssize_t)strlen(how->before));
    ERR_clear_error();
    size_t put;
    if (how->early.n && !SSL_write_early_data(s->ssl, how->early.p, how->early.n, &put))
        s->failed = reason();
    else if (UNINTERRUPTED(s->ssl, SSL_connect(s->ssl)) != 1)
        s->failed = reason();
    return s;
}

void secure_close(secure_t *s)
{
    if (!s->ssl) return;
    if (!s->failed) SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    s->ssl = NULL;
    close(s->fd);
}

/* The length that the head tells, or 0. */
static size_t body_length(const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    return field ? strtoul(field + 17, NULL, 10) : 0;
}

const char *secure_ask(secure_t *s, const char *request)
{
    enum { ROOM = 65536 };
    char *in = pool_zalloc(harness_pool, ROOM), *end_of_head = NULL;
    size_t n = 0, whole = ROOM;
    ERR_clear_error();
    int size = (int)strlen(request);
    if (size && UNINTERRUPTED(s->ssl, SSL_write(s->ssl, request, size)) <= 0)
        return s->failed = reason(), NULL;
    while (n < whole && n < ROOM - 1) {
        int got = UNINTERRUPTED(s->ssl, SSL_read(s->ssl, in + n, (int)(ROOM - 1 - n)));
        if (got <= 0) return s->failed = reason(), NULL;
        n += (size_t)got;
        if (end_of_head || !(end_of_head = strstr(in, "\r\n\r\n"))) continue;
        whole = (size_t)(end_of_head - in) + 4 + body_length(in);
    }
    s->head = text("%.*s", (int)(end_of_head - in), in);
    return end_of_head + 4;
}

const char *secure_get(const secure_how_t *how, const char *path)
{
    secure_t *s = secure_open(how);
    cr_assert(!s->failed, "handshake: %s", s->failed);
    const char *body = secure_ask(s, text("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
                                          how->name ? how->name : "none"));
    cr_assert(body, "no reply: %s", s->failed);
    return body;
}

static const char *common_name(const secure_t *s, X509_NAME *(*whose)(const X509 *cert))
{
    char name[256] = "";
    X509 *cert = SSL_get1_peer_certificate(s->ssl);
    X509_NAME_get_text_by_NID(whose(cert), NID_commonName, name, sizeof(name));
    X509_free(cert);
    return text("%s", name);
}

const char *secure_peer(const secure_t *s)
{
    return common_name(s, X509_get_subject_name);
}

const char *secure_issuer(const secure_t *s)
{
    return common_name(s, X509_get_issuer_name);
}
