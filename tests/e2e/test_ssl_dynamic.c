/* Certificates whose paths hold variables. */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

static const char *shown(const char *name)
{
    secure_how_t how = {.port = "tls", .name = name};
    secure_t *s = secure_open(&how);
    return s->failed ? s->failed : secure_peer(s);
}

E2E(ssl_dynamic, is_read_when_it_is_asked_for)
{
    certify("a.test", NULL, "");
    certify("b.test", NULL, "");
    certify("rest", NULL, "");
    chmod(file_path("a.test.key"), 0644); /* workers read them */
    chmod(file_path("b.test.key"), 0644);
    chmod(file_path("rest.key"), 0644);
    subject_http("", "map $ssl_server_name $who { ~^[ab]\\.test$ $ssl_server_name; default rest; }\n"
                     "server { listen 127.0.0.1:@tls@ ssl; ssl_certificate_cache max=2 valid=100ms;"
                     " ssl_certificate $who.pem; ssl_certificate_key @dir@/$who.key;"
                     " return 200 a; }");
    assert_text(shown("a.test"), "a.test");
    assert_text(shown("B.TEST"), "b.test");
    assert_text(shown("other.test"), "rest");
    assert_text(shown(NULL), "rest");
    assert_text(shown("a.test"), "a.test");
    file_write("a.test.pem", file_read("b.test.pem"));
    file_write("a.test.key", file_read("b.test.key"));
    cr_assert(EVENTUALLY(strcmp(shown("a.test"), "b.test") == 0));
}

E2E(ssl_dynamic, a_name_leads_nowhere_else)
{
    certify("a.test", NULL, "");
    mkdir(file_path("in"), 0755);
    subject_http("", "server { listen 127.0.0.1:@tls@ ssl;"
                     " ssl_certificate in/$ssl_server_name.pem;"
                     " ssl_certificate_key in/$ssl_server_name.key; return 200 a; }");
    assert_has(shown("../a.test"), "alert");
    assert_has(shown("..a.test"), "alert");
    assert_has(shown("none.test"), "alert");
    subject_log_await("cannot load certificate");
    subject_log_await("in/none.test.pem");
    cr_assert_eq(subject_log_count("in/../"), 0);
}
