/* Clients that keep their server: sticky cookie, route and learn. */
#include <signal.h>
#include <stdio.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { WORKERS = 3 };

static const char *saying(const char *name)
{
    return text("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(name), name);
}

static origin_t *named(const char *name)
{
    return origin_start(name, origin_say, saying(name));
}

static const char *conf(const char *group, const char *server)
{
    return text("upstream u { %s }"
                "server { listen 127.0.0.1:@http@; location / { proxy_pass http://u; %s } }", group,
                server);
}

static void start(const char *group)
{
    subject_http(text("worker_processes %d;", WORKERS), conf(group, ""));
}

static void reload(const char *group)
{
    subject_reload(subject_configuration(text("worker_processes %d;", WORKERS), conf(group, "")));
    cr_assert(EVENTUALLY(subject_log_count("exited with code 0") == WORKERS)); /* the old ones */
}

/* Asks with these fields (each with its CRLF). */
static reply_t *ask(const char *path, const char *fields)
{
    return wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, fields));
}

/* The value of the cookie that the reply sets. */
static const char *cookie_of(const reply_t *r)
{
    const char *set = wire_field(r, "Set-Cookie");
    cr_assert(set, "no cookie in %s", r->head);
    cr_assert(strncmp(set, "srv=", 4) == 0);
    return text("%.*s", (int)strcspn(set + 4, ";"), set + 4);
}

static const char *with_cookie(const char *value)
{
    return text("Cookie: a=b; srv=%s; c=d\r\n", value);
}

static void assert_stays(const char *cookie, const char *name)
{
    for (int i = 0; i < 12; i++) {
        reply_t *r = ask("/", with_cookie(cookie));
        assert_text(r->body.p, name);
        cr_assert_null(wire_field(r, "Set-Cookie"));
    }
}

static bool is_token(const char *s)
{
    return strlen(s) == 32 && strspn(s, "0123456789abcdef") == 32;
}

static const char three[] = "server 127.0.0.1:@a@; server 127.0.0.1:@b@; server 127.0.0.1:@c@;";

/* --- cookie --- */

E2E(sticky, a_cookie_keeps_its_server_in_all_workers_and_over_a_reload)
{
    static const char *const names[] = {"a", "b", "c"};
    const char *cookies[3] = {NULL};
    for (int i = 0; i < 3; i++) named(names[i]);
    start(text("sticky cookie srv; %s", three));
    for (int i = 0; i < 30; i++) {
        reply_t *r = ask("/", "");
        cookies[r->body.p[0] - 'a'] = cookie_of(r);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert(cookies[i] && is_token(cookies[i]));
        cr_assert(strcmp(cookies[i], cookies[(i + 1) % 3]) != 0);
        assert_stays(cookies[i], names[i]);
    }
    reload(text("sticky cookie srv; server 127.0.0.1:@dead@ down; %s", three));
    for (int i = 0; i < 3; i++) assert_stays(cookies[i], names[i]);
}

E2E(sticky, a_cookie_that_was_made_up_means_nothing)
{
    named("a");
    named("b");
    start("sticky cookie srv; server 127.0.0.1:@a@; server 127.0.0.1:@b@;");
    const char *good = cookie_of(ask("/", ""));
    const char *bad[] = {"", "0", "00000000000000000000000000000000", "127.0.0.1", "a",
                         text("127.0.0.1:%u", harness_port("a")), text("%.31s", good),
                         text("%s0", good)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unsigned seen[2] = {0};
        for (int j = 0; j < 8; j++) {
            reply_t *r = ask("/", with_cookie(bad[i]));
            seen[r->body.p[0] - 'a']++;
            cookie_of(r);
        }
        cr_assert(seen[0] == 4 && seen[1] == 4, "%s: %u and %u", bad[i], seen[0], seen[1]);
    }
}

E2E(sticky, a_cookie_has_its_attributes)
{
    named("a");
    start("sticky cookie srv expires=1h domain=.$host path=/x httponly secure samesite=lax;"
          "server 127.0.0.1:@a@; server 127.0.0.1:@dead@ down;");
    reply_t *r = ask("/", "");
    const char *set = wire_field(r, "Set-Cookie"), *expires = strstr(set, "; Expires=");
    cr_assert(expires && strlen(expires) > 39, "%s", set);
    cr_assert(strncmp(expires + 36, "GMT; Max-Age=3600;", 18) == 0, "%s", set);
    assert_text(expires + 39, "; Max-Age=3600; Domain=.h; Path=/x; HttpOnly; Secure; SameSite=lax");
    subject_reload(subject_configuration("", conf("sticky cookie srv; server 127.0.0.1:@a@;", "")));
    cr_assert(EVENTUALLY(!strchr(wire_field(ask("/", ""), "Set-Cookie"), ';')));
}

E2E(sticky, a_given_secret_means_the_same_everywhere)
{
    static const char group[] = "sticky cookie srv secret=%s; server 127.0.0.1:@a@ route=one;"
                                "server 127.0.0.1:@b@ route=two;";
    named("a");
    named("b");
    start(text(group, "0123456789abcdef"));
    reply_t *r = ask("/", "");
    const char *cookie = cookie_of(r), *name = r->body.p;
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    start(text(group, "0123456789abcdef"));
    assert_stays(cookie, name);
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    start(text(group, "0123456789abcdeX"));
    for (int i = 0; i < 4; i++) cookie_of(ask("/", with_cookie(cookie)));
}

E2E(sticky, who_lost_its_server_gets_another_one)
{
    origin_t *origins[] = {named("a"), named("b")};
    start("sticky cookie srv; server 127.0.0.1:@a@ fail_timeout=600s; server 127.0.0.1:@b@;");
    reply_t *r = ask("/", "");
    const char *cookie = cookie_of(r), *name = r->body.p;
    const char *other = name[0] == 'a' ? "b" : "a";
    origin_stop(origins[name[0] - 'a']);
    r = ask("/", with_cookie(cookie));
    assert_text(r->body.p, other);
    assert_stays(cookie_of(r), other);
}

E2E(sticky, a_drained_server_keeps_its_clients)
{
    static const char group[] = "sticky cookie srv; server 127.0.0.1:@a@ %s; server 127.0.0.1:@b@;";
    origin_t *a = named("a");
    const char *cookie = NULL;
    named("b");
    start(text(group, ""));
    while (!cookie) {
        reply_t *r = ask("/", "");
        if (r->body.p[0] == 'a') cookie = cookie_of(r);
    }
    reload(text(group, "drain"));
    for (int i = 0; i < 10; i++) assert_text(ask("/", "")->body.p, "b");
    assert_stays(cookie, "a");
    origin_stop(a);
    assert_text(ask("/", with_cookie(cookie))->body.p, "b");
}

/* --- route --- */

E2E(sticky, a_route_leads_to_its_server)
{
    named("a");
    named("b");
    start("sticky route $cookie_route $arg_route;"
          "server 127.0.0.1:@a@ route=one; server 127.0.0.1:@b@ route=two;");
    for (int i = 0; i < 6; i++) {
        assert_text(ask("/", "Cookie: route=one\r\n")->body.p, "a");
        assert_text(ask("/?route=two", "")->body.p, "b");
        assert_text(ask("/?route=two", "Cookie: route=one\r\n")->body.p, "a");
    }
    unsigned seen[2] = {0};
    for (int i = 0; i < 8; i++) seen[ask("/?route=three", "")->body.p[0] - 'a']++;
    cr_assert(seen[0] == 4 && seen[1] == 4);
}

/* --- learn --- */

/* Gives everybody who has none a session of its own. */
static void give_session(visit_t *v)
{
    static _Atomic unsigned sessions;
    const char *name = visit_arg(v);
    char out[256];
    while (visit_request(v)) {
        snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\n%s%s%u%sContent-Length: 1\r\n\r\n%s",
                 strstr(visit_head(v), "sid=") ? "X-Known: " : "Set-Cookie: sid=", name, sessions++,
                 "; Path=/\r\n", name);
        visit_send(v, out);
    }
}

static void assert_learnt(const char *options)
{
    start(text("sticky learn create=$upstream_cookie_sid lookup=$cookie_sid zone=s:64k %s;"
               "server 127.0.0.1:@a@; server 127.0.0.1:@b@;", options));
    for (int i = 0; i < 6; i++) {
        reply_t *r = ask("/", "");
        const char *set = wire_field(r, "Set-Cookie"), *name = r->body.p;
        const char *cookie = text("Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
        for (int j = 0; j < 8; j++) assert_text(ask("/", cookie)->body.p, name);
    }
}

E2E(sticky, sessions_are_learnt)
{
    origin_start("a", give_session, "a");
    origin_start("b", give_session, "b");
    assert_learnt("timeout=1h sync");
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    assert_learnt("header");
    unsigned seen[2] = {0};
    for (int i = 0; i < 8; i++) seen[ask("/", "Cookie: sid=none\r\n")->body.p[0] - 'a']++;
    cr_assert(seen[0] == 4 && seen[1] == 4, "%u and %u", seen[0], seen[1]);
}

E2E(sticky, sessions_are_forgotten_in_time)
{
    origin_start("a", give_session, "a");
    origin_start("b", give_session, "b");
    start("sticky learn create=$upstream_cookie_sid lookup=$cookie_sid zone=s:64k timeout=50ms;"
          "server 127.0.0.1:@a@; server 127.0.0.1:@b@;");
    reply_t *r = ask("/", "");
    const char *set = wire_field(r, "Set-Cookie"), *name = r->body.p;
    const char *cookie = text("Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
    cr_assert(EVENTUALLY(({ pause_ms(60); ask("/", cookie)->body.p[0] != name[0]; })));
}
