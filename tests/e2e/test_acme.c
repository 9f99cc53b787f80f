/* Certificates that are asked of an authority: pebble, and some that are none. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/fetch.h"
#include "tests/e2e/nameserver.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define ISSUER(more) \
    "acme_issuer ca { uri https://127.0.0.1:@ca@/dir; ssl_trusted_certificate root.pem; " \
    "contact admin@a.test; accept_terms_of_service; state_path state; retry 1s 2s; " more " } "
#define STATUS "server { listen 127.0.0.1:@http@; location = /status { status; } " \
               "location / { deny all; } } "
#define SITE(more) \
    "server { listen 127.0.0.1:@tls@ ssl; server_name a.test; return 200 site; " more " } "

#define PATIENT \
    "acme_issuer ca { uri https://127.0.0.1:@ca@/dir; ssl_trusted_certificate root.pem; " \
    "accept_terms_of_service; state_path state; retry 1h; } "

static nameserver_t *ns;

/* Names lead to this machine; the authority's own certificate is for its address. */
static void begin_authority_with(const char *settings, const char *more)
{
    ns = nameserver_start("dns");
    nameserver_set(ns, "a.test", "A 60 127.0.0.1");
    nameserver_set(ns, "b.test", "A 60 127.0.0.1");
    certify("root", NULL, "");
    certify("ca", "root", " -addext subjectAltName=IP:127.0.0.1,DNS:ca.test");
    peer_pebble("ca", settings, more);
}

static void begin_authority(const char *settings)
{
    begin_authority_with(settings, "");
}

static const char *issuer_of(const char *name)
{
    secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = name});
    cr_assert(!s->failed, "%s", s->failed);
    const char *issuer = secure_issuer(s);
    secure_close(s);
    return issuer;
}

/* Of some connections, which all workers get of. */
static bool all_are_issued(const char *name)
{
    for (int i = 0; i < 12; i++)
        if (!strstr(issuer_of(name), "Pebble")) return false;
    return true;
}

static const char *status(void)
{
    static CURL *c;
    if (!c) c = fetch_new("http://127.0.0.1:@http@/status");
    fetched_t *f = fetch(c);
    cr_assert_eq(f->status, 200);
    return text(STR_FMT, STR_ARG(f->body));
}

/* How often the authority has said so. */
static unsigned ca_said(const char *part)
{
    unsigned n = 0;
    for (const char *p = file_read("ca.txt"); (p = strstr(p, part)); p += strlen(part)) n++;
    return n;
}

/* Whether so many certificates have been given, and no more asked for but where one had failed,
   however slow the machine. */
static bool were_given(unsigned n)
{
    return subject_log_count("has given a certificate") == n &&
           ca_said("orders in the db") <= n + subject_log_count("acme: no certificate for");
}

static mode_t mode_of(const char *name)
{
    struct stat st;
    cr_assert_eq(stat(file_path(name), &st), 0, "%s", name);
    return st.st_mode & 07777;
}

static ran_t ctl(const char *words)
{
    return subject_run(text("-p %s/ -c proxyd.conf ctl %s", harness_dir(), words));
}

E2E(acme, over_http)
{
    begin_authority("PEBBLE_WFE_NONCEREJECT=0");
    /* Whatever is said of requests, the authority is answered. */
    subject_http("worker_processes 4; control @dir@/ctl;",
                 ISSUER("") STATUS
                 "server { listen 127.0.0.1:@http@; server_name a.test; deny all; "
                 "return 301 https://a.test$request_uri; } "
                 SITE("acme_certificate ca a.test b.test; http2 on;"));
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");

    /* One process has asked, once, and has kept what it got to itself. */
    cr_expect(were_given(1), "%s%s", subject_log(), file_read("ca.txt"));
    cr_expect_eq(ca_said("accounts in memory"), 1u);
    cr_expect_eq(mode_of("state"), 0700);
    cr_expect_eq(mode_of("state/account.key"), 0600);
    cr_expect_eq(mode_of("state/a.test.ecdsa.pem"), 0600);
    assert_has(status(), "\"acme\":{\"ca\":{\"certificates\":[{\"file\":\"");
    assert_has(status(), "\"name\":\"a.test\",\"names\":2,\"state\":\"issued\",\"failures\":0,"
                         "\"error\":\"\",\"next\":\"");
    assert_has(status(), "a.test b.test");
    assert_has(ctl("acme").output, "a.test\tca\tissued\t0 failures\t\n");

    /* When nothing is asked, nothing is answered. */
    cr_expect_eq(fetch_get("http://127.0.0.1:@http@/.well-known/acme-challenge/x")->status, 403);
}

E2E(acme, over_tls)
{
    /* One in four nonces is not taken. */
    begin_authority("PEBBLE_WFE_NONCEREJECT=25 PEBBLE_AUTHZREUSE=0");
    nameserver_set(ns, "ca.test", "A 60 127.0.0.1");
    nameserver_set(ns, "b.test", "NXDOMAIN");
    certify("other", NULL, "");
    certify_openssl("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out @dir@/account.pem");
    subject_http("worker_processes 2;",
                 "acme_shared_zone zone=authorities:512k; "
                 "acme_issuer ca { uri https://ca.test:@ca@/dir; challenge tls-alpn; "
                 "resolver 127.0.0.1:@dns@ ipv6=off; resolver_timeout 20s; "
                 "account_key account.pem; "
                 "ssl_trusted_certificate root.pem; accept_terms_of_service; state_path state; "
                 "retry 1s 2s; } " STATUS
                 "server { listen 127.0.0.1:@tls@ ssl default_server; http2 on; "
                 "ssl_certificate other.pem; ssl_certificate_key other.key; return 200 other; } "
                 "server { listen 127.0.0.1:@tls@ ssl; server_name a.test b.test; "
                 "acme_certificate ca key=rsa:2048; "
                 "ssl_certificate $acme_certificate; ssl_certificate_key $acme_certificate_key; "
                 "ssl_verify_client on; ssl_client_certificate root.pem; return 200 site; }");
    cr_assert_str_eq(issuer_of("a.test"), "a.test");
    nameserver_set(ns, "b.test", "A 60 127.0.0.1");
    cr_assert(EVENTUALLY(all_are_issued("b.test")), "%s%s", subject_log(), file_read("ca.txt"));
    cr_expect_eq(mode_of("state/a.test.rsa.pem"), 0600);
    cr_expect(!file_exists("state/account.key"));
    assert_has(subject_log(), "is told that a.test is ours");
    assert_has(subject_log(), "is told that b.test is ours");

    /* Nobody else is: the protocol is refused where nothing is asked. */
    secure_t *s = secure_open(&(secure_how_t){.port = "tls", .name = "a.test",
                                              .alpn = STR("\12acme-tls/1")});
    cr_expect(s->failed);
    assert_text(secure_get(&(secure_how_t){.port = "tls"}, "/"), "other");
}

E2E(acme, a_restart)
{
    begin_authority("");
    const char *http = ISSUER("") STATUS SITE("acme_certificate ca;");
    subject_http("", http);
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
    cr_assert_eq(subject_stop(SIGQUIT), 0);

    /* What is there is shown from the first connection on, and not asked for again. */
    subject_http("", http);
    cr_expect(all_are_issued("a.test"));
    cr_assert(EVENTUALLY(strstr(status(), "\"state\":\"issued\"")));
    cr_expect(were_given(1));

    /* What has gone is; by the same account. */
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    cr_assert_eq(unlink(file_path("state/a.test.ecdsa.pem")), 0);
    subject_http("", http);
    cr_assert(EVENTUALLY(all_are_issued("a.test")));
    cr_expect(were_given(2));
    cr_expect_eq(ca_said("accounts in memory"), 1u);

    /* So is a name that comes in addition, by a reload, while the old one is shown. */
    subject_reload(subject_configuration("", ISSUER("") STATUS
                                             SITE("acme_certificate ca a.test b.test;")));
    cr_assert(EVENTUALLY(were_given(3) &&
                         strstr(status(), "\"names\":2,\"state\":\"issued\"")));
    cr_expect(all_are_issued("a.test"));
    assert_has(status(), "\"names\":\"a.test b.test\"");
}

/* A certificate of the name's own for a.test, valid from so many days ago, for so many from now. */
static void write_old(const char *file, int from, int to)
{
    enum { DAY = 24 * 3600 };
    X509 *cert = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_set_version(cert, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(cert), from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(cert), to * DAY);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"old", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:a.test");
    X509_add_ext(cert, names, -1);
    X509_sign(cert, key, EVP_sha256());
    FILE *f = fopen(file_path(file), "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    PEM_write_X509(f, cert);
    fclose(f);
    chmod(file_path(file), 0644);
    X509_EXTENSION_free(names);
    X509_free(cert);
    EVP_PKEY_free(key);
}

E2E(acme, a_renewal_that_fails_at_first)
{
    begin_authority("");
    nameserver_set(ns, "a.test", "NXDOMAIN");
    mkdir(file_path("state"), 0700);
    write_old("state/a.test.ecdsa.pem", -89, 29); /* a little less than a third is left */
    subject_http("worker_processes 3; control @dir@/ctl;",
                 PATIENT STATUS SITE("acme_certificate ca;"));
    cr_assert_str_eq(issuer_of("a.test"), "old");
    cr_assert(EVENTUALLY(strstr(status(), "\"state\":\"failed\"")), "%s", status());
    assert_has(status(), "\"failures\":1,\"error\":\"a.test: ");
    assert_has(subject_log(), "acme: no certificate for a.test from ca: a.test: ");
    cr_assert_str_eq(issuer_of("a.test"), "old");

    /* A new configuration does not forget that it is to wait; an operator may not want to. */
    subject_reload(subject_configuration("worker_processes 3; control @dir@/ctl;",
                                         PATIENT STATUS SITE("acme_certificate ca;")));
    /* Two have started, one has ended. */
    cr_assert(EVENTUALLY(subject_log_count("acme process ") == 3));
    nameserver_set(ns, "a.test", "A 60 127.0.0.1");
    pause_ms(2000); /* in which one that forgot would ask; too short is no failure */
    cr_expect_eq(ca_said("orders in the db"), 1u);
    assert_has(status(), "\"state\":\"failed\",\"failures\":1");
    cr_assert(EVENTUALLY(ctl("acme retry").status == 0 && all_are_issued("a.test")), "%s",
              subject_log());
    assert_has(status(), "\"state\":\"issued\",\"failures\":0");
}

static pid_t asking_process(void)
{
    static const char said[] = "start acme process ";
    const char *last = NULL;
    for (const char *p = subject_log(); (p = strstr(p, said)); p += strlen(said)) last = p;
    cr_assert(last);
    return (pid_t)atoi(last + strlen(said));
}

E2E(acme, failures_are_tried_again)
{
    begin_authority("");
    nameserver_set(ns, "a.test", "NXDOMAIN");
    subject_http("", "acme_issuer ca { uri https://127.0.0.1:@ca@/dir; ssl_verify off; "
                     "accept_terms_of_service; retry 500ms 1s; } "
                     STATUS SITE("acme_certificate ca;"));
    cr_assert(EVENTUALLY(subject_log_count("acme: no certificate for a.test") >= 2));
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");

    /* The process that asks is killed, and the next one goes on. */
    subject_tolerate("exited on signal 9");
    cr_assert_eq(kill(asking_process(), SIGKILL), 0);
    cr_assert(EVENTUALLY(subject_log_count("start acme process ") == 2));
    nameserver_set(ns, "a.test", "A 60 127.0.0.1");
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
    cr_expect_eq(mode_of("acme_ca/a.test.ecdsa.pem"), 0600);
}

E2E(acme, an_account_that_the_authority_knows)
{
    begin_authority_with("", ",\"externalAccountBindingRequired\":true,\"externalAccountMACKeys\":"
                             "{\"kid-1\":\"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUA"
                             "sUDkMTQ12W\"}");
    file_write("mac.txt", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n");
    subject_http("", ISSUER("external_account_key kid-1 mac.txt;") STATUS
                     SITE("acme_certificate ca;"));
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
}

/* With all in one process. */
E2E(acme, without_a_master)
{
    begin_authority("");
    subject_http("master_process off;", ISSUER("") STATUS SITE("acme_certificate ca;"));
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
}

E2E(acme, an_authority_that_is_not_trusted)
{
    begin_authority("");
    certify("elsewhere", NULL, "");
    subject_http("", "acme_issuer ca { uri https://127.0.0.1:@ca@/dir; state_path state; "
                     "ssl_trusted_certificate elsewhere.pem; } "
                     STATUS SITE("acme_certificate ca;"));
    cr_assert(EVENTUALLY(strstr(status(), "\"state\":\"failed\"")));
    assert_has(status(), "is not trusted (");
    cr_expect_eq(ca_said("accounts in memory"), 0u);
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");
}

/* One that knows its directory and nonces, and has had enough. */
static void busy(visit_t *v)
{
    const char *const *directory = visit_arg(v);
    if (!visit_request(v)) return;
    if (visit_target_is(v, "/dir")) visit_send(v, *directory);
    else if (visit_target_is(v, "/nonce"))
        visit_send(v, "HTTP/1.1 200 OK\r\nReplay-Nonce: abc\r\nContent-Length: 0\r\n\r\n");
    else
        visit_send(v, "HTTP/1.1 429 Slow Down\r\nReplay-Nonce: def\r\nRetry-After: 90000\r\n"
                      "Connection: close\r\n\r\n{\"detail\":\"not so many\","
                      "\"type\":\"urn:ietf:params:acme:error:rateLimited\"}");
}

static const char *answer_with(const char *body)
{
    return text("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

#define BUSY_SITE "acme_issuer ca { uri http://127.0.0.1:@ca@/dir; state_path state; retry 1s; } " \
                  STATUS SITE("acme_certificate ca;")

E2E(acme, an_authority_that_wants_to_be_left_alone)
{
    static const char *directory; /* asked for again when the test is over */
    origin_t *o = origin_start("ca", busy, &directory);
    directory = answer_with(harness_expand(
        "{\"newNonce\":\"http://127.0.0.1:@ca@/nonce\","
        "\"newOrder\":\"http://127.0.0.1:@ca@/order\","
        "\"newAccount\":\"http://127.0.0.1:@ca@/account\"}"));
    subject_http("", BUSY_SITE);
    cr_assert(EVENTUALLY(strstr(status(), "\"error\":\"rateLimited: not so many\"")), "%s",
              status());
    const char *line = strstr(subject_log(), "rateLimited: not so many; tried again in ");
    cr_assert(line);
    cr_expect(atoi(strstr(line, " in ") + 4) >= 90000, "%s", line);
    unsigned asked = origin_requests(o);
    cr_expect_eq(asked, 3u);
}

E2E(acme, an_authority_that_sends_us_elsewhere)
{
    static const char *directory;
    origin_start("ca", busy, &directory);
    directory = answer_with(harness_expand(
        "{\"newNonce\":\"http://127.0.0.1:@ca@/nonce\",\"newOrder\":\"http://a.test/order\","
        "\"newAccount\":\"http://127.0.0.1:@ca@/account\"}"));
    subject_http("", BUSY_SITE);
    cr_assert(EVENTUALLY(strstr(status(), "lacks newNonce, newAccount or newOrder")), "%s",
              status());
}

E2E(acme, an_authority_that_is_broken)
{
    origin_start("ca", origin_say_once, "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nno\n");
    subject_http("", BUSY_SITE);
    cr_assert(EVENTUALLY(strstr(status(), "/dir with status 500\"")), "%s", status());
    cr_assert(EVENTUALLY(subject_log_count("with status 500; tried again in ") >= 2));
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");
}

/* It holds up neither another one nor the end. */
E2E(acme, an_authority_that_never_answers)
{
    begin_authority("");
    origin_t *o = origin_start("slow", origin_silent, NULL);
    subject_http("", ISSUER("")
                     "acme_issuer slow { uri http://127.0.0.1:@slow@/dir; } " STATUS
                     "server { listen 127.0.0.1:@tls@ ssl; server_name b.test; "
                     "acme_certificate slow; return 200 slow; } "
                     SITE("acme_certificate ca;"));
    cr_assert(EVENTUALLY(all_are_issued("a.test")), "%s", subject_log());
    cr_assert(origin_await_connections(o, 1));
    assert_has(status(), "\"name\":\"b.test\",\"names\":1,\"state\":\"asking\"");
    cr_assert_str_eq(issuer_of("b.test"), "b.test");
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    assert_lacks(subject_log(), "no certificate for b.test"); /* it was not waited for */
}

static void flood(visit_t *v)
{
    static char block[65536];
    memset(block, '[', sizeof(block));
    if (!visit_request(v)) return;
    visit_send(v, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (visit_send_n(v, block, sizeof(block))) continue;
}

E2E(acme, an_authority_that_does_not_end)
{
    origin_start("ca", flood, NULL);
    subject_http("", BUSY_SITE);
    cr_assert(EVENTUALLY(strstr(status(), "File too large")), "%s", status());
    assert_text(secure_get(&(secure_how_t){.port = "tls", .name = "a.test"}, "/"), "site");
}

/* --- the configuration --- */

static ran_t check(const char *http)
{
    file_write("t.conf", text("error_log error.log; events {} http { %s }", http));
    return subject_run(text("-t -p %s/ -c t.conf", harness_dir()));
}

E2E(acme, the_check_asks_nobody)
{
    ran_t r = check("acme_issuer ca { uri https://127.0.0.1:@dead@/dir; } "
                    "server { listen 127.0.0.1:@tls@ ssl; server_name .a.test ''; "
                    "acme_certificate ca key=ecdsa:384; }");
    cr_expect_eq(r.status, 0, "%s", r.output);
    assert_has(r.output, "syntax is ok");
    cr_expect(!file_exists("acme_ca"));
}

E2E(acme, what_is_wrong_is_said)
{
    static const struct {
        const char *issuer, *certificate, *said;
    } cases[] = {
        {"", "acme_certificate ca a.test;", "acme_issuer without uri"},
        {"uri http://ca.test/dir;", "acme_certificate ca a.test;", "is no https URL"},
        {"uri https://ca.test/dir; state_path off;", "acme_certificate ca a.test;",
         "cannot be had without a state_path"},
        {"uri https://ca.test/dir; challenge dns;", "acme_certificate ca a.test;", "challenge"},
        {"uri https://ca.test/dir; external_account_key a nowhere;", "acme_certificate ca a.test;",
         "there is no key in base64url"},
        {"uri https://ca.test/dir; external_account_key a data:b=;", "acme_certificate ca a.test;",
         "there is no key in base64url"},
        {"uri https://ca.test/dir; external_account_key 'a\"' data:bb;",
         "acme_certificate ca a.test;", "has no such character"},
        {"uri https://ca.test/dir; retry 0;", "acme_certificate ca a.test;", "the first pause"},
        {"uri https://ca.test/dir; account_key nowhere.pem;", "acme_certificate ca a.test;",
         "account_key \""},
        {"uri https://ca.test/dir; ssl_trusted_certificate nowhere.pem;",
         "acme_certificate ca a.test;", "cannot load trusted certificates"},
        {"uri https://ca.test/dir;", "acme_certificate other a.test;",
         "acme_issuer \"other\" is unknown"},
        {"uri https://ca.test/dir;", "acme_certificate ca *.a.test;",
         "no certificate can be asked for \"*.a.test\""},
        {"uri https://ca.test/dir;", "acme_certificate ca;",
         "acme_certificate without a name to ask for"},
        {"uri https://ca.test/dir;", "acme_certificate ca a.test key=dsa;",
         "unknown kind of key \"dsa\""},
        {"uri https://ca.test/dir;",
         "acme_certificate ca a.test; } server { acme_certificate ca a.test b.test;",
         "other names that begin with \"a.test\""},
        {"uri https://ca.test/dir; } acme_issuer ca { uri https://ca.test/;",
         "acme_certificate ca a.test;", "duplicate acme_issuer"},
        {"uri https://ca.test/dir; } acme_shared_zone zone=; map $a $b {",
         "acme_certificate ca a.test;", "zone=acme:256k"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ran_t r = check(text("acme_issuer ca { %s } server { listen 127.0.0.1:@tls@ ssl; %s }",
                             cases[i].issuer, cases[i].certificate));
        cr_expect_eq(r.status, 1, "%s", cases[i].said);
        assert_has(r.output, cases[i].said);
    }
}
