/* Bodies that are too long to be packed while a client waits: packed once, by the side. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LENGTH = 700 * 1000 };

static char body[LENGTH + 1];

static void serve(visit_t *v)
{
    while (visit_request(v)) {
        visit_send(v, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: \"x\"\r\n"
                      "Cache-Control: max-age=600\r\nContent-Length: 700000\r\n\r\n");
        visit_send_n(v, body, LENGTH);
    }
}

static void start(const char *memory)
{
    for (int i = 0; i < LENGTH; i++) body[i] = (char)('a' + i % 7 + i / 1000 % 19);
    origin_start("origin", serve, NULL);
    subject_http("worker_processes 2;",
                 text("proxy_cache_path cache keys_zone=z:1m memory=%s; gzip on; gzip_min_length 1;"
                      "gzip_types text/plain; brotli on; brotli_types text/plain;"
                      "server { listen 127.0.0.1:@http@; location /status { status; }"
                      "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z; } }",
                      memory));
}

static uint64_t stored(void)
{
    const char *json = wire_get("http", "/status")->body.p, *at = strstr(json, "\"stored\":");
    return at ? strtoull(at + 9, NULL, 10) : 0;
}

static const char *get(const char *coding)
{
    CURL *c = fetch_new("http://127.0.0.1:@http@/a");
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, coding);
    fetched_t *f = fetch(c);
    cr_assert_eq(f->code, CURLE_OK);
    assert_has(f->head, text("Content-Encoding: %s\r\n", coding));
    assert_has(f->head, "Vary: Accept-Encoding\r\n");
    assert_has(f->head, "ETag: W/\"x\"\r\n");
    cr_assert(f->body.n == LENGTH && memcmp(f->body.p, body, LENGTH) == 0, "%zu", f->body.n);
    return f->head;
}

static void expect_packed_once(const char *memory)
{
    start(memory);
    fetch_get("http://127.0.0.1:@http@/a");
    cr_assert_eq(stored(), 1);
    assert_has(get("gzip"), "Transfer-Encoding: chunked\r\n"); /* as it is sent */
    cr_assert(EVENTUALLY(stored() == 2));
    for (int i = 0; i < 4; i++) {
        const char *head = get("gzip");
        assert_has(head, "Content-Length: "); /* as it stands in the cache */
        assert_lacks(head, "Transfer-Encoding");
    }
    get("br");
    cr_assert(EVENTUALLY(stored() == 3));
    assert_has(get("br"), "Content-Length: ");
    cr_expect_eq(stored(), 3);
}

E2E(cache_pack, a_long_body_is_packed_once_from_memory)
{
    expect_packed_once("16m");
}

E2E(cache_pack, a_long_body_is_packed_once_from_its_file)
{
    expect_packed_once("1m");
}

E2E(cache_pack, what_was_packed_of_another_body_is_not_sent)
{
    start("16m");
    fetch_get("http://127.0.0.1:@http@/a");
    get("gzip");
    cr_assert(EVENTUALLY(stored() == 2));
    subject_ctl("purge z all");
    for (int i = 0; i < LENGTH; i++) body[i] = (char)('A' + i % 7 + i / 1000 % 19);
    fetch_get("http://127.0.0.1:@http@/a");
    get("gzip");
    cr_assert(EVENTUALLY(stored() == 4));
    assert_has(get("gzip"), "Content-Length: ");
}
