/* The end of what is not stored: asked for by itself, kept, and what it is good for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* Ten bytes, of which it gives ranges, but not of /deaf; /short says one more than it sends. */
static void give(visit_t *v)
{
    static const char digits[] = "0123456789";
    char out[512];
    while (visit_request(v)) {
        const char *head = visit_head(v), *field = strstr(head, "\r\nRange: bytes=");
        const char *rest = strstr(head, "X-No-Store: 1") ? "no-store" : "max-age=60";
        int from = 0, last = 9, n = 0;
        if (strstr(head, "If-None-Match: \"t\"")) {
            visit_send(v, "HTTP/1.1 304 Same\r\nETag: \"t\"\r\nCache-Control: max-age=60\r\n\r\n");
            continue;
        }
        if (visit_target_is(v, "/stale")) rest = "max-age=0";
        if (field && sscanf(field + 15, "-%d", &n) == 1) from = 10 - n;
        else if (field) sscanf(field + 15, "%d-%d", &from, &last);
        if (!field || visit_target_is(v, "/deaf"))
            snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nCache-Control: %s\r\nETag: \"t\"\r\n"
                     "Content-Length: 10\r\n\r\n%s", rest, digits);
        else
            snprintf(out, sizeof(out), "HTTP/1.1 206 Part\r\nCache-Control: %s\r\nETag: \"t\"\r\n"
                     "Content-Range: bytes %d-%d/10\r\nContent-Length: %d\r\n\r\n%.*s", rest,
                     visit_target_is(v, "/short") ? from - 1 : from, last, last - from + 1,
                     last - from + 1, digits + from);
        visit_send(v, out);
    }
}

static origin_t *start(const char *directives)
{
    origin_t *o = origin_start("origin", give, NULL);
    subject_http("", text("proxy_cache_path @dir@/cache keys_zone=z:1m;"
                          "server { listen 127.0.0.1:@http@;"
                          "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                          "proxy_cache_purge $http_x_purge;"
                          "add_header X-Cache $upstream_cache_status always; %s } }", directives));
    return o;
}

static reply_t *get(const char *path, const char *fields)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path, fields));
    return wire_reply(w);
}

static void expect(const char *path, const char *range, const char *status, const char *content,
                   const char *body)
{
    reply_t *r = get(path, text("Range: bytes=%s\r\n", range));
    cr_expect_eq(r->status, content ? 206 : 200, "%s: %s", range, r->head);
    cr_expect_str_eq(wire_field(r, "X-Cache"), status, "%s: %s", range, r->head);
    if (content) cr_expect_str_eq(wire_field(r, "Content-Range"), content, "%s", range);
    cr_expect_str_eq(r->body.p, body, "%s", range);
    cr_expect_str_eq(wire_field(r, "Content-Length"), text("%zu", strlen(body)), "%s", range);
}

E2E(cache_tail, is_asked_for_alone_and_kept)
{
    origin_t *o = start("");
    expect("/", "-5", "MISS", "bytes 5-9/10", "56789");
    assert_text(origin_field(o, 0, "Range"), "bytes=-5");
    expect("/", "-5", "HIT", "bytes 5-9/10", "56789");
    expect("/", "-2", "HIT", "bytes 8-9/10", "89");
    expect("/", "6-7", "HIT", "bytes 6-7/10", "67");
    expect("/", "7-", "HIT", "bytes 7-9/10", "789");
    cr_assert_eq(origin_requests(o), 1);
    expect("/", "-6", "MISS", "bytes 4-9/10", "456789"); /* more than there is */
    expect("/", "-5", "HIT", "bytes 5-9/10", "56789");
    expect("/", "3-8", "MISS", "bytes 3-8/10", "345678"); /* the whole is fetched */
    cr_assert_null(origin_field(o, 2, "Range"));
    cr_assert(EVENTUALLY(strcmp(wire_field(get("/", ""), "X-Cache"), "HIT") == 0));
    expect("/", "-9", "HIT", "bytes 1-9/10", "123456789");
    cr_assert_eq(origin_requests(o), 3);
}

/* RFC 9110 13.1.5: a condition beside the range is judged on the whole. */
E2E(cache_tail, is_nothing_for_conditions)
{
    origin_t *o = start("");
    expect("/", "-5", "MISS", "bytes 5-9/10", "56789");
    reply_t *r = get("/", "Range: bytes=-5\r\nIf-Range: \"other\"\r\n");
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "0123456789");
    cr_assert_null(origin_field(o, 1, "Range"));
}

/* What gives no ranges is stored as what it is. */
E2E(cache_tail, is_cut_from_the_whole_where_the_origin_gives_no_ranges)
{
    origin_t *o = start("");
    expect("/deaf", "-5", "MISS", "bytes 5-9/10", "56789");
    cr_assert_eq(origin_requests(o), 2);
    cr_assert_null(origin_field(o, 1, "Range"));
    cr_assert(EVENTUALLY(strcmp(wire_field(get("/deaf", ""), "X-Cache"), "HIT") == 0));
    expect("/deaf", "-3", "HIT", "bytes 7-9/10", "789");
    cr_assert_eq(origin_requests(o), 2);
}

/* RFC 9111 3.3: what came begins where it says, and no more of it is there than came. */
E2E(cache_tail, answers_from_a_short_one_what_lies_within)
{
    origin_t *o = start("");
    expect("/short", "-5", "MISS", "bytes 4-9/10", "56789");
    expect("/short", "-5", "HIT", "bytes 4-9/10", "56789"); /* as it came */
    expect("/short", "6-8", "HIT", "bytes 6-8/10", "789");
    cr_assert_eq(origin_requests(o), 1);
    get("/short", "Range: bytes=-1\r\n");
    cr_assert_eq(origin_requests(o), 2, "the last byte has not come");
}

E2E(cache_tail, is_validated)
{
    origin_t *o = start("");
    expect("/stale", "-5", "MISS", "bytes 5-9/10", "56789");
    expect("/stale", "-5", "REVALIDATED", "bytes 5-9/10", "56789");
    assert_text(origin_field(o, 1, "If-None-Match"), "\"t\"");
    assert_text(origin_field(o, 1, "Range"), "bytes=-5");
    expect("/stale", "-4", "HIT", "bytes 6-9/10", "6789");
    cr_assert_eq(origin_requests(o), 2);
}

E2E(cache_tail, is_purged_with_the_whole)
{
    origin_t *o = start("");
    expect("/", "-5", "MISS", "bytes 5-9/10", "56789");
    get("/", "X-Purge: 1\r\n");
    expect("/", "-5", "MISS", "bytes 5-9/10", "56789");
    cr_assert_eq(origin_requests(o), 2);
}

E2E(cache_tail, is_passed_on_where_it_may_not_be_kept)
{
    origin_t *o = start("");
    for (int i = 0; i < 2; i++) {
        reply_t *r = get("/", "X-No-Store: 1\r\nRange: bytes=-5\r\n");
        cr_assert_eq(r->status, 206);
        assert_text(r->body.p, "56789");
        assert_text(origin_field(o, (unsigned)i, "Range"), "bytes=-5");
    }
    cr_assert_eq(origin_requests(o), 2);
}

E2E(cache_tail, is_fetched_once_for_all)
{
    enum { CLIENTS = 8 };
    origin_t *o = start("");
    wire_t *w[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=-5\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) assert_text(wire_reply(w[i])->body.p, "56789");
    cr_assert_eq(origin_requests(o), 1);
}
