/* The status of certificates, shown with them: from a file, from a responder. */
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

static int on_status(SSL *ssl, void *arg)
{
    const unsigned char *p;
    *(long *)arg = SSL_get_tlsext_status_ocsp_resp(ssl, &p);
    return 1;
}

/* The length of the response that was stapled; -1: none. */
static long stapled(void)
{
    long n = -2;
    secure_how_t how = {.port = "tls", .status = on_status, .status_arg = &n};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    secure_close(s);
    return n;
}

/* NAME.pem (with the authority's certificate behind it) and NAME.key. */
static void certify_leaf(const char *name, const char *more)
{
    certify_openssl(text("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch "
                         "-keyout "
                         "@dir@/%s.key -out @dir@/%s.csr -subj /CN=%s%s", name, name, name, more));
    certify_authority(text("-batch -notext -in @dir@/%s.csr -out @dir@/%s.pem -days 30", name,
                           name));
    file_write(text("%s.alone.pem", name), file_read(text("%s.pem", name)));
    file_write(text("%s.pem", name),
               text("%s%s", file_read(text("%s.pem", name)), file_read("ca.pem")));
}

static const char *server(const char *directives)
{
    return text("server { listen 127.0.0.1:@tls@ ssl; ssl_certificate leaf.pem;"
                " ssl_certificate_key leaf.key; ssl_stapling on; %s return 200 a; }", directives);
}

static void write_response(const char *file)
{
    certify_openssl(text("ocsp -index @dir@/index -CA @dir@/ca.pem -rsigner @dir@/ca.pem -rkey "
                         "@dir@/ca.key -issuer @dir@/ca.pem -cert @dir@/leaf.alone.pem -ndays 1 "
                         "-respout @dir@/%s", file));
}

E2E(ssl_stapling, a_status_from_a_file)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", "");
    write_response("good.der");
    certify_authority("-revoke @dir@/leaf.alone.pem");
    write_response("revoked.der");
    subject_http("", server("ssl_stapling_file good.der; ssl_stapling_verify on;"
                            " ssl_stapling_responder http://127.0.0.1/;"));
    cr_assert_gt(stapled(), 100);
    subject_reload(subject_configuration("", server("ssl_stapling_file revoked.der;")));
    subject_log_await("no good OCSP response in");
    subject_log_await("the certificate is revoked");
    subject_log_await("configuration 2");
    cr_assert(EVENTUALLY(stapled() == -1));
}

#define NAMES_RESPONDER " -addext authorityInfoAccess=OCSP;URI:http://127.0.0.1:@ocsp@/status"

E2E(ssl_stapling, the_responder_in_the_certificate_is_asked)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER);
    pid_t responder = peer_ocsp("ocsp", "ca");
    subject_http("worker_processes 2;", server("ssl_stapling_verify on;"
                                               " ssl_trusted_certificate ca.pem;"));
    cr_assert(EVENTUALLY(stapled() > 100));
    for (int i = 0; i < 8; i++) cr_expect_gt(stapled(), 100, "whichever worker it is");
    kill(responder, SIGKILL);
    subject_reload(subject_configuration("worker_processes 2;", server("")));
    subject_log_await("configuration 2");
    for (int i = 0; i < 8; i++) cr_expect_gt(stapled(), 100, "also after a reload");
}

E2E(ssl_stapling, the_responder_in_the_configuration_is_asked_by_name)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", "");
    peer_ocsp("ocsp", "ca");
    subject_http("master_process off;", server("ssl_stapling_responder http://localhost:@ocsp@;"));
    cr_assert(EVENTUALLY(stapled() > 100));
}

E2E(ssl_stapling, a_revoked_certificate_is_shown_without)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER);
    certify_authority("-revoke @dir@/leaf.alone.pem");
    peer_ocsp("ocsp", "ca");
    subject_http("", server(""));
    subject_log_await("no good OCSP response for certificate");
    subject_log_await("the certificate is revoked; asking again in");
    cr_assert_eq(stapled(), -1);
}

E2E(ssl_stapling, an_answer_that_is_not_the_issuers_is_not_shown)
{
    certify("ca", NULL, "");
    certify("other", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER);
    peer_ocsp("ocsp", "other");
    subject_http("", server(""));
    subject_log_await("it is not signed by one who may; asking again in");
    cr_assert_eq(stapled(), -1);
}

E2E(ssl_stapling, verify_wants_an_issuer_that_is_trusted)
{
    certify("ca", NULL, "");
    certify("other", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER);
    peer_ocsp("ocsp", "ca");
    subject_http("", server("ssl_stapling_verify on; ssl_trusted_certificate other.pem;"));
    subject_log_await("it is not signed by one who may; asking again in");
    cr_assert_eq(stapled(), -1);
}

E2E(ssl_stapling, nobody_to_ask_is_warned_of)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", "");
    certify("alone", NULL, "");
    subject_http("", text("%s server { listen 127.0.0.1:@tls@ ssl; server_name alone;"
                          " ssl_certificate alone.pem; ssl_certificate_key alone.key;"
                          " ssl_stapling on; }", server("")));
    subject_log_await("\"ssl_stapling\" ignored, no OCSP responder URL in the certificate");
    subject_log_await("\"ssl_stapling\" ignored, issuer certificate not found for certificate");
    cr_assert_eq(stapled(), -1);
}

/* RFC 7633 */
E2E(ssl_stapling, a_certificate_that_must_be_stapled)
{
    certify("ca", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER " -addext tlsfeature=status_request");
    peer_ocsp("ocsp", "ca");
    subject_http("", text("server { listen 127.0.0.1:@tls@ ssl; ssl_certificate leaf.pem;"
                          " ssl_certificate_key leaf.key; return 200 a; }"));
    subject_log_await("must be shown with its status: clients will refuse it");
    subject_reload(subject_configuration("", server("")));
    subject_log_await("configuration 2");
    cr_assert(EVENTUALLY(stapled() > 100));
}

/* --- answers that hold for seconds --- */

enum { HOLDS = 4 };

typedef struct book {
    X509 *ca, *leaf;
    EVP_PKEY *key;
    bool silent;
} book_t;

static X509 *read_certificate(const char *name)
{
    BIO *in = BIO_new_file(file_path(name), "r");
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
    BIO_free(in);
    return x;
}

static int make_answer(const book_t *b, unsigned char **der)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -60), *until = X509_gmtime_adj(NULL, HOLDS);
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, b->leaf, b->ca);
    OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, until);
    OCSP_basic_sign(basic, b->ca, b->key, EVP_sha256(), NULL, 0);
    OCSP_RESPONSE *answer = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int n = i2d_OCSP_RESPONSE(answer, der);
    OCSP_RESPONSE_free(answer);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return n;
}

static void tell(visit_t *v)
{
    const book_t *b = visit_arg(v);
    unsigned char *der = NULL;
    char head[128];
    if (!visit_request(v)) return;
    if (__atomic_load_n(&b->silent, __ATOMIC_RELAXED)) return;
    int n = make_answer(b, &der);
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", n);
    visit_send(v, head);
    visit_send_n(v, (char *)der, (size_t)n);
    OPENSSL_free(der);
}

E2E(ssl_stapling, is_renewed_in_time_and_never_shown_when_it_has_run_out)
{
    static book_t book;
    origin_t *o = origin_start("ocsp", tell, &book);
    certify("ca", NULL, "");
    certify_leaf("leaf", NAMES_RESPONDER);
    book = (book_t){.ca = read_certificate("ca.pem"), .leaf = read_certificate("leaf.alone.pem")};
    BIO *in = BIO_new_file(file_path("ca.key"), "r");
    book.key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    subject_http("", server(""));
    cr_assert(EVENTUALLY(stapled() > 100));
    cr_assert(EVENTUALLY(origin_requests(o) > 2));
    assert_has(origin_head(o, 0), "GET /status/M"); /* base64 of a SEQUENCE */
    __atomic_store_n(&book.silent, true, __ATOMIC_RELAXED);
    cr_assert(EVENTUALLY(stapled() == -1));
    subject_log_await("the responder closed the connection; asking again in 5 s");
    __atomic_store_n(&book.silent, false, __ATOMIC_RELAXED);
    cr_assert(EVENTUALLY(stapled() > 100));
}
