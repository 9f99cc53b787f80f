#include "core/io/tls.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "core/io/tls_ctx.h"
#include "tests/unit/core/io/ends.h"

static ENDS_FIBER(write_right, stream_write(&ends.right, "hello", 5, ENDS_LONG_MS))

static void rejected_with(long verify)
{
    ends_run(ends_shake_left, ends_shake_right);
    cr_assert_eq(ends.left_result, -EKEYREJECTED);
    cr_assert_eq(ends.left_why.verify, verify, "%ld", ends.left_why.verify);
}

/* --- shaking hands --- */

Test(tls, both_ends_agree, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    cr_assert_eq(SSL_version(tls_ssl(&ends.left)), TLS1_3_VERSION);
    cr_assert_str_eq(SSL_get_servername(tls_ssl(&ends.right), TLSEXT_NAMETYPE_host_name),
                     "origin.test");
    ends_run(ends_read_left, write_right);
    cr_assert_eq(ends.result, 5);
    cr_assert_eq(memcmp(ends.bytes, "hello", 5), 0);
    cr_assert_eq(ends.left.received, 5u);
    cr_assert_eq(ends.right.sent, 5u);
    cr_assert(!stream_readable(&ends.left));
    cr_assert(tls_serves(&ends.left, ends.client_ctx, STR("origin.test")));
    cr_assert(!tls_serves(&ends.left, ends.client_ctx, STR("other.test")));
    cr_assert(!tls_serves(&ends.left, ends.server_ctx, STR("origin.test")));
}

Test(tls, a_name_by_wildcard, .init = ends_begin, .fini = ends_end)
{
    ends.how.name = STR("a.wild.test");
    ends_shake_hands();
}

Test(tls, an_address_is_verified_and_never_sent, .init = ends_begin, .fini = ends_end)
{
    ends.how.name = STR("127.0.0.1");
    ends_shake_hands();
    cr_assert_null(SSL_get_servername(tls_ssl(&ends.right), TLSEXT_NAMETYPE_host_name));
}

Test(tls, no_name_is_sent_unasked, .init = ends_begin, .fini = ends_end)
{
    ends.how.send_name = false;
    ends_shake_hands();
    cr_assert_null(SSL_get_servername(tls_ssl(&ends.right), TLSEXT_NAMETYPE_host_name));
}

Test(tls, a_wrong_name_is_rejected, .init = ends_begin, .fini = ends_end)
{
    ends.how.name = STR("b.a.wild.test");
    rejected_with(X509_V_ERR_HOSTNAME_MISMATCH);
    cr_assert_eq(ends.right_result, -EPROTO, "the server gets an alert");
}

Test(tls, a_wrong_address_is_rejected, .init = ends_begin, .fini = ends_end)
{
    ends.how.name = STR("127.0.0.2");
    rejected_with(X509_V_ERR_IP_ADDRESS_MISMATCH);
}

static void shake_left_within(uint64_t ms)
{
    ends.left_result = tls_connect(&ends.left, &ends.how, ms, &ends.left_why);
}

static ENDS_FIBER(shake_left_alone, shake_left_within(ENDS_LONG_MS))

Test(tls, without_a_name_nothing_is_verified, .init = ends_begin, .fini = ends_end)
{
    ends.how.name = STR("");
    ends_run(shake_left_alone, NULL);
    cr_assert_eq(ends.left_result, -EKEYREJECTED);
}

Test(tls, an_unknown_issuer_is_rejected, .init = ends_begin, .fini = ends_end)
{
    SSL_CTX_clear_chain_certs(ends.server_ctx);
    rejected_with(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

Test(tls, an_expired_certificate_is_rejected, .init = ends_begin, .fini = ends_end)
{
    X509_gmtime_adj(X509_getm_notAfter(ends.leaf.cert), -10);
    cr_assert(X509_sign(ends.leaf.cert, ends.issuer.key, EVP_sha256()));
    cr_assert(SSL_CTX_use_certificate(ends.server_ctx, ends.leaf.cert));
    rejected_with(X509_V_ERR_CERT_HAS_EXPIRED);
}

Test(tls, without_verification_anything_goes, .init = ends_begin, .fini = ends_end)
{
    SSL_CTX_clear_chain_certs(ends.server_ctx);
    ends.how.verify = false;
    ends.how.name = STR("other.test");
    ends_shake_hands();
}

Test(tls, no_common_protocol_says_so, .init = ends_begin, .fini = ends_end)
{
    SSL_CTX_set_max_proto_version(ends.server_ctx, TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(ends.client_ctx, TLS1_3_VERSION);
    ends_run(ends_shake_left, ends_shake_right);
    cr_assert_eq(ends.left_result, -EPROTO);
    cr_assert(strstr(ends.left_why.text, "SSL: error:"), "%s", ends.left_why.text);
    cr_assert(strstr(ends.left_why.text, "protocol version"), "%s", ends.left_why.text);
    cr_assert_eq(ends.right_result, -EPROTO);
}

Test(tls, a_plain_peer_says_so, .init = ends_begin, .fini = ends_end)
{
    static const char plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    cr_assert_eq(write(ends.right.io.fd, plain, sizeof(plain) - 1), (ssize_t)sizeof(plain) - 1);
    ends_run(shake_left_alone, NULL);
    cr_assert_eq(ends.left_result, -EPROTO);
    cr_assert(strstr(ends.left_why.text, "wrong version number"), "%s", ends.left_why.text);
}

Test(tls, a_peer_that_closes_says_so, .init = ends_begin, .fini = ends_end)
{
    shutdown(ends.right.io.fd, SHUT_WR);
    ends_run(shake_left_alone, NULL);
    cr_assert_eq(ends.left_result, -ENODATA);
}

static ENDS_FIBER(shake_briefly, shake_left_within(30))

Test(tls, a_silent_peer_times_out, .init = ends_begin, .fini = ends_end)
{
    ends_run(shake_briefly, NULL);
    cr_assert_eq(ends.left_result, -ETIMEDOUT);
}

/* --- sessions --- */

static bool reused_by_second(void)
{
    ends_shake_hands();
    ends_run(ends_read_left, write_right); /* which brings the tickets of TLS 1.3 */
    stream_close(&ends.left, false);
    stream_close(&ends.right, false);
    ends_connect();
    ends_shake_hands();
    cr_assert_eq(SSL_session_reused(tls_ssl(&ends.left)), SSL_session_reused(tls_ssl(&ends.right)));
    return SSL_session_reused(tls_ssl(&ends.left));
}

Test(tls, sessions_are_taken_up_again, .init = ends_begin, .fini = ends_end)
{
    tls_reuse_sessions(ends.client_ctx);
    cr_assert(reused_by_second());
}

Test(tls, sessions_of_tls_1_2_too, .init = ends_begin, .fini = ends_end)
{
    SSL_CTX_set_max_proto_version(ends.server_ctx, TLS1_2_VERSION);
    tls_reuse_sessions(ends.client_ctx);
    cr_assert(reused_by_second());
}

Test(tls, sessions_are_not_reused_unasked, .init = ends_begin, .fini = ends_end)
{
    cr_assert(!reused_by_second());
}

Test(tls, sessions_belong_to_peer_and_name, .init = ends_begin, .fini = ends_end)
{
    tls_reuse_sessions(ends.client_ctx);
    cr_assert(reused_by_second());
    stream_close(&ends.left, false);
    stream_close(&ends.right, false);
    ends_connect();
    ends.how.name = STR("x.wild.test");
    ends_shake_hands();
    cr_assert(!SSL_session_reused(tls_ssl(&ends.left)));
}

/* --- the end --- */

Test(tls, a_goodbye_is_an_end, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    stream_close(&ends.right, false);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 0);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 0, "the end stays");
}

/* The peer waits for our goodbye before it closes the connection. */
Test(tls, a_goodbye_that_comes_with_the_last_bytes_is_seen, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    ends_run(NULL, write_right);
    SSL_shutdown(tls_ssl(&ends.right));
    ends.right.io.ready |= LOOP_READ;
    cr_assert_eq(stream_try_read(&ends.right, ends.bytes, 1), -EAGAIN); /* which also sends */
    loop_turn(10);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 5);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 0);
}

Test(tls, an_end_without_goodbye_is_an_error, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    ends_run(NULL, write_right);
    shutdown(ends.right.io.fd, SHUT_WR);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 5, "what came before is not lost");
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, -ENODATA);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, -ENODATA);
}

static ENDS_FIBER(write_left, ends.result = stream_write(&ends.left, "late", 4, ENDS_LONG_MS))
static ENDS_FIBER(read_right, ends.result = stream_read(&ends.right, ends.bytes,
                                                        sizeof(ends.bytes), ENDS_LONG_MS))

Test(tls, after_a_shutdown_it_still_reads, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    stream_shutdown(&ends.right);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, 0);
    ends_run(write_left, NULL);
    ends_run(read_right, NULL);
    cr_assert_eq(ends.result, 4);
}

Test(tls, garbage_is_an_error, .init = ends_begin, .fini = ends_end)
{
    static const char garbage[] = "\x17\x03\x03\x00\x20 this is not what was agreed on, is it";
    ends_shake_hands();
    cr_assert_eq(write(ends.right.io.fd, garbage, 37), 37);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, -EPROTO);
}

Test(tls, closing_with_a_reset_is_seen_as_one, .init = ends_begin, .fini = ends_end)
{
    ends_shake_hands();
    stream_close(&ends.right, true);
    ends_run(ends_read_left, NULL);
    cr_assert_eq(ends.result, -ECONNRESET);
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
    ends_shake_left(arg);
    left_used = used_below(at);
}

static void measure_right(void *arg)
{
    volatile char *at = paint();
    ends_shake_right(arg);
    right_used = used_below(at);
}

Test(tls, a_handshake_needs_a_fraction_of_a_fibers_stack, .init = ends_begin, .fini = ends_end)
{
    ends_run(measure_left, measure_right);
    cr_assert_eq(ends.left_result, 0);
    cr_assert_lt(left_used, (size_t)FIBER_STACK / 2, "%zu", left_used);
    cr_assert_lt(right_used, (size_t)FIBER_STACK / 2, "%zu", right_used);
}
