/* proxy_cache with variables: each request says which cache it is about. */
#include <stdlib.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define FRESH "Say: Cache-Control: max-age=60"

static origin_t *start(const char *directives)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    subject_http("", text("proxy_cache_path @dir@/one keys_zone=one:1m;"
                          "proxy_cache_path @dir@/two keys_zone=two:1m;"
                          "server { listen 127.0.0.1:@http@; location /status { status; }"
                          "proxy_cache $http_x_zone; proxy_cache_purge $http_x_purge;"
                          "add_header X-Cache $upstream_cache_status always;"
                          "location / { proxy_pass http://127.0.0.1:@origin@; %s }"
                          "location /long { proxy_pass http://127.0.0.1:@origin@;"
                          " proxy_cache_valid 404 1m; } }",
                          directives));
    return o;
}

static uint64_t stored(const char *zone)
{
    const char *json = wire_get("http", "/status")->body.p;
    const char *at = strstr(json, text("\"%s\":{", zone));
    if (at) at = strstr(at, "\"stored\":");
    cr_assert(at, "nothing of %s in %s", zone, json);
    return strtoull(at + 9, NULL, 10);
}

E2E(cache_choice, each_zone_has_what_is_said_of_it)
{
    start("");
    assert_cache(obedient_get("/", "X-Zone: one|" FRESH), "MISS", "1");
    assert_cache(obedient_get("/", "X-Zone: two|" FRESH), "MISS", "2");
    assert_cache(obedient_get("/", "X-Zone: one"), "HIT", "1");
    assert_cache(obedient_get("/", "X-Zone: two"), "HIT", "2");
    cr_assert_eq(stored("one"), 1);
    cr_assert_eq(stored("two"), 1);
    assert_has(obedient_get("/", "X-Zone: one|X-Purge: 1")->body.p, "purged 1 of ");
    assert_cache(obedient_get("/", "X-Zone: two"), "HIT", "2");
    assert_cache(obedient_get("/", "X-Zone: one"), "MISS", "3");
}

/* As nginx has it: "off", an empty value; and what is not there is the operator's to know. */
E2E(cache_choice, some_requests_go_without)
{
    static const char *const without[] = {"", "X-Zone: off|", "X-Zone: three|"};
    origin_t *o = start("");
    for (size_t i = 0; i < 6; i++)
        cr_assert_null(wire_field(obedient_get("/", text("%s" FRESH, without[i / 2])), "X-Cache"));
    cr_assert_eq(origin_requests(o), 6);
    subject_log_await("cache \"three\" not found");
}

/* Two locations with the same words, and other things said of it. */
E2E(cache_choice, keeps_to_its_location)
{
    start("");
    for (int i = 0; i < 2; i++) {
        assert_cache(obedient_get("/a", "X-Zone: one|Say-Status: 404"), "MISS", i ? "2" : "1");
        assert_cache(obedient_get("/long", "X-Zone: one|Say-Status: 404"), i ? "HIT" : "MISS", "1");
    }
}

E2E(cache_choice, what_changes_something_drops_it_there)
{
    start("");
    assert_cache(obedient_get("/", "X-Zone: two|" FRESH), "MISS", "1");
    assert_cache(obedient_get("/", "X-Zone: two"), "HIT", "1");
    cr_assert_eq(obedient_ask("POST", "/", "X-Zone: two")->status, 200);
    assert_cache(obedient_get("/", "X-Zone: two"), "MISS", "3");
}

/* What is set while a request is rewritten is not known to the requests for its parts. */
E2E(cache_choice, parts_are_kept_where_the_whole_is)
{
    char body[3001];
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    file_put("site/a", str_of(body));
    subject_http("", "proxy_cache_path @dir@/one keys_zone=one:1m;"
                     "server { listen 127.0.0.1:@back@; root @dir@/site; expires 1h; }"
                     "server { listen 127.0.0.1:@http@; location /status { status; }"
                     "location / { set $zone one; proxy_cache $zone; slice 1k;"
                     " proxy_pass http://127.0.0.1:@back@; } }");
    assert_text(wire_get("http", "/a")->body.p, body);
    cr_assert(EVENTUALLY(stored("one") == 3));
}
