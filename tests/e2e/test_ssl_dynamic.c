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
    subject_http("", "map $ssl_server_name $who {"
                     " ~^[ab]\\.test$ $ssl_server_name; default rest; }\n"
                     "server { listen 127.0.0.1:@tls@ ssl; ssl_certificate_cache max=2"
                     " inactive=1m valid=100ms; ssl_certificate $who.pem;"
                     " ssl_certificate_key @dir@/$who.key;"
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

/* What one server keeps is not given up for another that keeps less; off keeps nothing. */
E2E(ssl_dynamic, each_server_keeps_its_own)
{
    static const char *const names[] = {"a.test", "b.test", "c.test"};
    for (unsigned i = 0; i < 3; i++) {
        certify(names[i], NULL, "");
        chmod(file_path(text("%s.key", names[i])), 0644);
    }
    subject_http("", "ssl_certificate $ssl_server_name.pem; ssl_certificate_key"
                     " $ssl_server_name.key; ssl_certificate_cache off;"
                     "server { listen 127.0.0.1:@tls@ ssl; server_name a.test;"
                     " ssl_certificate_cache max=1 valid=1h inactive=1h; return 200 a; }"
                     "server { listen 127.0.0.1:@tls@ ssl; server_name b.test;"
                     " ssl_certificate_cache max=1 valid=1h inactive=1h; return 200 b; }"
                     "server { listen 127.0.0.1:@tls@ ssl; server_name c.test; return 200 c; }");
    for (unsigned i = 0; i < 3; i++) assert_text(shown(names[i]), names[i]);
    for (unsigned i = 0; i < 3; i++) remove(file_path(text("%s.pem", names[i])));
    assert_text(shown("a.test"), "a.test");
    assert_text(shown("b.test"), "b.test");
    assert_has(shown("c.test"), "alert");
    subject_log_await("cannot load certificate");
}

E2E(ssl_dynamic, mistakes_are_told)
{
    static const char *const wrong[][2] = {
        {"max=0", "got 0"}, {"max=1000000", "got 1000000"}, {"valid=1m", "without max="},
        {"off max=2", "invalid parameter \"off\""}, {"max=2 often=1", "\"often=1\""},
    };
    certify("a", NULL, "");
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_write("wrong.conf", text("events {} http { server { listen 127.0.0.1:@dead@ ssl;"
                                      " ssl_certificate a.pem; ssl_certificate_key a.key;"
                                      " ssl_certificate_cache %s; } }", wrong[i][0]));
        ran_t ran = subject_run(text("-t -p %s -c wrong.conf", harness_dir()));
        cr_expect_eq(ran.status, 1);
        cr_expect(strstr(ran.output, wrong[i][1]), "%s: %s", wrong[i][0], ran.output);
    }
}
