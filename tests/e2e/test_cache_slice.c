/* Responses in parts: `slice`, ranges that begin far inside, and what becomes of parts that
   differ. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

/* --- an origin with one thing, of which it gives ranges --- */

typedef struct thing {
    size_t length;
    char first;         /* letter of its bytes: 'a' or 'A' */
    const char *etag;   /* NULL: none */
    const char *fields; /* more of them, each with CRLF */
    bool deaf;          /* Range is not heeded */
    unsigned short_by;  /* Content-Range promises so many bytes more than come */
} thing_t;

static const char fresh[] = "Cache-Control: max-age=60\r\n";

static const thing_t *volatile thing;
static int breaks; /* so many times the part from 20 on is broken off */

static char letter(const thing_t *t, size_t at)
{
    return (char)(t->first + (at + at / 26) % 26);
}

static bool field_is(const char *head, const char *name, const char *value)
{
    char line[256];
    snprintf(line, sizeof(line), "\r\n%s: %s\r\n", name, value);
    return strstr(head, line) != NULL;
}

static bool range_of(const thing_t *t, const char *head, size_t *from, size_t *n)
{
    const char *field = strstr(head, "\r\nRange: bytes="), *other = strstr(head, "\r\nIf-Range: ");
    size_t last;
    if (t->deaf || !field || sscanf(field + 15, "%zu-%zu", from, &last) < 1) return false;
    if (other && !(t->etag && field_is(head, "If-Range", t->etag))) return false;
    if (sscanf(field + 15, "%zu-%zu", from, &last) < 2 || last >= t->length) last = t->length - 1;
    *n = *from < t->length ? last - *from + 1 : 0;
    return true;
}

static void send_bytes(visit_t *v, const thing_t *t, size_t from, size_t n)
{
    char block[4096];
    for (size_t at = from; at < from + n;) {
        size_t k = 0;
        for (; k < sizeof(block) && at < from + n; at++) block[k++] = letter(t, at);
        if (!visit_send_n(v, block, k)) return;
    }
}

static void give(visit_t *v)
{
    char out[1024], etag[128] = "";
    while (visit_request(v)) {
        const thing_t *t = thing;
        const char *head = visit_head(v);
        size_t from = 0, n = t->length;
        bool ranged = range_of(t, head, &from, &n);
        if (t->etag) snprintf(etag, sizeof(etag), "ETag: %s\r\n", t->etag);
        if (t->etag && field_is(head, "If-None-Match", t->etag)) {
            visit_send(v, "HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\n\r\n");
            continue;
        }
        if (ranged && n == 0)
            snprintf(out, sizeof(out), "HTTP/1.1 416 No\r\nContent-Range: bytes */%zu\r\n"
                     "Content-Length: 0\r\n\r\n", t->length);
        else if (ranged)
            snprintf(out, sizeof(out), "HTTP/1.1 206 Part\r\nContent-Length: %zu\r\n"
                     "Content-Range: bytes %zu-%zu/%zu\r\n%s%s\r\n", n - t->short_by, from,
                     from + n - 1, t->length, etag, t->fields);
        else
            snprintf(out, sizeof(out), "HTTP/1.1 200 All\r\nContent-Length: %zu\r\n%s%s\r\n", n,
                     etag, t->fields);
        visit_send(v, out);
        if (ranged && from == 20 && __atomic_fetch_sub(&breaks, 1, __ATOMIC_SEQ_CST) > 0) {
            send_bytes(v, t, from, n / 2);
            return;
        }
        if (strncmp(head, "HEAD ", 5) != 0) send_bytes(v, t, from, ranged ? n - t->short_by : n);
    }
}

/* --- the test's side --- */

static origin_t *start(const thing_t *t, const char *directives)
{
    thing = t;
    origin_t *o = origin_start("origin", give, NULL);
    subject_http("", text("proxy_cache_path @dir@/cache keys_zone=z:1m;"
                          "server { listen 127.0.0.1:@http@;"
                          "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z;"
                          "proxy_cache_purge $http_x_purge; proxy_http_version 1.1;"
                          "add_header X-Cache $upstream_cache_status always; %s } }",
                          directives));
    return o;
}

static reply_t *ask(const char *method, const char *fields)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("%s /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, fields));
    return wire_reply_to(w, method);
}

static reply_t *get(const char *range)
{
    return ask("GET", *range ? text("Range: bytes=%s\r\n", range) : "");
}

static void assert_bytes(const reply_t *r, const thing_t *t, size_t from, size_t n)
{
    cr_assert_eq(r->body.n, n, "%zu bytes instead of %zu:\n%s", r->body.n, n, r->head);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(r->body.p[i], letter(t, from + i), "byte %zu:\n%s", i, r->head);
}

/* How many of the origin's requests had this Range. */
static unsigned asked(origin_t *o, const char *range)
{
    unsigned n = 0;
    for (unsigned i = 0; i < origin_requests(o); i++) {
        const char *value = origin_field(o, i, "Range");
        n += value && strcmp(value, range) == 0;
    }
    return n;
}

/* As in nginx's own documentation of slice. */
static const char sliced[] = "slice 10; proxy_cache_key $uri$is_args$args$slice_range;"
                             "proxy_set_header Range $slice_range; proxy_cache_valid 200 206 1h;";

static const thing_t small = {.length = 45, .first = 'a', .etag = "\"a\"", .fields = fresh};
static const thing_t newer = {.length = 45, .first = 'A', .etag = "\"b\"", .fields = fresh};

E2E(cache_slice, fetches_and_keeps_each_part)
{
    origin_t *o = start(&small, sliced);
    reply_t *r = get("");
    cr_assert_eq(r->status, 200);
    assert_text(wire_field(r, "Content-Length"), "45");
    assert_text(wire_field(r, "ETag"), "\"a\"");
    assert_text(wire_field(r, "X-Cache"), "MISS");
    cr_assert_null(wire_field(r, "Content-Range"));
    assert_bytes(r, &small, 0, 45);
    cr_assert_eq(origin_requests(o), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_text(origin_field(o, i, "Range"), text("bytes=%u-%u", 10 * i, 10 * i + 9));
    cr_assert_null(origin_field(o, 0, "If-Range"));
    assert_text(origin_field(o, 1, "If-Range"), "\"a\"");
    r = get("");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_bytes(r, &small, 0, 45);
    cr_assert_eq(origin_requests(o), 5);
}

E2E(cache_slice, answers_ranges_from_the_parts_that_hold_them)
{
    static const struct {
        const char *range, *content_range;
        size_t from, n;
        int status;
    } rows[] = {
        {"0-4", "bytes 0-4/45", 0, 5, 206},      {"12-33", "bytes 12-33/45", 12, 22, 206},
        {"19-20", "bytes 19-20/45", 19, 2, 206}, {"40-", "bytes 40-44/45", 40, 5, 206},
        {"-6", "bytes 39-44/45", 39, 6, 206},    {"20-29", "bytes 20-29/45", 20, 10, 206},
        {"x-y", NULL, 0, 45, 200},
    };
    origin_t *o = start(&small, sliced);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reply_t *r = get(rows[i].range);
        cr_assert_eq(r->status, rows[i].status, "%s: %s", rows[i].range, r->head);
        if (rows[i].content_range)
            assert_text(wire_field(r, "Content-Range"), rows[i].content_range);
        assert_bytes(r, &small, rows[i].from, rows[i].n);
    }
    cr_assert_eq(origin_requests(o), 5, "each part once: %u", origin_requests(o));
    reply_t *r = get("1-2,31-32");
    cr_assert_eq(r->status, 206);
    assert_has(r->body.p, text("Content-Range: bytes 31-32/45\r\n\r\n%c%c\r\n", letter(&small, 31),
                               letter(&small, 32)));
    cr_assert_eq(origin_requests(o), 5);
}

E2E(cache_slice, refuses_what_lies_behind_the_end)
{
    start(&small, sliced);
    reply_t *r = get("99-");
    cr_assert_eq(r->status, 416);
    assert_text(wire_field(r, "Content-Range"), "bytes */45");
    get("");
    cr_assert_eq(get("47-48")->status, 416);
    cr_assert_eq(get("99999999999999999999999-")->status, 416);
}

E2E(cache_slice, answers_head_and_conditions)
{
    origin_t *o = start(&small, sliced);
    reply_t *r = ask("HEAD", "");
    assert_text(wire_field(r, "Content-Length"), "45");
    assert_text(origin_field(o, 0, "Range"), "bytes=0-9");
    cr_assert_eq(ask("GET", "If-None-Match: \"a\"\r\n")->status, 304);
    cr_assert_eq(ask("GET", "If-Match: \"b\"\r\n")->status, 412);
    r = ask("GET", "If-Range: \"b\"\r\nRange: bytes=30-31\r\n");
    cr_assert_eq(r->status, 200);
    assert_bytes(r, &small, 0, 45);
    r = ask("GET", "If-Range: \"a\"\r\nRange: bytes=30-31\r\n");
    cr_assert_eq(r->status, 206);
    assert_bytes(r, &small, 30, 2);
}

/* Without it in key and fields the parts are told apart all the same. */
E2E(cache_slice, needs_nothing_but_its_size)
{
    origin_t *o = start(&small, "slice 20;");
    assert_bytes(get(""), &small, 0, 45);
    assert_bytes(get("21-22"), &small, 21, 2);
    cr_assert_eq(origin_requests(o), 3);
    assert_text(origin_field(o, 2, "Range"), "bytes=40-59");
}

/* What drops the whole drops the parts. */
E2E(cache_slice, purges_the_parts_with_the_whole)
{
    origin_t *o = start(&small, sliced);
    get(""), ask("GET", "X-Purge: 1\r\n");
    thing = &newer;
    assert_bytes(get(""), &newer, 0, 45);
    cr_assert_eq(origin_requests(o), 10);
    ask("POST", "Content-Length: 0\r\n");
    assert_text(wire_field(get("0-1"), "X-Cache"), "MISS");
}

/* RFC 9110 15.3.7.3: a part of another version is not joined, though it is fresh. */
E2E(cache_slice, replaces_a_stored_part_of_another_version)
{
    origin_t *o = start(&small, sliced);
    assert_bytes(get("30-39"), &small, 30, 10);
    thing = &newer;
    reply_t *r = get("");
    cr_assert_eq(r->status, 200);
    assert_bytes(r, &newer, 0, 45);
    cr_assert_eq(asked(o, "bytes=30-39"), 2);
    assert_bytes(get("28-31"), &newer, 28, 4);
    cr_assert_eq(asked(o, "bytes=30-39"), 2);
}

E2E(cache_slice, breaks_off_when_the_origin_has_another_version)
{
    start(&small, sliced);
    subject_tolerate("no slice from 10");
    assert_bytes(get("0-9"), &small, 0, 10);
    thing = &newer;
    wire_t *w = wire_open("http");
    wire_send(w, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_not_null(wire_try_reply(w, "GET")->broken);
    subject_log_await("no slice from 10");
    assert_bytes(get(""), &newer, 0, 45); /* nobody is stuck with it */
}

E2E(cache_slice, validates_stale_parts)
{
    static const thing_t stale = {.length = 15, .first = 'a', .etag = "\"a\"",
                                  .fields = "Cache-Control: max-age=0\r\n"};
    origin_t *o = start(&stale, "slice 10;");
    assert_bytes(get(""), &stale, 0, 15);
    reply_t *r = get("");
    assert_text(wire_field(r, "X-Cache"), "REVALIDATED");
    assert_bytes(r, &stale, 0, 15);
    assert_text(origin_field(o, 3, "If-None-Match"), "\"a\"");
    cr_assert_eq(origin_requests(o), 4);
    assert_bytes(get(""), &stale, 0, 15);
    cr_assert_eq(origin_requests(o), 4);
}

/* What may not be stored goes through, part by part. */
E2E(cache_slice, passes_on_what_it_may_not_keep)
{
    static const thing_t secret = {.length = 25, .first = 'a', .etag = "\"a\"",
                                   .fields = "Cache-Control: no-store\r\n"};
    origin_t *o = start(&secret, "slice 10;");
    assert_bytes(get(""), &secret, 0, 25);
    assert_bytes(get(""), &secret, 0, 25);
    cr_assert_eq(origin_requests(o), 6);
}

E2E(cache_slice, answers_whole_where_the_origin_gives_no_ranges)
{
    static const thing_t deaf = {.length = 45, .first = 'a', .etag = "\"a\"", .fields = fresh,
                                 .deaf = true};
    origin_t *o = start(&deaf, sliced);
    reply_t *r = get("12-13");
    cr_assert_eq(r->status, 206);
    assert_bytes(r, &deaf, 12, 2);
    cr_assert(EVENTUALLY(strcmp(wire_field(get(""), "X-Cache"), "HIT") == 0));
    unsigned n = origin_requests(o);
    assert_bytes(get("12-30"), &deaf, 12, 19);
    assert_bytes(get(""), &deaf, 0, 45);
    cr_assert_eq(origin_requests(o), n);
}

E2E(cache_slice, passes_errors_on)
{
    origin_start("origin", origin_say, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
    subject_http("", "proxy_cache_path @dir@/cache keys_zone=z:1m;"
                     " server { listen 127.0.0.1:@http@;"
                     "location / { proxy_pass http://127.0.0.1:@origin@; proxy_cache z; slice 10;"
                     " } }");
    reply_t *r = get("");
    cr_assert_eq(r->status, 404);
    assert_text(r->body.p, "no");
}

/* What breaks off in the middle is asked for again there, once. */
E2E(cache_slice, takes_up_a_part_that_broke_off)
{
    origin_t *o = start(&small, sliced);
    subject_tolerate("upstream prematurely closed");
    breaks = 1;
    assert_bytes(get(""), &small, 0, 45);
    cr_assert_eq(asked(o, "bytes=20-29"), 2);
    ask("GET", "X-Purge: 1\r\n");
    __atomic_store_n(&breaks, 9, __ATOMIC_SEQ_CST);
    wire_t *w = wire_open("http");
    wire_send(w, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_not_null(wire_try_reply(w, "GET")->broken);
}

/* A part that is shorter than it says is neither kept nor passed off as whole. */
E2E(cache_slice, does_not_believe_a_short_part)
{
    static const thing_t liar = {.length = 45, .first = 'a', .etag = "\"a\"", .fields = fresh,
                                 .short_by = 1};
    origin_t *o = start(&liar, "slice 10;");
    assert_bytes(get(""), &liar, 0, 45); /* asked for as a whole instead */
    assert_text(origin_field(o, 0, "Range"), "bytes=0-9");
    cr_assert_null(origin_field(o, 1, "Range"));
}

E2E(cache_slice, fetches_a_part_once_for_all)
{
    enum { CLIENTS = 8 };
    origin_t *o = start(&small, sliced);
    wire_t *w[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = wire_open("http");
        wire_send(w[i], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) assert_bytes(wire_reply(w[i]), &small, 0, 45);
    cr_assert_eq(origin_requests(o), 5, "%u", origin_requests(o));
}

/* A client that leaves takes nothing along. */
E2E(cache_slice, survives_clients_that_leave)
{
    static const thing_t large = {.length = 8 << 20, .first = 'a', .etag = "\"a\"",
                                  .fields = fresh};
    start(&large, "slice 64k; proxy_cache_lock_timeout 1s;");
    for (int i = 0; i < 8; i++) {
        wire_t *w = wire_open("http");
        wire_send(w, text("GET /x HTTP/1.1\r\nHost: h\r\nRange: bytes=%d-\r\n\r\n", i * 500000));
        wire_bytes(w, 1000 + (size_t)i * 100000);
        wire_reset(w);
    }
    assert_bytes(get("4000000-4200000"), &large, 4000000, 200001);
}

/* Whole replies of one version alone, whatever changes and leaves meanwhile. */
E2E(cache_slice, never_mixes_versions)
{
    enum { ROUNDS = 60, CLIENTS = 4 };
    unsigned whole = 0;
    start(&small, sliced);
    subject_tolerate("no slice from");
    for (unsigned i = 0; i < ROUNDS; i++) {
        wire_t *w[CLIENTS];
        for (unsigned k = 0; k < CLIENTS; k++) {
            w[k] = wire_open("http");
            wire_send(w[k], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
            if (k == i % CLIENTS) thing = i & 1 ? &newer : &small;
        }
        unsigned leaves = i % 5 ? CLIENTS : i % CLIENTS;
        if (leaves < CLIENTS) wire_reset(w[leaves]);
        if (i % 7 == 0) ask("GET", "X-Purge: 1\r\n");
        for (unsigned k = 0; k < CLIENTS; k++) {
            reply_t *r = k == leaves ? NULL : wire_try_reply(w[k], "GET");
            if (!r || r->broken) continue;
            bool old = strcmp(wire_field(r, "ETag"), "\"a\"") == 0;
            assert_bytes(r, old ? &small : &newer, 0, 45);
            whole++;
        }
    }
    cr_assert_gt(whole, 0);
}

/* --- without slice: ranges that begin far inside --- */

static const thing_t film = {.length = 5 << 20, .first = 'a', .etag = "\"f\"", .fields = fresh};

E2E(cache_slice, fetches_parts_of_what_is_asked_for_far_inside)
{
    origin_t *o = start(&film, "");
    reply_t *r = get("2500000-3500000");
    cr_assert_eq(r->status, 206);
    assert_text(wire_field(r, "Content-Range"), text("bytes 2500000-3500000/%zu", film.length));
    assert_bytes(r, &film, 2500000, 1000001);
    cr_assert_eq(origin_requests(o), 2);
    assert_text(origin_field(o, 0, "Range"), "bytes=2097152-3145727");
    assert_text(origin_field(o, 1, "If-Range"), "\"f\"");
    r = get("2400000-2600000");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_bytes(r, &film, 2400000, 200001);
    assert_bytes(get("3000000-4300000"), &film, 3000000, 1300001); /* one part lacks */
    cr_assert_eq(origin_requests(o), 3);
    assert_bytes(get("0-9"), &film, 0, 10); /* most of it is there by now */
    assert_text(origin_field(o, 3, "Range"), "bytes=0-1048575");
    cr_assert_eq(origin_requests(o), 4);
}

/* RFC 9111 3.4: the whole is made of what stands and the rest. */
E2E(cache_slice, completes_the_whole_from_parts_that_stand)
{
    origin_t *o = start(&film, "");
    assert_bytes(get("2097152-"), &film, 2097152, film.length - 2097152);
    unsigned n = origin_requests(o);
    reply_t *r = get("");
    cr_assert_eq(r->status, 200);
    cr_assert_null(wire_field(r, "Content-Range"));
    assert_bytes(r, &film, 0, film.length);
    cr_assert_eq(origin_requests(o), n + 2);
    assert_text(origin_field(o, n, "Range"), "bytes=0-1048575");
    assert_text(origin_field(o, n + 1, "Range"), "bytes=1048576-2097151");
    assert_text(origin_field(o, n + 1, "If-Range"), "\"f\"");
    r = get("");
    assert_text(wire_field(r, "X-Cache"), "HIT");
    assert_bytes(r, &film, 0, film.length);
    assert_text(wire_field(ask("HEAD", ""), "Content-Length"), text("%zu", film.length));
    cr_assert_eq(ask("GET", "If-None-Match: \"f\"\r\n")->status, 304);
    cr_assert_eq(origin_requests(o), n + 2);
}

E2E(cache_slice, never_completes_one_version_from_parts_of_another)
{
    static const thing_t sequel = {.length = 5 << 20, .first = 'A', .etag = "\"g\"",
                                   .fields = fresh};
    origin_t *o = start(&film, "");
    assert_bytes(get("1048576-"), &film, 1048576, film.length - 1048576);
    thing = &sequel;
    assert_bytes(get(""), &sequel, 0, sequel.length);
    ask("GET", "X-Purge: 1\r\n");
    unsigned n = origin_requests(o);
    assert_bytes(get(""), &sequel, 0, sequel.length);
    cr_assert_null(origin_field(o, n, "Range"), "nothing is known of parts any more");
}

/* One request for all of it is cheaper than many for nearly all of it. */
E2E(cache_slice, fetches_the_whole_where_little_of_it_stands)
{
    origin_t *o = start(&film, "");
    assert_bytes(get("4500000-"), &film, 4500000, film.length - 4500000);
    unsigned n = origin_requests(o);
    assert_bytes(get("0-9"), &film, 0, 10); /* near the beginning */
    cr_assert_null(origin_field(o, n, "Range"));
    assert_bytes(get(""), &film, 0, film.length);
    cr_assert_eq(origin_requests(o), n + 1);
}

E2E(cache_slice, does_not_join_parts_without_a_strong_validator)
{
    static const thing_t weak = {.length = 3 << 20, .first = 'a', .etag = "W/\"f\"",
                                 .fields = fresh};
    origin_t *o = start(&weak, "");
    reply_t *r = get("1500000-2500000");
    cr_assert_eq(r->status, 206);
    assert_bytes(r, &weak, 1500000, 1000001);
    cr_assert_eq(origin_requests(o), 2);
    cr_assert_null(origin_field(o, 1, "Range"), "the whole");
}

/* One request for all of the range, as if there were no cache. */
E2E(cache_slice, leaves_ranges_that_may_not_be_kept_alone)
{
    static const thing_t secret = {.length = 5 << 20, .first = 'a', .etag = "\"a\"",
                                   .fields = "Cache-Control: no-store\r\n"};
    origin_t *o = start(&secret, "");
    assert_bytes(get("1500000-4500000"), &secret, 1500000, 3000001);
    cr_assert_eq(asked(o, "bytes=1500000-4500000"), 1);
    unsigned n = origin_requests(o);
    assert_bytes(get("1500001-4500000"), &secret, 1500001, 3000000);
    cr_assert_eq(origin_requests(o), n + 1);
}

E2E(cache_slice, refuses_a_wrong_size)
{
    file_write("bad.conf", "events {} http { server { slice ten; } }");
    ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "slice");
}
