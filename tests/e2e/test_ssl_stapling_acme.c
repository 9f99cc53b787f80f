/* The status of certificates that come by ACME. */
#include <sys/stat.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/nameserver.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

#define ISSUER(port) \
    "acme_issuer ca { uri https://127.0.0.1:@" port "@/dir; ssl_trusted_certificate root.pem; " \
    "accept_terms_of_service; state_path state; retry 1s 2s; } "
#define SITE \
    "server { listen 127.0.0.1:@tls@ ssl; server_name a.test; acme_certificate ca; " \
    "ssl_stapling on; return 200 a; } "

static int on_status(SSL *ssl, void *arg)
{
    const unsigned char *p;
    *(long *)arg = SSL_get_tlsext_status_ocsp_resp(ssl, &p);
    return 1;
}

static long stapled(void)
{
    long n = -2;
    secure_how_t how = {.port = "tls", .name = "a.test", .status = on_status, .status_arg = &n};
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    secure_close(s);
    return n;
}

/* What the authority gave in an earlier life of the program. */
static void put_certificate(const char *responder)
{
    certify("root", NULL, "");
    certify("ca", NULL, "");
    certify_openssl(text("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch "
                         "-keyout @dir@/a.key -out @dir@/a.csr -subj /CN=a.test "
                         "-addext subjectAltName=DNS:a.test%s", responder));
    certify_authority("-batch -notext -in @dir@/a.csr -out @dir@/a.pem -days 90");
    mkdir(file_path("state"), 0755);
    file_write("state/a.test.ecdsa.pem", text("%s%s%s", file_read("a.key"), file_read("a.pem"),
                                              file_read("ca.pem")));
    chmod(file_path("state/a.test.ecdsa.pem"), 0644);
}

#define NAMES_RESPONDER " -addext authorityInfoAccess=OCSP;URI:http://127.0.0.1:@ocsp@/status"

static void shows_the_status(const char *main_level)
{
    put_certificate(NAMES_RESPONDER);
    peer_ocsp("ocsp", "ca");
    subject_http(main_level, ISSUER("dead") SITE);
    cr_assert(EVENTUALLY(stapled() > 100), "%s", subject_log());
    for (int i = 0; i < 8; i++) cr_expect_gt(stapled(), 100, "whichever worker it is");
}

E2E(ssl_stapling_acme, the_responder_is_asked)
{
    shows_the_status("worker_processes 2;");
}

E2E(ssl_stapling_acme, without_a_master)
{
    shows_the_status("master_process off;");
}

E2E(ssl_stapling_acme, an_authority_without_a_responder)
{
    put_certificate("");
    subject_http("", ISSUER("dead") SITE);
    subject_log_await("\"ssl_stapling\" ignored for certificate");
    subject_log_await("it names no OCSP responder");
    cr_expect_eq(stapled(), -1);
    cr_expect_eq(subject_log_count("no good OCSP response"), 0);
}

/* A certificate that has just been given is asked about, by who has not seen it before. */
E2E(ssl_stapling_acme, a_new_certificate_is_asked_about)
{
    nameserver_set(nameserver_start("dns"), "a.test", "A 60 127.0.0.1");
    certify("root", NULL, "");
    certify("ca", "root", " -addext subjectAltName=IP:127.0.0.1");
    peer_pebble("ca", "", ",\"ocspResponderURL\":\"http://127.0.0.1:@dead@/\"");
    subject_http("", ISSUER("ca") SITE "server { listen 127.0.0.1:@http@; }");
    cr_expect_eq(stapled(), -1);
    subject_log_await("has given a certificate");
    subject_log_await("no good OCSP response for certificate");
    cr_expect_eq(subject_log_count("its issuer is not known"), 0);
    cr_expect_eq(stapled(), -1);
}
