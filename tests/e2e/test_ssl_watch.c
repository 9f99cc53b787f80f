/* Certificates that are replaced under a running server. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define TLS "listen 127.0.0.1:@tls@ ssl; ssl_certificate @dir@/now.pem; " \
            "ssl_certificate_key @dir@/now.key; "

static const secure_how_t how = {.port = "tls"};

static void put(const char *name, const char *from)
{
    file_write("fresh", file_read(from));
    cr_assert_eq(rename(file_path("fresh"), file_path(name)), 0);
}

static void put_pair(const char *name)
{
    put("now.key", text("%s.key", name));
    put("now.pem", text("%s.pem", name));
}

static bool shows(const char *name)
{
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    bool it = strcmp(secure_peer(s), name) == 0;
    secure_close(s);
    return it;
}

/* All of some connections, which all workers get of. */
static bool all_show(const char *name)
{
    for (int i = 0; i < 12; i++)
        if (!shows(name)) return false;
    return true;
}

E2E(ssl_watch, a_replaced_pair_is_taken_up)
{
    certify("first", NULL, "");
    certify("second", NULL, "");
    certify("third", NULL, "");
    put_pair("first");
    subject_http("worker_processes 3;",
                 "server { " TLS "ssl_certificate_watch on; return 200 a; }");
    cr_assert(all_show("first"));
    secure_t *kept = secure_open(&how);
    put_pair("second");
    subject_log_await("now.pem\" has changed and is shown from now on");
    cr_assert(EVENTUALLY(all_show("second")));
    assert_text(secure_ask(kept, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "a");

    /* Halves are never shown. */
    put("now.pem", "third.pem");
    subject_log_await("now.pem\" has changed and is not taken (SSL: error:");
    cr_assert(all_show("second"));
    file_write("now.pem", "-----BEGIN CERTIFICATE-----\nMII");
    pause_ms(100);
    cr_assert(all_show("second"));
    put_pair("third");
    cr_assert(EVENTUALLY(all_show("third")));

    /* A worker that comes later shows it, too. */
    pid_t workers[3];
    cr_assert(EVENTUALLY(subject_workers(workers, 3) == 3));
    for (int i = 0; i < 3; i++) kill(workers[i], SIGKILL);
    subject_tolerate("exited on signal 9");
    cr_assert(EVENTUALLY(subject_log_count("exited on signal 9") == 3));
    cr_assert(all_show("third"));
}

E2E(ssl_watch, without_a_master)
{
    certify("first", NULL, "");
    certify("second", NULL, "");
    put_pair("first");
    subject_http("master_process off;",
                 "server { " TLS "ssl_certificate_watch on; return 200 a; }");
    cr_assert(shows("first"));
    put_pair("second");
    cr_assert(EVENTUALLY(shows("second")));
}

E2E(ssl_watch, on_request)
{
    certify("first", NULL, " -addext subjectAltName=DNS:a.test,DNS:b.test");
    certify("second", NULL, "");
    put_pair("first");
    subject_http("control @dir@/ctl;", "server { " TLS "server_name a.test b.test;"
                                       " location / { status; } }");
    ran_t r = subject_run(text("-p %s/ -c proxyd.conf ctl certs", harness_dir()));
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_has(r.output, "/now.pem\t");
    assert_has(r.output, " days left\ta.test b.test\n");
    put_pair("second");
    cr_assert(shows("first"));
    r = subject_run(text("-p %s/ -c proxyd.conf ctl certs reload", harness_dir()));
    cr_assert_eq(r.status, 0, "%s", r.output);
    cr_assert(EVENTUALLY(shows("second")));
    r = subject_run(text("-p %s/ -c proxyd.conf ctl certs nonsense", harness_dir()));
    cr_assert_eq(r.status, 1);
    const char *status = secure_get(&how, "/");
    assert_has(status, "\"certificates\":{");
    assert_has(status, "\"days_left\":");
}
