#include "core/io/tls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/tls_ctx.h"
#include "core/io/tls_session.h"

/* Two ends over a TCP connection; `left` is the client. Each end has a fiber of its own. */

enum { LARGE = 3000000, LONG_MS = 60000 };

static stream_t left, right;
static SSL_CTX *client_ctx, *server_ctx;
static tls_client_t how;
static tls_failure_t left_why, right_why;
static int left_result, right_result, running;
static ssize_t result;
static char *large, bytes[64];

/* --- certificates: a root, an issuer below it, and a server's --- */

typedef struct identity {
    X509 *cert;
    EVP_PKEY *key;
} identity_t;

static identity_t root, issuer, server;

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    cr_assert(e && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

static identity_t identity_new(EVP_PKEY *key, const char *name, const identity_t *by, bool ca)
{
    identity_t id = {X509_new(), key};
    X509_set_version(id.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), 1 + (long)(name[0]));
    X509_gmtime_adj(X509_getm_notBefore(id.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(by ? by->cert : id.cert));
    X509_set_pubkey(id.cert, key);
    if (ca) add_extension(id.cert, NID_basic_constraints, "critical,CA:TRUE");
    else add_extension(id.cert, NID_subject_alt_name, "DNS:origin.test,DNS:*.wild.test,"
                                                      "IP:127.0.0.1");
    cr_assert(X509_sign(id.cert, by ? by->key : key, EVP_sha256()));
    return id;
}

static void identity_free(identity_t *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

static void make_contexts(void)
{
    server_ctx = tls_ctx_new(true, TLS_1_2 | TLS_1_3);
    client_ctx = tls_ctx_new(false, TLS_1_2 | TLS_1_3);
    cr_assert(server_ctx && client_ctx);
    cr_assert(SSL_CTX_use_certificate(server_ctx, server.cert));
    cr_assert(SSL_CTX_add1_chain_cert(server_ctx, issuer.cert));
    cr_assert(SSL_CTX_use_PrivateKey(server_ctx, server.key));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client_ctx), root.cert);
    SSL_CTX_set_verify_depth(client_ctx, 3);
    how = (tls_client_t){.ctx = client_ctx, .name = STR("origin.test"), .peer = STR("here:1"),
                         .verify = true, .send_name = true};
}

static void connect_pair(int *a, int *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(to);
    int small = 16384, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    cr_assert_eq(bind(listener, (struct sockaddr *)&to, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&to, &len);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(*a, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    cr_assert_eq(connect(*a, (struct sockaddr *)&to, len), 0);
    *b = accept(listener, NULL, NULL);
    fcntl(*a, F_SETFL, O_NONBLOCK);
    fcntl(*b, F_SETFL, O_NONBLOCK);
    close(listener);
}

static void open_pair(void)
{
    int a, b;
    connect_pair(&a, &b);
    cr_assert_eq(stream_open(&left, a), 0);
    cr_assert_eq(stream_open(&right, b), 0);
}

static void begin(void)
{
    clock_update();
    cr_assert_eq(loop_open(), 0);
    root = identity_new(EVP_RSA_gen(2048), "root", NULL, true);
    issuer = identity_new(EVP_EC_gen("P-256"), "issuer", &root, true);
    server = identity_new(EVP_RSA_gen(2048), "server", &issuer, false);
    make_contexts();
    open_pair();
    large = malloc(LARGE);
    for (int i = 0; i < LARGE; i++) large[i] = (char)(i * 31 + i / 1000);
}

static void end(void)
{
    stream_close(&left, false);
    stream_close(&right, false);
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(server_ctx);
    identity_free(&root);
    identity_free(&issuer);
    identity_free(&server);
    tls_session_trim();
    loop_close();
    fiber_trim();
    free(large);
}

/* --- running --- */

static void run(void (*a)(void *), void (*b)(void *))
{
    running = (a != NULL) + (b != NULL);
    if (a) cr_assert(fiber_start(a, NULL));
    if (b) cr_assert(fiber_start(b, NULL));
    while (running) loop_turn(-1);
}

#define FIBER(name, body) \
    static void name(void *arg) \
    { \
        (void)arg; \
        body; \
        running--; \
    }

FIBER(shake_left, left_result = tls_connect(&left, &how, LONG_MS, &left_why))
FIBER(shake_right, right_result = tls_accept(&right, server_ctx, NULL, LONG_MS, &right_why))
FIBER(read_left, result = stream_read(&left, bytes, sizeof(bytes), LONG_MS))
FIBER(write_right, stream_write(&right, "hello", 5, LONG_MS))

static void shake_hands(void)
{
    run(shake_left, shake_right);
    cr_assert_eq(left_result, 0, "%s", left_why.text);
    cr_assert_eq(right_result, 0, "%s", right_why.text);
}

static void rejected_with(long verify)
{
    run(shake_left, shake_right);
    cr_assert_eq(left_result, -EKEYREJECTED);
    cr_assert_eq(left_why.verify, verify, "%ld", left_why.verify);
}

/* --- shaking hands --- */

Test(tls, both_ends_agree, .init = begin, .fini = end)
{
    shake_hands();
    cr_assert_eq(SSL_version(tls_ssl(&left)), TLS1_3_VERSION);
    cr_assert_str_eq(SSL_get_servername(tls_ssl(&right), TLSEXT_NAMETYPE_host_name), "origin.test");
    run(read_left, write_right);
    cr_assert_eq(result, 5);
    cr_assert_eq(memcmp(bytes, "hello", 5), 0);
    cr_assert_eq(left.received, 5u);
    cr_assert_eq(right.sent, 5u);
    cr_assert(!stream_readable(&left));
    cr_assert(tls_serves(&left, client_ctx, STR("origin.test")));
    cr_assert(!tls_serves(&left, client_ctx, STR("other.test")));
    cr_assert(!tls_serves(&left, server_ctx, STR("origin.test")));
}

Test(tls, a_name_by_wildcard, .init = begin, .fini = end)
{
    how.name = STR("a.wild.test");
    shake_hands();
}

Test(tls, an_address_is_verified_and_never_sent, .init = begin, .fini = end)
{
    how.name = STR("127.0.0.1");
    shake_hands();
    cr_assert_null(SSL_get_servername(tls_ssl(&right), TLSEXT_NAMETYPE_host_name));
}

Test(tls, no_name_is_sent_unasked, .init = begin, .fini = end)
{
    how.send_name = false;
    shake_hands();
    cr_assert_null(SSL_get_servername(tls_ssl(&right), TLSEXT_NAMETYPE_host_name));
}

Test(tls, a_wrong_name_is_rejected, .init = begin, .fini = end)
{
    how.name = STR("b.a.wild.test");
    rejected_with(X509_V_ERR_HOSTNAME_MISMATCH);
    cr_assert_eq(right_result, -EPROTO, "the server gets an alert");
}

Test(tls, a_wrong_address_is_rejected, .init = begin, .fini = end)
{
    how.name = STR("127.0.0.2");
    rejected_with(X509_V_ERR_IP_ADDRESS_MISMATCH);
}

FIBER(shake_left_alone, left_result = tls_connect(&left, &how, LONG_MS, &left_why))

Test(tls, without_a_name_nothing_is_verified, .init = begin, .fini = end)
{
    how.name = STR("");
    run(shake_left_alone, NULL);
    cr_assert_eq(left_result, -EKEYREJECTED);
}

Test(tls, an_unknown_issuer_is_rejected, .init = begin, .fini = end)
{
    SSL_CTX_clear_chain_certs(server_ctx);
    rejected_with(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

Test(tls, an_expired_certificate_is_rejected, .init = begin, .fini = end)
{
    X509_gmtime_adj(X509_getm_notAfter(server.cert), -10);
    cr_assert(X509_sign(server.cert, issuer.key, EVP_sha256()));
    cr_assert(SSL_CTX_use_certificate(server_ctx, server.cert));
    rejected_with(X509_V_ERR_CERT_HAS_EXPIRED);
}

Test(tls, without_verification_anything_goes, .init = begin, .fini = end)
{
    SSL_CTX_clear_chain_certs(server_ctx);
    how.verify = false;
    how.name = STR("other.test");
    shake_hands();
}

Test(tls, no_common_protocol_says_so, .init = begin, .fini = end)
{
    SSL_CTX_set_max_proto_version(server_ctx, TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(client_ctx, TLS1_3_VERSION);
    run(shake_left, shake_right);
    cr_assert_eq(left_result, -EPROTO);
    cr_assert(strstr(left_why.text, "SSL: error:"), "%s", left_why.text);
    cr_assert(strstr(left_why.text, "protocol version"), "%s", left_why.text);
    cr_assert_eq(right_result, -EPROTO);
}

Test(tls, a_plain_peer_says_so, .init = begin, .fini = end)
{
    static const char plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    cr_assert_eq(write(right.io.fd, plain, sizeof(plain) - 1), (ssize_t)sizeof(plain) - 1);
    run(shake_left_alone, NULL);
    cr_assert_eq(left_result, -EPROTO);
    cr_assert(strstr(left_why.text, "wrong version number"), "%s", left_why.text);
}

Test(tls, a_peer_that_closes_says_so, .init = begin, .fini = end)
{
    shutdown(right.io.fd, SHUT_WR);
    run(shake_left_alone, NULL);
    cr_assert_eq(left_result, -ENODATA);
}

FIBER(shake_briefly, left_result = tls_connect(&left, &how, 30, &left_why))

Test(tls, a_silent_peer_times_out, .init = begin, .fini = end)
{
    run(shake_briefly, NULL);
    cr_assert_eq(left_result, -ETIMEDOUT);
}

/* --- sessions --- */

static bool reused_by_second(void)
{
    shake_hands();
    run(read_left, write_right); /* which brings the tickets of TLS 1.3 */
    stream_close(&left, false);
    stream_close(&right, false);
    open_pair();
    shake_hands();
    cr_assert_eq(SSL_session_reused(tls_ssl(&left)), SSL_session_reused(tls_ssl(&right)));
    return SSL_session_reused(tls_ssl(&left));
}

Test(tls, sessions_are_taken_up_again, .init = begin, .fini = end)
{
    tls_reuse_sessions(client_ctx);
    cr_assert(reused_by_second());
}

Test(tls, sessions_of_tls_1_2_too, .init = begin, .fini = end)
{
    SSL_CTX_set_max_proto_version(server_ctx, TLS1_2_VERSION);
    tls_reuse_sessions(client_ctx);
    cr_assert(reused_by_second());
}

Test(tls, sessions_are_not_reused_unasked, .init = begin, .fini = end)
{
    cr_assert(!reused_by_second());
}

Test(tls, sessions_belong_to_peer_and_name, .init = begin, .fini = end)
{
    tls_reuse_sessions(client_ctx);
    cr_assert(reused_by_second());
    stream_close(&left, false);
    stream_close(&right, false);
    open_pair();
    how.name = STR("x.wild.test");
    shake_hands();
    cr_assert(!SSL_session_reused(tls_ssl(&left)));
}

/* --- bytes --- */

static struct iovec pieces[100];
static int file = -1, records;
static size_t taken;
static bool wrong;

static void cut_into_pieces(void)
{
    size_t at = 0;
    for (int i = 0; i < 100; i++) {
        size_t n = i == 99 ? LARGE - at : (size_t)(i * 61);
        pieces[i] = (struct iovec){large + at, n};
        at += n;
    }
}

static void take_all(void)
{
    static char piece[70000];
    ssize_t n;
    while (taken < LARGE && (n = stream_read(&right, piece, sizeof(piece), LONG_MS)) > 0) {
        wrong |= memcmp(piece, large + taken, (size_t)n) != 0;
        taken += (size_t)n;
    }
}

static void count_records(int out, int version, int type, const void *p, size_t n, SSL *ssl,
                          void *arg)
{
    (void)version, (void)p, (void)n, (void)ssl, (void)arg;
    if (!out && type == SSL3_RT_HEADER) records++;
}

FIBER(write_pieces, result = stream_writev(&left, pieces, 100, LONG_MS))
FIBER(write_large, result = stream_write(&left, large, LARGE, LONG_MS))
FIBER(send_file, result = stream_sendfile(&left, file, 0, LARGE, LONG_MS))
FIBER(send_too_much, result = stream_sendfile(&left, file, LARGE - 10, 11, LONG_MS))
FIBER(read_large, take_all())

static void took_all(void)
{
    cr_assert_eq(result, LARGE);
    cr_assert_eq(taken, (size_t)LARGE);
    cr_assert(!wrong);
    cr_assert_eq(left.sent, (uint64_t)LARGE);
    cr_assert_eq(right.received, (uint64_t)LARGE);
}

Test(tls, pieces_share_full_records, .init = begin, .fini = end)
{
    shake_hands();
    SSL_set_msg_callback(tls_ssl(&right), count_records);
    cut_into_pieces();
    run(write_pieces, read_large);
    took_all();
    /* Vectors are handed on 64 pieces at a time, so two batches may end with a part of a record. */
    cr_assert_leq(records, LARGE / SSL3_RT_MAX_PLAIN_LENGTH + 3);
}

static size_t sizes[64];
static unsigned sized;

static void note_sizes(int out, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
    const unsigned char *head = p;
    (void)version, (void)n, (void)ssl, (void)arg;
    if (!out && type == SSL3_RT_HEADER && sized < 64) sizes[sized++] = (size_t)head[3] << 8 | head[4];
}

FIBER(answer_large, stream_write(&right, large, 100000, LONG_MS))
FIBER(take_answer, while (taken < 100000) {
    ssize_t n = stream_read(&left, large + 200000, 70000, LONG_MS);
    if (n <= 0) break;
    taken += (size_t)n;
})

/* After a pause the first records fit a packet each (1460 bytes on most paths); then they are
   full. */
Test(tls, a_server_begins_with_small_records, .init = begin, .fini = end)
{
    shake_hands();
    SSL_set_msg_callback(tls_ssl(&left), note_sizes);
    run(answer_large, take_answer);
    cr_assert_eq(taken, 100000);
    cr_assert_gt(sized, 12); /* two tickets come first */
    for (unsigned i = 2; i < 12; i++) cr_assert_leq(sizes[i], 1400, "%u: %zu", i, sizes[i]);
    cr_assert_gt(sizes[12], SSL3_RT_MAX_PLAIN_LENGTH);
    sized = 0, taken = 0;
    run(answer_large, take_answer);
    cr_assert_gt(sizes[0], SSL3_RT_MAX_PLAIN_LENGTH, "%zu", sizes[0]);
}

Test(tls, much_passes_a_slow_socket, .init = begin, .fini = end)
{
    shake_hands();
    run(write_large, read_large);
    took_all();
}

static void make_file(void)
{
    char path[] = "/tmp/proxyd-tls.XXXXXX";
    file = mkstemp(path);
    unlink(path);
    cr_assert_eq(write(file, large, LARGE), LARGE);
}

Test(tls, sends_files, .init = begin, .fini = end)
{
    shake_hands();
    make_file();
    run(send_file, read_large);
    took_all();
    run(send_too_much, NULL);
    cr_assert_eq(result, -EIO);
    close(file);
}

FIBER(write_briefly, result = stream_write(&left, large, LARGE, 20))

Test(tls, a_write_that_nobody_takes_times_out, .init = begin, .fini = end)
{
    shake_hands();
    run(write_briefly, NULL);
    cr_assert_eq(result, -ETIMEDOUT);
}

Test(tls, more_than_is_read_at_once_is_pending, .init = begin, .fini = end)
{
    struct iovec iov = {large, 100};
    shake_hands();
    cr_assert_eq(stream_try_writev(&right, &iov, 1), 100);
    run(read_left, NULL);
    cr_assert_eq(result, 64);
    cr_assert(stream_readable(&left));
    run(read_left, NULL);
    cr_assert_eq(result, 36);
    cr_assert_eq(stream_try_read(&left, bytes, 1), -EAGAIN);
}

/* --- the end --- */

Test(tls, a_goodbye_is_an_end, .init = begin, .fini = end)
{
    shake_hands();
    stream_close(&right, false);
    run(read_left, NULL);
    cr_assert_eq(result, 0);
    run(read_left, NULL);
    cr_assert_eq(result, 0, "the end stays");
}

/* The peer waits for our goodbye before it closes the connection. */
Test(tls, a_goodbye_that_comes_with_the_last_bytes_is_seen, .init = begin, .fini = end)
{
    shake_hands();
    run(NULL, write_right);
    SSL_shutdown(tls_ssl(&right));
    right.io.ready |= LOOP_READ;
    cr_assert_eq(stream_try_read(&right, bytes, 1), -EAGAIN); /* which also sends */
    loop_turn(10);
    run(read_left, NULL);
    cr_assert_eq(result, 5);
    run(read_left, NULL);
    cr_assert_eq(result, 0);
}

Test(tls, an_end_without_goodbye_is_an_error, .init = begin, .fini = end)
{
    shake_hands();
    run(NULL, write_right);
    shutdown(right.io.fd, SHUT_WR);
    run(read_left, NULL);
    cr_assert_eq(result, 5, "what came before is not lost");
    run(read_left, NULL);
    cr_assert_eq(result, -ENODATA);
    run(read_left, NULL);
    cr_assert_eq(result, -ENODATA);
}

FIBER(write_left, result = stream_write(&left, "late", 4, LONG_MS))
FIBER(read_right, result = stream_read(&right, bytes, sizeof(bytes), LONG_MS))

Test(tls, after_a_shutdown_it_still_reads, .init = begin, .fini = end)
{
    shake_hands();
    stream_shutdown(&right);
    run(read_left, NULL);
    cr_assert_eq(result, 0);
    run(write_left, NULL);
    run(read_right, NULL);
    cr_assert_eq(result, 4);
}

Test(tls, garbage_is_an_error, .init = begin, .fini = end)
{
    static const char garbage[] = "\x17\x03\x03\x00\x20 this is not what was agreed on, is it";
    shake_hands();
    cr_assert_eq(write(right.io.fd, garbage, 37), 37);
    run(read_left, NULL);
    cr_assert_eq(result, -EPROTO);
}

Test(tls, closing_with_a_reset_is_seen_as_one, .init = begin, .fini = end)
{
    shake_hands();
    stream_close(&right, true);
    run(read_left, NULL);
    cr_assert_eq(result, -ECONNRESET);
}

/* --- the stack of a fiber --- */

enum { PAINTED = 100 * 1024, BELOW = 1024 };

static __attribute__((noinline)) volatile char *below(void)
{
    return (volatile char *)__builtin_frame_address(0) - BELOW;
}

static volatile char *paint(void)
{
    volatile char *at = below();
    for (size_t i = 0; i < PAINTED; i++) at[-(ssize_t)i] = 0x5a;
    return at;
}

static size_t used_below(volatile const char *at)
{
    size_t n = PAINTED;
    while (n && at[-(ssize_t)(n - 1)] == 0x5a) n--;
    return n + BELOW;
}

static size_t left_used, right_used;

static void measure_left(void *arg)
{
    volatile char *at = paint();
    shake_left(arg);
    left_used = used_below(at);
}

static void measure_right(void *arg)
{
    volatile char *at = paint();
    shake_right(arg);
    right_used = used_below(at);
}

Test(tls, a_handshake_needs_a_fraction_of_a_fibers_stack, .init = begin, .fini = end)
{
    run(measure_left, measure_right);
    cr_assert_eq(left_result, 0);
    cr_assert_lt(left_used, (size_t)FIBER_STACK / 2, "%zu", left_used);
    cr_assert_lt(right_used, (size_t)FIBER_STACK / 2, "%zu", right_used);
}
