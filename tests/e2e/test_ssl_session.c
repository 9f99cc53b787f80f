/* Clients that come back: session ids and tickets, over workers and reloads. */
#include <signal.h>

#include "tests/e2e/certify.h"
#include "tests/e2e/secure.h"
#include "tests/e2e/subject.h"

#define TLS \
    "listen 127.0.0.1:@tls@ ssl; ssl_certificate @dir@/a.pem; ssl_certificate_key @dir@/a.key; "
#define SAY "return 200 \"$ssl_session_reused$ssl_protocol $pid\"; "

/* A connection with this session: whether it was resumed; *session is the newest afterwards. */
static bool visit(secure_how_t how, SSL_SESSION **session)
{
    how.session = *session;
    secure_t *s = secure_open(&how);
    cr_assert(!s->failed, "%s", s->failed);
    const char *said = secure_ask(s, text("GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
                                          how.name ? how.name : "a"));
    cr_assert(said, "%s", s->failed);
    bool resumed = said[0] == 'r';
    cr_assert_eq(resumed, SSL_session_reused(s->ssl), "%s", said);
    if (s->session) *session = s->session;
    secure_close(s);
    return resumed;
}

/* How many of n visits are resumed, the first aside. */
static unsigned resumed_of(secure_how_t how, unsigned n)
{
    SSL_SESSION *session = NULL;
    unsigned resumed = 0;
    cr_assert(!visit(how, &session));
    for (unsigned i = 0; i < n; i++) resumed += visit(how, &session);
    return resumed;
}

static const secure_how_t three = {.port = "tls"};
static const secure_how_t two = {.port = "tls", .version = TLS1_2_VERSION};

E2E(ssl_session, is_resumed_whichever_worker_is_hit)
{
    enum { VISITS = 100 };
    certify("a", NULL, "");
    subject_http("worker_processes 4;", "ssl_session_cache shared:TLS:1m;\n"
                                        "server { " TLS "server_name a; " SAY "}\n"
                                        "server { " TLS "server_name ids; ssl_session_tickets off; "
                                        SAY "}");
    secure_how_t ids3 = three, ids2 = two;
    ids3.name = ids2.name = "ids";
    cr_expect_eq(resumed_of(three, VISITS), VISITS);
    cr_expect_eq(resumed_of(two, VISITS), VISITS);
    cr_expect_eq(resumed_of(ids3, VISITS), VISITS);
    cr_expect_eq(resumed_of(ids2, VISITS), VISITS);
}

/* Each has its price in a handshake, and a client that comes back is given another. */
E2E(ssl_session, is_given_once_in_a_connection)
{
    SSL_SESSION *session = NULL;
    certify("a", NULL, "");
    subject_http("", "server { " TLS SAY "}");
    for (unsigned i = 0; i < 4; i++) {
        secure_how_t how = i % 2 ? two : three;
        how.session = i < 2 ? NULL : session;
        secure_t *s = secure_open(&how);
        cr_assert(!s->failed && secure_ask(s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "%s",
                  s->failed);
        cr_expect_eq(s->sessions, 1, "%u in connection %u", s->sessions, i);
        session = s->session;
        secure_close(s);
    }
}

E2E(ssl_session, survives_a_reload_and_killed_workers)
{
    certify("a", NULL, "");
    const char *http = "ssl_session_cache shared:TLS:1m;\n"
                       "server { " TLS "server_name a; " SAY "}\n"
                       "server { " TLS "server_name ids; ssl_session_tickets off; " SAY "}";
    pid_t workers[4];
    secure_how_t ids = two;
    ids.name = "ids";
    SSL_SESSION *ticket = NULL, *id = NULL;
    subject_http("worker_processes 2;", http);
    visit(three, &ticket);
    visit(ids, &id);
    subject_reload(subject_configuration("worker_processes 2;", http));
    subject_log_await("configuration 2");
    cr_expect(visit(three, &ticket));
    cr_expect(visit(ids, &id));
    unsigned n;
    cr_assert(EVENTUALLY((n = subject_workers(workers, 4)) == 2)); /* those before have left */
    for (unsigned i = 0; i < n; i++) kill(workers[i], SIGKILL);
    subject_tolerate("exited on signal 9");
    cr_assert(EVENTUALLY(subject_log_count("exited on signal 9") == 2));
    cr_expect(visit(three, &ticket));
    cr_expect(visit(ids, &id));
}

E2E(ssl_session, is_not_taken_where_it_may_not)
{
    certify("a", NULL, "");
    certify("me", "a", "");
    subject_http("", "ssl_client_certificate a.pem;"
                     "server { " TLS "server_name a; " SAY "}\n"
                     "server { " TLS "server_name strict; ssl_verify_client on; " SAY "}\n"
                     "server { " TLS "server_name off; ssl_session_cache off;"
                     " ssl_session_tickets off; " SAY "}\n"
                     "server { listen 127.0.0.1:@none@ ssl; ssl_certificate a.pem;"
                     " ssl_certificate_key a.key; ssl_session_tickets off; " SAY "}\n"
                     "server { listen 127.0.0.1:@builtin@ ssl; ssl_certificate a.pem;"
                     " ssl_certificate_key a.key; ssl_session_tickets off;"
                     " ssl_session_cache builtin:100; " SAY "}");
    SSL_SESSION *session = NULL;
    secure_how_t strict = {.port = "tls", .name = "strict", .certificate = "me"}, off = three;
    off.name = "off";
    visit(three, &session);
    cr_expect(visit(three, &session));
    SSL_SESSION_up_ref(session);
    cr_expect(!visit(strict, &session));
    cr_expect(visit(strict, &session));
    cr_expect_eq(resumed_of(off, 3), 0);
    off.version = TLS1_2_VERSION;
    cr_expect_eq(resumed_of(off, 3), 0);
    secure_how_t none = {.port = "none", .version = TLS1_2_VERSION};
    cr_expect_eq(resumed_of(none, 3), 0);
    none.port = "builtin";
    cr_expect_eq(resumed_of(none, 3), 3);
}

E2E(ssl_session, keys_from_files_open_what_they_sealed_elsewhere)
{
    certify("a", NULL, "");
    certify_openssl("rand -out @dir@/first 80");
    certify_openssl("rand -out @dir@/second 48");
    subject_http("", "server { " TLS "ssl_session_ticket_key first; " SAY "}\n"
                     "server { listen 127.0.0.1:@other@ ssl; ssl_certificate @dir@/a.pem;"
                     " ssl_certificate_key @dir@/a.key; ssl_session_ticket_key second;"
                     " ssl_session_ticket_key first; " SAY "}\n"
                     "server { listen 127.0.0.1:@third@ ssl; ssl_certificate @dir@/a.pem;"
                     " ssl_certificate_key @dir@/a.key; ssl_session_ticket_key second; " SAY "}");
    secure_how_t other = {.port = "other"}, third = {.port = "third"};
    SSL_SESSION *session = NULL;
    cr_expect(!visit(three, &session));
    cr_expect(visit(other, &session));
    cr_expect(visit(third, &session)); /* the new ticket was sealed with the second */
    cr_expect(!visit(three, &session));
}

E2E(ssl_session, mistakes_are_told)
{
    certify("a", NULL, "");
    file_write("short", "x");
    static const char *const wrong[][2] = {
        {"ssl_session_cache shared:A:1k;", "1k"},
        {"ssl_session_cache shared::1m;", "invalid session cache"},
        {"ssl_session_cache some;", "invalid session cache"},
        {"ssl_session_ticket_key short;", "cannot read a ticket key of 48 or 80 bytes"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_write("proxyd.conf", text("events { } http { server { " TLS "%s } }", wrong[i][0]));
        ran_t r = subject_run(text("-p %s/ -c proxyd.conf -t", harness_dir()));
        cr_assert_eq(r.status, 1, "%s", wrong[i][0]);
        assert_has(r.output, wrong[i][1]);
    }
}
