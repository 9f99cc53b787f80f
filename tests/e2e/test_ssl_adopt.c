/* A server found by the name in the handshake has its own of everything that nginx has an ssl_
   directive for. */
#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

#define TLS "listen 127.0.0.1:@tls@ ssl; ssl_certificate a.pem; ssl_certificate_key a.key; "

static size_t largest; /* record */

static void on_record(int write, int version, int type, const void *p, size_t n, SSL *ssl,
                      void *arg)
{
    const unsigned char *head = p;
    (void)version, (void)ssl, (void)arg;
    if (write || type != SSL3_RT_HEADER || n < SSL3_RT_HEADER_LENGTH) return;
    size_t size = (size_t)(head[3] << 8 | head[4]);
    if (size > largest) largest = size;
}

static size_t largest_record(const char *name)
{
    secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = name});
    cr_assert(!s->failed, "%s", s->failed);
    largest = 0;
    SSL_set_msg_callback(s->ssl, on_record);
    cr_assert(secure_ask(s, text("GET /big HTTP/1.1\r\nHost: %s\r\n\r\n", name)), "%s", s->failed);
    return largest;
}

E2E(ssl_adopt, records_as_large_as_it_says)
{
    enum { MORE = 256 }; /* than the plain text: what encryption adds */
    certify("a", NULL, "");
    file_fill("big", 60000);
    subject_http("", "server { " TLS "server_name large; root @dir@; }\n"
                     "server { " TLS "server_name small; root @dir@; ssl_buffer_size 1k; }");
    cr_expect_gt(largest_record("large"), 16000);
    cr_expect_leq(largest_record("small"), 1024 + MORE);
}

static int group_of(const char *name, const char *offered)
{
    secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = name, .groups = offered});
    return s->failed ? 0 : (int)SSL_get_negotiated_group(s->ssl);
}

E2E(ssl_adopt, a_command_has_the_last_word)
{
    certify("a", NULL, "");
    subject_http("", "server { " TLS "server_name first; return 200 a; }\n"
                     "server { " TLS "server_name groups; ssl_conf_command Groups P-521;"
                     " return 200 a; }\n"
                     "server { " TLS "server_name curves; ssl_ecdh_curve P-256;"
                     " ssl_conf_command curves P-384:P-521; return 200 a; }");
    cr_expect_eq(group_of("first", "X25519:P-521:P-384"), NID_X25519);
    cr_expect_eq(group_of("groups", "X25519:P-256:P-521"), NID_secp521r1);
    cr_expect_eq(group_of("groups", "X25519:P-256"), 0);
    cr_expect_eq(group_of("curves", "X25519:P-256:P-521:P-384"), NID_secp384r1);
}

/* What a client is told, and its ticket holds, in seconds. */
static unsigned long session_life(const char *name, int version)
{
    secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = name, .version = version});
    cr_assert(!s->failed && secure_ask(s, text("GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name)));
    cr_assert(s->session);
    return SSL_SESSION_get_ticket_lifetime_hint(s->session);
}

E2E(ssl_adopt, sessions_as_long_as_it_says)
{
    certify("a", NULL, "");
    subject_http("", "server { " TLS "server_name first; return 200 a; }\n"
                     "server { " TLS "server_name brief; ssl_session_timeout 7s; return 200 a; }");
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        cr_expect_eq(session_life("first", version), 300);
        cr_expect_eq(session_life("brief", version), 7);
    }
}
