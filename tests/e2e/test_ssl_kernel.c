/*
 * kTLS: files by sendfile through a kernel that makes the records, and everything that must do
 * without. Where the kernel has no tls module, all of it does; contrib/ktls/check.sh runs the tests
 * under one that has.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

#define SHOWN "ssl_certificate @dir@/a.pem; ssl_certificate_key @dir@/a.key; "
#define LISTEN "listen 127.0.0.1:@tls@ ssl; "

enum { SIZE = 300000, SMALL_RECORD = 2000 };

static void start(const char *more)
{
    certify("a", NULL, "");
    file_fill("file", SIZE);
    subject_http("", text("server { " LISTEN SHOWN "root @dir@; %s }", more));
    subject_log_await("kTLS: ");
}

static bool kernel_has_it(void)
{
    return strstr(subject_log(), "kTLS: on") != NULL;
}

/* --- records on the wire --- */

/* Since it was zeroed: the second record with data, and how much data came. */
typedef struct seen {
    unsigned record, records, second; /* the size of the record that is being read, how many have
                                         data, and the size of the second of them */
    size_t size;
    bool any;   /* it need not be the pattern */
    bool wrong; /* another byte */
} seen_t;

static seen_t seen;

/* Tickets look like data from outside, in TLS 1.3. */
static void note_record(int out, int version, int type, const void *p, size_t n, SSL *ssl,
                        void *arg)
{
    const unsigned char *byte = p;
    int inside = SSL_version(ssl) == TLS1_3_VERSION ? SSL3_RT_INNER_CONTENT_TYPE : SSL3_RT_HEADER;
    (void)version, (void)n, (void)arg;
    if (out) return;
    if (type == SSL3_RT_HEADER) seen.record = (unsigned)byte[3] << 8 | byte[4];
    if (type == inside && byte[0] == SSL3_RT_APPLICATION_DATA && ++seen.records == 2)
        seen.second = seen.record;
}

/* As much of the body as comes, up to the whole. */
static void take_body(secure_t *s, const char *piece, size_t n, size_t whole)
{
    static char in[65536];
    str_t right = pattern(SIZE);
    for (size_t got = n;; piece = in) {
        if (!seen.any) seen.wrong |= memcmp(piece, right.p + seen.size, got) != 0;
        seen.size += got;
        if (seen.size >= whole || !SSL_read_ex(s->ssl, in, sizeof(in), &got)) return;
    }
}

static void ask(secure_t *s, const char *path)
{
    const char *request = text("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    seen = (seen_t){.size = 0};
    SSL_set_msg_callback(s->ssl, note_record);
    cr_assert_gt(SSL_write(s->ssl, request, (int)strlen(request)), 0);
}

static void take(secure_t *s, size_t whole)
{
    char in[16384];
    size_t n = 0, got;
    char *body = NULL;
    while (!body && SSL_read_ex(s->ssl, in + n, sizeof(in) - 1 - n, &got)) {
        n += got;
        in[n] = '\0';
        body = strstr(in, "\r\n\r\n");
    }
    cr_assert(body, "no head");
    body += 4;
    take_body(s, body, n - (size_t)(body - in), whole);
}

static secure_t *connected(const secure_how_t *how)
{
    secure_t *s = secure_open(how);
    cr_assert(!s->failed, "%s", s->failed);
    return s;
}

/* The head has a record of its own. Then proxyd's own are small after a pause, and the kernel's are
   full: so the client sees whose they are. */
static bool serves_file_by_kernel(secure_t *s)
{
    ask(s, "/file");
    take(s, SIZE);
    cr_assert_eq(seen.size, (size_t)SIZE);
    cr_assert(!seen.wrong);
    return seen.second > SMALL_RECORD;
}

static const secure_how_t plain = {.port = "tls"};

/* --- told at start --- */

E2E(ssl_kernel, who_makes_the_records_is_told_once)
{
    start("");
    cr_assert_eq(subject_log_count("kTLS: "), 1);
    if (!kernel_has_it()) assert_has(subject_log(), "kTLS: off, ");
    subject_signal(SIGHUP);
    subject_log_await("serving, configuration 2");
    cr_assert_eq(subject_log_count("kTLS: "), 1);
}

E2E(ssl_kernel, without_tls_nothing_is_told)
{
    subject_http("", "server { listen 127.0.0.1:@http@; }");
    subject_log_await("serving, configuration 1");
    assert_lacks(subject_log(), "kTLS");
}

E2E(ssl_kernel, it_can_be_switched_off)
{
    start("ssl_conf_command Options -KTLS;");
    assert_has(subject_log(), "kTLS: off, ssl_conf_command says so");
    cr_assert(!serves_file_by_kernel(connected(&plain)));
}

/* --- whose records --- */

E2E(ssl_kernel, every_suite_is_served_by_whoever_knows_it)
{
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    for (int i = 0; i < 3; i++) {
        start(text("ssl_conf_command Options KTLS; ssl_conf_command Ciphersuites %s;", suites[i]));
        secure_t *s = connected(&plain);
        assert_text(SSL_get_cipher_name(s->ssl), suites[i]);
        cr_assert_eq(serves_file_by_kernel(s), kernel_has_it(), "%s", suites[i]);
        secure_close(s);
        subject_stop(SIGQUIT);
    }
}

E2E(ssl_kernel, tls_1_2_too_but_not_its_old_ciphers)
{
    start("ssl_ciphers ECDHE+AES128;");
    secure_how_t how = {.port = "tls", .version = TLS1_2_VERSION, .ciphers = "ECDHE+AES128+AESGCM"};
    cr_assert_eq(serves_file_by_kernel(connected(&how)), kernel_has_it());
    how.ciphers = "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256";
    cr_assert(!serves_file_by_kernel(connected(&how)));
}

E2E(ssl_kernel, records_of_another_size_are_made_here)
{
    start("ssl_buffer_size 8k;");
    cr_assert(!serves_file_by_kernel(connected(&plain)));
}

/* Its answer may be on the way while the handshake still is. */
E2E(ssl_kernel, a_connection_with_early_data_does_without)
{
    start("ssl_early_data on;");
    secure_t *first = connected(&plain);
    cr_assert_eq(serves_file_by_kernel(first), kernel_has_it());
    secure_how_t how = {.port = "tls", .session = first->session,
                        .early = STR("GET /file HTTP/1.1\r\nHost: a\r\n\r\n")};
    secure_t *s = connected(&how);
    cr_assert_eq(SSL_get_early_data_status(s->ssl), SSL_EARLY_DATA_ACCEPTED);
    seen = (seen_t){.size = 0};
    take(s, SIZE);
    cr_assert_eq(seen.size, (size_t)SIZE);
    cr_assert(!seen.wrong);
    serves_file_by_kernel(s);
}

/* --- on the way --- */

static void make_large(off_t size)
{
    int fd = open(file_path("large"), O_CREAT | O_WRONLY, 0644);
    cr_assert_eq(ftruncate(fd, size), 0);
    close(fd);
}

enum { LARGE = 64 * 1024 * 1024 };

E2E(ssl_kernel, a_client_may_be_slow)
{
    start("");
    make_large(LARGE);
    secure_t *s = connected(&plain);
    ask(s, "/large");
    pause_ms(300); /* its buffers fill */
    seen.any = true;
    take(s, LARGE);
    cr_assert_eq(seen.size, (size_t)LARGE);
    serves_file_by_kernel(s);
}

E2E(ssl_kernel, a_file_that_becomes_shorter_breaks_off)
{
    start("");
    make_large(LARGE);
    secure_t *s = connected(&plain);
    ask(s, "/large");
    make_large(100);
    seen.any = true;
    take(s, LARGE);
    cr_assert_lt(seen.size, (size_t)LARGE);
    serves_file_by_kernel(connected(&plain));
}

E2E(ssl_kernel, the_end_is_said)
{
    start("keepalive_timeout 0;");
    secure_t *s = connected(&plain);
    char more;
    size_t got;
    serves_file_by_kernel(s);
    cr_assert(!SSL_read_ex(s->ssl, &more, 1, &got));
    cr_assert(SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* What has no room in the socket when it is closed waits for some. */
E2E(ssl_kernel, a_connection_that_closes_loses_nothing)
{
    enum { LEAST = 64 * 1024, MOST = 400 * 1024, STEP = 8 * 1024 };
    certify("a", NULL, "");
    subject_http("", "server { listen 127.0.0.1:@tls@ ssl sndbuf=64k; " SHOWN
                     "root @dir@; keepalive_timeout 0; }");
    for (int size = LEAST; size < MOST; size += STEP) {
        make_large(size);
        secure_t *s = connected(&plain);
        ask(s, "/large");
        pause_ms(50); /* for most sizes all is written by then, and not all is on its way */
        seen.any = true;
        take(s, (size_t)size);
        cr_assert_eq(seen.size, (size_t)size, "%zu of %d", seen.size, size);
        secure_close(s);
    }
}

/* RFC 8446 4.6.3. The kernel goes on with the keys it has, so a client that wants new ones is not
   answered with the old. */
E2E(ssl_kernel, keys_may_change)
{
    start("location = /s { return 200 short; }");
    secure_t *s = connected(&plain);
    serves_file_by_kernel(s);
    cr_assert(SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED));
    assert_text(secure_ask(s, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n"), "short");
    cr_assert(SSL_key_update(s->ssl, SSL_KEY_UPDATE_REQUESTED));
    const char *body = secure_ask(s, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n");
    if (kernel_has_it()) cr_assert_null(body);
    else assert_text(body, "short");
    assert_text(secure_get(&plain, "/s"), "short");
}
