/* libcurl as a client that trusts nobody without a reason: chains, names, its own certificate, the
   status that is stapled, sessions, both protocols. */
#include <signal.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/subject.h"

#define SERVER(name, more) \
    "server { listen 127.0.0.1:@tls@ ssl; server_name " name "; " \
    "return 200 '$server_name $ssl_protocol $http2 $ssl_session_reused$ssl_client_verify'; " more \
    " } "

/* The authority "ca" has signed it; its own certificate follows in the file. */
static void certify_site(const char *name)
{
    certify_openssl(text("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch "
                         "-keyout @dir@/%s.key -out @dir@/%s.csr -subj /CN=%s "
                         "-addext subjectAltName=DNS:%s", name, name, name, name));
    certify_authority(text("-batch -notext -in @dir@/%s.csr -out @dir@/%s.alone.pem -days 30", name,
                           name));
    file_write(text("%s.pem", name),
               text("%s%s", file_read(text("%s.alone.pem", name)), file_read("ca.pem")));
}

static struct curl_slist *addresses;

static void forget_addresses(void *arg)
{
    (void)arg;
    curl_slist_free_all(addresses);
    addresses = NULL;
}

/* A client that trusts the authority, on a connection of its own for each request. */
static CURL *client(const char *name)
{
    CURL *c = fetch_new(text("https://%s:@tls@/", name));
    if (!addresses) harness_at_end(forget_addresses, NULL);
    addresses = curl_slist_append(addresses, harness_expand(text("%s:@tls@:127.0.0.1", name)));
    curl_easy_setopt(c, CURLOPT_RESOLVE, addresses);
    curl_easy_setopt(c, CURLOPT_CAINFO, file_path("ca.pem"));
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    return c;
}

static void expect_answer(CURL *c, const char *answer)
{
    fetched_t *f = fetch(c);
    cr_expect_eq(f->code, CURLE_OK, "%s", curl_easy_strerror(f->code));
    cr_expect_str_eq(f->code ? "" : f->body.p, answer);
}

static void begin(const char *more)
{
    certify("ca", NULL, "");
    certify_site("a.test");
    certify_site("b.test");
    subject_http("worker_processes 2;",
                 text("ssl_session_cache shared:TLS:1m; "
                      SERVER("a.test", "ssl_certificate a.test.pem;"
                             " ssl_certificate_key a.test.key;")
                      SERVER("b.test", "ssl_certificate b.test.pem; ssl_certificate_key b.test.key;"
                             "%s"), more));
}

E2E(ssl_curl, trusts_the_chain_and_the_name)
{
    begin("");
    expect_answer(client("a.test"), "a.test TLSv1.3  .NONE");
    expect_answer(client("b.test"), "b.test TLSv1.3  .NONE");
    cr_expect_eq(fetch(client("c.test"))->code, CURLE_PEER_FAILED_VERIFICATION);
    certify("other", NULL, "");
    CURL *c = client("a.test");
    curl_easy_setopt(c, CURLOPT_CAINFO, file_path("other.pem"));
    cr_expect_eq(fetch(c)->code, CURLE_PEER_FAILED_VERIFICATION);
}

/* In TLS 1.2 it takes no tickets. */
E2E(ssl_curl, comes_back_to_its_session)
{
    begin("http2 on;");
    CURL *c = client("a.test");
    expect_answer(c, "a.test TLSv1.3  .NONE");
    for (int i = 0; i < 4; i++) expect_answer(c, "a.test TLSv1.3  rNONE");
    c = client("a.test");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_MAX_TLSv1_2);
    expect_answer(c, "a.test TLSv1.2  .NONE");
    for (int i = 0; i < 4; i++) expect_answer(c, "a.test TLSv1.2  rNONE");
    c = client("b.test");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    expect_answer(c, "b.test TLSv1.3 h2 .NONE");
    expect_answer(c, "b.test TLSv1.3 h2 rNONE");
}

E2E(ssl_curl, shows_its_certificate)
{
    certify("people", NULL, "");
    certify("me", "people", "");
    begin("ssl_verify_client on; ssl_client_certificate people.pem;");
    fetched_t *f = fetch(client("b.test"));
    cr_expect_eq(f->status, 400);
    CURL *c = client("b.test");
    curl_easy_setopt(c, CURLOPT_SSLCERT, file_path("me.pem"));
    curl_easy_setopt(c, CURLOPT_SSLKEY, file_path("me.key"));
    expect_answer(c, "b.test TLSv1.3  .SUCCESS");
    expect_answer(c, "b.test TLSv1.3  rSUCCESS");
    curl_easy_setopt(c, CURLOPT_SSLCERT, file_path("b.test.alone.pem"));
    curl_easy_setopt(c, CURLOPT_SSLKEY, file_path("b.test.key"));
    cr_expect_eq(fetch(c)->status, 400);
}

/* It refuses a server whose certificate comes without a good status. */
E2E(ssl_curl, wants_the_status)
{
    begin("ssl_stapling on; ssl_stapling_file good.der;");
    CURL *c = client("b.test");
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYSTATUS, 1L);
    cr_expect_eq(fetch(c)->code, CURLE_SSL_INVALIDCERTSTATUS);
    certify_openssl("ocsp -index @dir@/index -CA @dir@/ca.pem -rsigner @dir@/ca.pem -rkey "
                    "@dir@/ca.key -issuer @dir@/ca.pem -cert @dir@/b.test.alone.pem -ndays 1 "
                    "-respout @dir@/good.der");
    subject_signal(SIGHUP);
    subject_log_await("configuration 2");
    c = client("b.test");
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYSTATUS, 1L);
    cr_expect(EVENTUALLY(fetch(c)->code == CURLE_OK));
}
