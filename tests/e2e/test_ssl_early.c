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
                 text("log_format early \"$ssl_early_data $request $status\";\n"
                      "log_format origin \"$http_early_data $request\";\n"
                      "server { listen 127.0.0.1:@tls@ ssl; ssl_certificate a.pem;"
                      " ssl_certificate_key a.key; ssl_early_data on; %s"
                      " location / { proxy_pass http://127.0.0.1:@http@;"
                      " proxy_set_header X-Early \"$ssl_early_data\"; } }\n"
                      "server { listen 127.0.0.1:@http@; access_log @dir@/origin.log origin;"
                      " location / {"
                      " return 200 \"$http_early_data|$http_x_early|\"; }"
                      " location /late { return 425; } }", more));
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
    secure_how_t how = {.port = "tls", .session = session, .early = str_of(request)};
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

/* RFC 8470 5.2: who has sent the request finds out; it is not asked again on his behalf. */
E2E(ssl_early, an_origin_may_refuse)
{
    bool taken;
    start("");
    assert_has(ask_early(begin(), "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", &taken),
               "HTTP/1.1 425 ");
    cr_assert(taken);
}

/* --- the same over HTTP/2 --- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define HEAD_OF(METHOD) "\0\0\6\1\5\0\0\0\1" METHOD "\x87\x84\1\1a" /* https, /, authority a */

/* All bytes that come up to the end of stream 1, as text. */
static const char *read_stream(secure_t *s)
{
    enum { ROOM = 65536, FRAME_HEAD = 9, DATA = 0, HEADERS = 1, END = 1 };
    unsigned char *in = pool_zalloc(harness_pool, ROOM);
    size_t n = 0, at = 0, got;
    while (n < ROOM && SSL_read_ex(s->ssl, in + n, ROOM - n, &got)) {
        n += got;
        while (n - at >= FRAME_HEAD) {
            size_t size = (size_t)(in[at] << 16 | in[at + 1] << 8 | in[at + 2]);
            if (n - at < FRAME_HEAD + size) break;
            bool last = in[at + 3] <= HEADERS && in[at + 4] & END;
            at += FRAME_HEAD + size;
            if (last) return (char *)in + at - size;
        }
    }
    return "";
}

/* A session is for the protocol above, too (RFC 8446 4.2.10). */
static SSL_SESSION *begin_h2(void)
{
    secure_how_t how = {.port = "tls", .alpn = STR("\2h2")};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    cr_assert_gt(SSL_write(s->ssl, PREFACE HEAD_OF("\x82"), sizeof(PREFACE HEAD_OF("\x82")) - 1),
                 0);
    assert_has(read_stream(s), "||");
    cr_assert(s->session);
    secure_close(s);
    return s->session;
}

/* What a client says that sends it as early data; alpn (may be NULL) is 3 bytes. */
static str_t early_bytes(SSL_SESSION *session, const char *alpn, str_t request)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    size_t put;
    char *bytes;
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    if (alpn) SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, 3);
    SSL_set_session(ssl, session);
    cr_assert(SSL_write_early_data(ssl, request.p, request.n, &put));
    long n = BIO_get_mem_data(out, &bytes);
    str_t copy = pool_str(harness_pool, str_make(bytes, (size_t)n));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return copy;
}

/* Sends that and nothing more: the handshake does not end. */
static void send_early(SSL_SESSION *session, str_t request)
{
    wire_send_n(wire_open("tls"), early_bytes(session, "\2h2", request));
}

E2E(ssl_early, over_http2_a_safe_request_is_taken)
{
    start("http2 on; access_log @dir@/access.log early;");
    send_early(begin_h2(), STR(PREFACE HEAD_OF("\x82")));
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "1 GET / HTTP/2.0 200")));
    cr_assert(EVENTUALLY(strstr(file_read("origin.log"), "1 GET / HTTP/1.1")));
}

E2E(ssl_early, over_http2_another_is_told_to_come_again)
{
    start("http2 on; access_log @dir@/access.log early;");
    send_early(begin_h2(), STR(PREFACE HEAD_OF("\x83")));
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "1 POST / HTTP/2.0 425")));
    assert_lacks(file_read("origin.log"), "POST");
}

/* Records what the client sends, and sends it again on other connections. */
E2E(ssl_early, what_is_sent_again_is_not_taken_again)
{
    start("access_log @dir@/access.log early;");
    str_t bytes = early_bytes(begin(), NULL, STR(GET));
    for (int i = 0; i < 6; i++) {
        wire_t *w = wire_open("tls");
        wire_send_n(w, bytes);
        cr_assert(wire_readable(w, PATIENCE_MS));
        wire_shut(w);
        wire_rest(w);
    }
    cr_assert(EVENTUALLY(strstr(file_read("access.log"), "GET")));
    pause_ms(200);
    unsigned lines = 0;
    for (const char *p = file_read("access.log"); (p = strstr(p, "1 GET / HTTP/1.1")); p++) lines++;
    cr_assert_eq(lines, 1, "%u:\n%s", lines, file_read("access.log"));
}
