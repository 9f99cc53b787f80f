/* PURGE: when it is answered no worker serves what was purged, from memory or from disk. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/subject.h"

#define FRESH "Say: Cache-Control: max-age=600|ETag: \"x\""

enum { ROUNDS = 5, LOOKS = 8 };

static void start(void)
{
    origin_start("origin", obedient, NULL);
    subject_http("worker_processes 4;",
                 "proxy_cache_path cache keys_zone=one:1m; "
                 "map $request_method $purges { default 0; PURGE 1; } "
                 "server { listen 127.0.0.1:@http@; location / { proxy_cache one; "
                 "proxy_cache_purge $purges; proxy_pass http://127.0.0.1:@origin@; "
                 "add_header X-Cache $upstream_cache_status always; } }");
    subject_log_await("4 worker processes");
}

/* On connections of their own, so that all workers are asked. */
static void expect_everywhere(const char *path, const char *fields, unsigned number)
{
    for (int i = 0; i < LOOKS; i++)
        assert_text(obedient_get(path, fields)->body.p, text("%u", number));
}

static void purge(const char *path, const char *fields)
{
    reply_t *r = obedient_ask("PURGE", path, fields);
    cr_assert_eq(r->status, 200, "%s", r->head);
    assert_has(r->body.p, "purged");
}

static void expect_purged_by(const char *path, const char *fields)
{
    for (unsigned i = 1; i <= ROUNDS; i++) {
        expect_everywhere("/a/1", FRESH "|Surrogate-Key: red blue", i);
        expect_everywhere("/b/1", FRESH, 1);
        purge(path, fields);
    }
}

E2E(store_purge, by_url)
{
    start();
    expect_purged_by("/a/1", "");
}

E2E(store_purge, by_prefix)
{
    start();
    expect_purged_by("/a*", "");
}

E2E(store_purge, by_tag)
{
    start();
    expect_purged_by("/any", "Surrogate-Key: blue");
}

E2E(store_purge, all)
{
    start();
    for (unsigned i = 1; i <= ROUNDS; i++) {
        expect_everywhere("/a/1", FRESH, i);
        expect_everywhere("/b/1", FRESH, i);
        purge("/any", "Purge-All: 1");
    }
    cr_expect_eq(obedient_ask("PURGE", text("/%0600d*", 1), "")->status, 414, "a long prefix");
}

E2E(store_purge, of_a_url_takes_all_its_variants)
{
    static const char *const languages[] = {"de", "en"};
    start();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2; i++)
            expect_everywhere("/", text("X-Lang: %s|" FRESH "|Vary: X-Lang", languages[i]),
                              2 * round + i + 1);
        purge("/", "X-Lang: fr");
    }
}

/* What is stale is asked for: the origin says that it has not changed. */
E2E(store_purge, softly_leaves_it_to_be_validated)
{
    static const char *const ways[][2] = {
        {"/", ""}, {"/*", ""}, {"/any", "Surrogate-Key: red|"}, {"/any", "Purge-All: 1|"}};
    start();
    obedient_get("/", FRESH "|Surrogate-Key: red");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        expect_everywhere("/", "", 1);
        purge(ways[i][0], text("%sSoft-Purge: 1", ways[i][1]));
        assert_cache(obedient_get("/", "Say-Status: 304|" FRESH), "REVALIDATED", "1");
        assert_cache(obedient_get("/", ""), "HIT", "1");
    }
}
