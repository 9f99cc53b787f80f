/* How long a fetch holds up others: proxy_cache_lock_age, proxy_cache_lock_timeout, and when its
   process dies. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/subject.h"

#define FRESH "Say: Cache-Control: max-age=600"

/* One request for / is at the origin, and stays there until the gate is opened. */
static wire_t *start_with_one_held_up(origin_t **o, const char *directives)
{
    *o = origin_start("origin", obedient, NULL);
    subject_http("worker_processes 2;",
                 text("proxy_cache_path cache keys_zone=one:1m; "
                      "server { listen 127.0.0.1:@http@; location = /status { status; } "
                      "location / { proxy_cache one; %s "
                      "add_header X-Cache $upstream_cache_status always; "
                      "proxy_pass http://127.0.0.1:@origin@; } }",
                      directives));
    wire_t *first = wire_open("http");
    wire_send(first, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                          obedient_fields(FRESH "|Wait: 1")));
    cr_assert(EVENTUALLY(origin_requests(*o) == 1));
    return first;
}

E2E(store_lock, after_its_age_one_more_request_goes_to_the_origin_and_is_stored)
{
    origin_t *o;
    wire_t *first = start_with_one_held_up(&o, "proxy_cache_lock_timeout 1h; "
                                               "proxy_cache_lock_age 200ms;");
    assert_cache(obedient_get("/", FRESH), "MISS", "1");
    for (int i = 0; i < 10; i++) assert_cache(obedient_get("/", FRESH), "HIT", "1");
    cr_expect_eq(origin_requests(o), 2);
    origin_open_gate(o);
    assert_text(wire_reply(first)->body.p, "2");
    /* The origin said it later. */
    cr_assert(EVENTUALLY(strcmp(obedient_get("/", FRESH)->body.p, "2") == 0));
}

/* As in nginx the answer to who asks itself after the timeout is not stored. */
E2E(store_lock, after_its_timeout_everybody_asks_and_nothing_is_stored)
{
    origin_t *o;
    wire_t *first = start_with_one_held_up(&o, "proxy_cache_lock_timeout 100ms; "
                                               "proxy_cache_lock_age 1h;");
    assert_cache(obedient_get("/", FRESH), "MISS", "1");
    assert_cache(obedient_get("/", FRESH), "MISS", "2");
    origin_open_gate(o);
    assert_text(wire_reply(first)->body.p, "3");
    assert_cache(obedient_get("/", FRESH), "HIT", "3");
}

/* --- over workers, one of which dies --- */

static uint64_t figure(const char *name)
{
    const char *json = wire_get("http", "/status")->body.p;
    const char *at = strstr(json, "\"cache\":{\"one\":");
    if (at) at = strstr(at, text("\"%s\":", name));
    cr_assert(at, "no %s in %s", name, json);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

static pid_t worker_of(wire_t *w)
{
    wire_send(w, "GET /pid HTTP/1.1\r\nHost: h\r\n\r\n");
    return (pid_t)atoi(wire_reply(w)->body.p);
}

enum { WAITERS = 3, CONNECTIONS_MOST = 200 };

/* A connection with one worker, and some with another. */
static pid_t connect_to_two(wire_t **first, wire_t **others)
{
    *first = wire_open("http");
    pid_t pid = worker_of(*first);
    unsigned n = 0;
    for (int i = 0; i < CONNECTIONS_MOST && n < WAITERS; i++) {
        wire_t *w = wire_open("http");
        if (worker_of(w) != pid) others[n++] = w;
        else wire_close(w);
    }
    cr_assert_eq(n, WAITERS);
    return pid;
}

E2E(store_lock, when_the_worker_that_fetches_is_killed_one_of_those_who_wait_fetches)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    wire_t *first, *others[WAITERS];
    subject_http("worker_processes 2;",
                 "proxy_cache_path cache keys_zone=one:1m; "
                 "server { listen 127.0.0.1:@http@; location = /status { status; } "
                 "location = /pid { return 200 $pid; } "
                 "location / { proxy_cache one; proxy_cache_lock_timeout 1h; "
                 "proxy_cache_lock_age 1h; proxy_pass http://127.0.0.1:@origin@; } }");
    subject_tolerate("exited on signal 9");
    subject_log_await("2 worker processes");
    pid_t pid = connect_to_two(&first, others);
    wire_send(first, text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                          obedient_fields(FRESH "|Wait: 1")));
    cr_assert(EVENTUALLY(origin_requests(o) == 1));
    for (int i = 0; i < WAITERS; i++)
        wire_send(others[i], text("GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", obedient_fields(FRESH)));
    cr_assert(EVENTUALLY(figure("waited") == WAITERS));
    cr_expect_eq(origin_requests(o), 1);
    kill(pid, SIGKILL);
    for (int i = 0; i < WAITERS; i++) assert_text(wire_reply(others[i])->body.p, "1");
    cr_expect_eq(origin_requests(o), 2);
}
