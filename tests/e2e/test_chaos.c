/*
 * Origins that are killed, stopped and started again at random, under load: no request that may be
 * repeated fails. SOAK_SECONDS in the environment is for how long, and the figures are told then.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/e2e/hammer.h"
#include "tests/e2e/keeper.h"
#include "tests/e2e/peer.h"
#include "tests/e2e/subject.h"

enum { ORIGINS = 5, USUAL_SECONDS = 3 };

static pid_t origins[ORIGINS];
static unsigned seed, kills, stops;

static int chance(int from, int to)
{
    return from + (int)((unsigned)rand_r(&seed) % (unsigned)(to - from));
}

/* The last one is another program than the others. */
static void start_origin(int i)
{
    const char *name = text("o%d", i);
    origins[i] = i < ORIGINS - 1
                     ? peer_nginx(name, text("server { listen 127.0.0.1:@%s@;"
                                             "location / { return 200 %s; } }", name, name))
                     : peer_node(name, text("require('http').createServer((q, s) => s.end('%s'))"
                                            ".listen(@%s@, '127.0.0.1');", name, name));
}

static void kill_one(int i)
{
    int status;
    cr_assert_eq(kill(origins[i], SIGKILL), 0);
    cr_assert(keeper_wait(origins[i], PATIENCE_MS, &status));
    pause_ms(chance(0, 300));
    start_origin(i);
    kills++;
}

static void stop_one(int i)
{
    cr_assert_eq(kill(origins[i], SIGSTOP), 0);
    pause_ms(chance(50, 700));
    cr_assert_eq(kill(origins[i], SIGCONT), 0);
    stops++;
}

static void rage(int64_t until)
{
    while (now_ms() < until) {
        int i = chance(0, ORIGINS);
        if (chance(0, 3)) kill_one(i);
        else stop_one(i);
        pause_ms(chance(0, 200));
    }
}

E2E_WITHIN(chaos, no_request_fails, SOAK_MOST)
{
    const char *told = getenv("SOAK_SECONDS"), *servers = "";
    int seconds = told ? atoi(told) : USUAL_SECONDS;
    seed = (unsigned)now_ms();
    for (int i = 0; i < ORIGINS; i++) {
        start_origin(i);
        servers = text("%s server 127.0.0.1:@o%d@ fail_timeout=500ms;", servers, i);
    }
    subject_http("worker_processes 2;",
                 text("upstream u { %s } server { listen 127.0.0.1:@http@;"
                      "proxy_connect_timeout 500ms; proxy_read_timeout 500ms;"
                      "location / { proxy_pass http://u; } }", servers));
    hammer_t *h = hammer_start("http", 4, 8);
    rage(now_ms() + seconds * 1000);
    hammer_result_t r = hammer_stop(h);
    if (told)
        fprintf(stderr, "%d s: %lu answers, %lu failures, %u kills, %u stops, %u failed attempts\n",
                seconds, r.answers, r.failures, kills, stops, subject_log_count("[error]"));
    cr_assert_eq(r.failures, 0, "%lu of %lu failed (seed %u): %s", r.failures,
                 r.answers + r.failures, seed, r.first_failure);
    cr_assert_gt(r.answers, 100ul);
    cr_assert_gt(kills + stops, 0u);
}
