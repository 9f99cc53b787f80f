/* Early data: requests in a client's first message, and the same message sent again. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void start(const char *more)
{
    certify("a", NULL, "");
    subject_http("worker_processes 2;",
                 text("log_format early \"$ssl_early_data $request\";\n"
                      "server { listen 127.0.0.1:@tls@ ssl; ssl_certificate a.pem;"
                      " ssl_certificate_key a.key; ssl_early_data on; %s"
                      " location / { proxy_pass http://127.0.0.1:@http@;"
                      " proxy_set_header X-Early \"$ssl_early_data\"; } }\n"
                      "server { listen 127.0.0.1:@http@; location / {"
                      " return 200 \"$http_early_data|$http_x_early|\"; } }", more));
}

/* A session that may be used for early data. */
static SSL_SESSION *begin(void)
{
    secure_how_t how = {.port = "tls"};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    assert_text(secure_ask(s, GET), "||");
    cr_assert(s->session);
    secure_close(s);
    return s->session;
}

/* What is answered to the request as early data; *taken: whether it was taken as such. */
static const char *ask_early(SSL_SESSION *session, const char *request, bool *taken)
{
    secure_how_t how = {.port = "tls", .session = session, .early = request};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    *taken = SSL_get_early_data_status(s->ssl) == SSL_EARLY_DATA_ACCEPTED;
    const char *body = secure_ask(s, *taken ? "" : request);
    cr_assert(body, "%s", s->failed);
    body = text("%.12s %s", s->head, body);
    assert_text(secure_ask(s, GET), "||"); /* the handshake is over */
    return body;
}

E2E(ssl_early, a_safe_request_is_taken)
{
    bool taken;
    start("");
    assert_text(ask_early(begin(), GET, &taken), "HTTP/1.1 200 1|1|");
    cr_assert(taken);
}

E2E(ssl_early, another_is_told_to_come_again)
{
    bool taken;
    start("");
    assert_has(ask_early(begin(), "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", &taken),
               "HTTP/1.1 425 ");
    cr_assert(taken);
}

/* Records what the client sends, and sends it again on other connections. */
E2E(ssl_early, what_is_sent_again_is_not_taken_again)
{
    start("access_log @dir@/access.log early;");
    SSL_SESSION *session = begin();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    size_t put;
    char *bytes;
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_set_session(ssl, session);
    cr_assert(SSL_write_early_data(ssl, GET, strlen(GET), &put));
    long n = BIO_get_mem_data(out, &bytes);
    for (int i = 0; i < 6; i++) {
        wire_t *w = wire_open("tls");
        wire_send_n(w, str_make(bytes, (size_t)n));
        cr_assert(wire_readable(w, PATIENCE_MS));
        wire_shut(w);
        wire_rest(w);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "GET")));
    pause_ms(200);
    unsigned lines = 0;
    for (const char *p = file_read("access.log"); (p = strstr(p, "1 GET / HTTP/1.1")); p++) lines++;
    cr_assert_eq(lines, 1, "%u:\n%s", lines, file_read("access.log"));
}
