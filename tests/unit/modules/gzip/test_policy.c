/* Who gets what in which coding: a row for each sentence, with the place that says so. */
#include <criterion/criterion.h>

#include "core/base/clock.h"
#include "modules/gzip/codec.h"
#include "modules/gzip/policy.h"
#include "modules/gzip/recode.h"

static pool_t *pool;
static request_t r;
static gzip_conf_t conf;

static void setup(void)
{
    pool = pool_create();
    clock_set(1000000, 1700000000000);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(policy, .init = setup, .fini = teardown);

/* "Name: value\nName: value" */
static void add_fields(header_list_t *list, const char *fields)
{
    str_t rest = str_of(fields ? fields : ""), line;
    header_list_init(list, pool);
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        str_t value = colon < line.n ? str_trim(str_sub(line, colon + 1, line.n)) : STR("");
        cr_assert(header_add(list, str_sub(line, 0, colon), value));
    }
}

/* Switched on, with the directives' defaults. */
static void reset(const char *on)
{
    static const coding_t codings[] = {CODING_GZIP, CODING_BR, CODING_ZSTD};
    conf = (gzip_conf_t){.vary = true, .gunzip = true, .http_version = GZIP_HTTP_11};
    for (unsigned i = 0; i < 3; i++) {
        conf.coding[codings[i]].on = strchr(on, "gbz"[i]);
        conf.coding[codings[i]].min_length = 20;
    }
}

static void make(const char *request, int status, const char *type, int64_t length,
                 const char *reply)
{
    r = (request_t){.pool = pool};
    r.head.minor = 1;
    add_fields(&r.head.headers, request);
    r.reply.status = status;
    r.reply.content_type = type ? str_of(type) : (str_t){NULL, 0};
    r.reply.length = length;
    add_fields(&r.reply.headers, reply);
}

#define NONE CODING_IDENTITY
#define GZIP CODING_GZIP
#define BR CODING_BR
#define ZSTD CODING_ZSTD
#define FIX (-2) /* not to be touched, and the same for all */

typedef struct row {
    const char *request, *type, *reply, *rule;
    int status, length, expected;
} row_t;

static void check(const row_t *row)
{
    make(row->request, row->status, row->type, row->length, row->reply);
    policy_t got = policy_compress(&r, &conf);
    coding_t coding = row->expected == FIX ? NONE : (coding_t)row->expected;
    cr_expect(got.coding == coding && got.varies == (row->expected != FIX),
              "%s; %s; %d %s; %s (%s): coding %d, varies %d", row->request, row->type, row->status,
              row->reply ? row->reply : "", row->rule, row->expected == FIX ? "fix" : "",
              got.coding, got.varies);
}

#define CHECK(rows) \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) check(&rows[i])

/* --- the client --- */

#define HTML "text/html", NULL
#define AE "Accept-Encoding: "

static const row_t clients[] = {
    {"", HTML, "RFC 9110 12.5.3: nothing was asked for", 200, 100, NONE},
    {AE, HTML, "12.5.3: empty", 200, 100, NONE},
    {AE "gzip", HTML, "12.5.3", 200, 100, GZIP},
    {AE "br", HTML, "12.5.3", 200, 100, BR},
    {AE "zstd", HTML, "12.5.3", 200, 100, ZSTD},
    {AE "x-gzip", HTML, "8.4.1.3", 200, 100, GZIP},
    {AE "deflate", HTML, "nothing that is made", 200, 100, NONE},
    {AE "gzip, deflate, br, zstd", HTML, "our order", 200, 100, ZSTD},
    {AE "gzip, deflate, br", HTML, "our order", 200, 100, BR},
    {AE "gzip, br;q=0.9, zstd;q=0.8", HTML, "the higher weight", 200, 100, GZIP},
    {AE "gzip;q=0.8, br;q=0.9, zstd;q=0.8", HTML, "the higher weight", 200, 100, BR},
    {AE "*", HTML, "12.5.3: any", 200, 100, ZSTD},
    {AE "*;q=0.1", HTML, "12.5.3: any, and identity alike", 200, 100, ZSTD},
    {AE "zstd;q=0, *", HTML, "12.5.3: the others", 200, 100, BR},
    {AE "zstd;q=0, br;q=0, *", HTML, "12.5.3: the others", 200, 100, GZIP},
    {AE "identity", HTML, "12.5.3", 200, 100, NONE},
    {AE "identity, gzip;q=0.5", HTML, "identity is liked better", 200, 100, NONE},
    {AE "identity;q=0.5, gzip", HTML, "gzip is liked better", 200, 100, GZIP},
    {AE "identity;q=0, gzip;q=0.001", HTML, "identity is refused", 200, 100, GZIP},
    {AE "identity;q=0", HTML, "all are refused: plain", 200, 100, NONE},
    {AE "*;q=0", HTML, "all are refused: plain", 200, 100, NONE},
    {AE "gzip;q=0", HTML, "12.4.2: refused", 200, 100, NONE},
    {AE "gzip;q=0, br;q=0, zstd;q=0", HTML, "12.4.2: refused", 200, 100, NONE},
    {AE "gzip;q=0\n" AE "br", HTML, "5.3: several lines", 200, 100, BR},
    {AE "gzip;q=2, br;q=0.1", HTML, "12.4.2: no weight", 200, 100, BR},
    {AE "gzip\nCache-Control: no-transform", HTML, "RFC 9111 5.2.1.6", 200, 100, FIX},
    {AE "gzip\nCache-Control: max-age=0, No-Transform", HTML, "RFC 9111 5.2.1.6", 200, 100, FIX},
    {AE "gzip\nCache-Control: no-cache", HTML, "says nothing of it", 200, 100, GZIP},
    {AE "gzip\nRange: bytes=0-1", HTML, "the reply is whole", 200, 100, GZIP},
};

Test(policy, what_a_client_takes)
{
    reset("gbz");
    CHECK(clients);
}

/* --- the reply --- */

#define TAKES AE "gzip"

static const row_t statuses[] = {
    {TAKES, HTML, "content", 200, 100, GZIP},
    {TAKES, HTML, "content", 201, 100, GZIP},
    {TAKES, HTML, "content", 202, 100, GZIP},
    {TAKES, HTML, "content", 203, 100, GZIP},
    {TAKES, HTML, "RFC 9110 15.3.5: none", 204, -1, FIX},
    {TAKES, HTML, "15.3.6: none", 205, -1, FIX},
    {TAKES, HTML, "15.3.7: a part", 206, 100, FIX},
    {TAKES, HTML, "content", 207, 100, GZIP},
    {TAKES, HTML, "15.4: no content of its own", 301, 100, FIX},
    {TAKES, HTML, "15.4", 302, 100, FIX},
    {TAKES, HTML, "15.4.5", 304, -1, FIX},
    {TAKES, HTML, "15.4", 307, 100, FIX},
    {TAKES, HTML, "an error's page", 400, 100, GZIP},
    {TAKES, HTML, "an error's page", 401, 100, GZIP},
    {TAKES, HTML, "an error's page", 403, 100, GZIP},
    {TAKES, HTML, "an error's page", 404, 100, GZIP},
    {TAKES, HTML, "an error's page", 410, 100, GZIP},
    {TAKES, HTML, "an error's page", 500, 100, GZIP},
    {TAKES, HTML, "an error's page", 503, 100, GZIP},
    {TAKES, "text/html", "Content-Range: bytes */100", "14.4", 416, 100, FIX},
    {TAKES, "text/html", "Content-Range: bytes 0-9/100", "14.4", 200, 100, FIX},
    {TAKES, HTML, "an upgrade", 101, -1, FIX},
};

Test(policy, statuses)
{
    reset("g");
    CHECK(statuses);
}

static const row_t lengths[] = {
    {TAKES, HTML, "empty", 200, 0, FIX},
    {TAKES, HTML, "gzip_min_length", 200, 1, FIX},
    {TAKES, HTML, "gzip_min_length", 200, 19, FIX},
    {TAKES, HTML, "gzip_min_length", 200, 20, GZIP},
    {TAKES, HTML, "gzip_min_length", 200, 1 << 30, GZIP},
    {TAKES, HTML, "unknown", 200, -1, GZIP},
};

Test(policy, lengths)
{
    reset("g");
    CHECK(lengths);
}

#define TYPE(type, expected) {TAKES, type, NULL, "the usual types", 200, 100, expected}

static const row_t types[] = {
    TYPE("text/html", GZIP),
    TYPE("TEXT/HTML", GZIP),
    TYPE("text/html; charset=utf-8", GZIP),
    TYPE("text/html ;charset=utf-8", GZIP),
    TYPE("text/plain", GZIP),
    TYPE("text/css", GZIP),
    TYPE("text/javascript", GZIP),
    TYPE("text/xml", GZIP),
    TYPE("text/csv", GZIP),
    TYPE("text/markdown", GZIP),
    TYPE("text/calendar", GZIP),
    TYPE("text/vtt", GZIP),
    TYPE("application/javascript", GZIP),
    TYPE("application/x-javascript", GZIP),
    TYPE("application/json", GZIP),
    TYPE("application/json; charset=x", GZIP),
    TYPE("application/x-ndjson", GZIP),
    TYPE("application/ld+json", GZIP),
    TYPE("application/problem+json", GZIP),
    TYPE("application/manifest+json", GZIP),
    TYPE("application/vnd.api+JSON", GZIP),
    TYPE("application/xml", GZIP),
    TYPE("application/xhtml+xml", GZIP),
    TYPE("application/rss+xml", GZIP),
    TYPE("application/atom+xml;type=feed", GZIP),
    TYPE("image/svg+xml", GZIP),
    TYPE("application/yaml", GZIP),
    TYPE("image/png", FIX),
    TYPE("image/jpeg", FIX),
    TYPE("image/webp", FIX),
    TYPE("image/avif", FIX),
    TYPE("video/mp4", FIX),
    TYPE("audio/mpeg", FIX),
    TYPE("font/woff2", FIX),
    TYPE("application/zip", FIX),
    TYPE("application/epub+zip", FIX),
    TYPE("application/gzip", FIX),
    TYPE("application/zstd", FIX),
    TYPE("application/pdf", FIX),
    TYPE("application/octet-stream", FIX),
    TYPE("application/grpc", FIX),
    TYPE("text/event-stream", FIX),
    TYPE("application/jsonx", FIX),
    TYPE("+json", GZIP),
    TYPE("text", FIX),
    TYPE("", FIX),
    TYPE(NULL, FIX),
};

Test(policy, types)
{
    reset("g");
    CHECK(types);
}

static const row_t own_types[] = {
    TYPE("text/html", GZIP),
    TYPE("text/css", GZIP),
    TYPE("Text/CSS; charset=x", GZIP),
    TYPE("image/png", GZIP),
    TYPE("text/plain", FIX),
    TYPE("application/json", FIX),
    TYPE("application/ld+json", FIX),
    TYPE(NULL, FIX),
};

Test(policy, types_of_the_operator)
{
    str_t listed[] = {STR_INIT("text/css"), STR_INIT("image/png")}, star[] = {STR_INIT("*")};
    reset("g");
    conf.coding[CODING_GZIP].types.v = listed;
    conf.coding[CODING_GZIP].types.n = 2;
    CHECK(own_types);
    conf.coding[CODING_GZIP].types.v = star;
    conf.coding[CODING_GZIP].types.n = 1;
    static const row_t all[] = {TYPE("video/mp4", GZIP), TYPE("x/y", GZIP), TYPE(NULL, GZIP)};
    CHECK(all);
}

static const row_t fields[] = {
    {TAKES, "text/html", "Content-Encoding: gzip", "coded already", 200, 100, FIX},
    {TAKES, "text/html", "Content-Encoding: br", "coded already", 200, 100, FIX},
    {TAKES, "text/html", "Content-Encoding: other", "coded already", 200, 100, FIX},
    {TAKES, "text/html", "Cache-Control: no-transform", "RFC 9111 5.2.2.6", 200, 100, FIX},
    {TAKES, "text/html", "Cache-Control: public, no-transform", "RFC 9111 5.2.2.6", 200, 100, FIX},
    {TAKES, "text/html", "Cache-Control: public\nCache-Control: No-Transform", "9111 5.2.2.6", 200,
     100, FIX},
    {TAKES, "text/html", "Cache-Control: x=\"no-transform\"", "a value is no directive", 200, 100,
     GZIP},
    {TAKES, "text/html", "Cache-Control: no-store", "says nothing of it", 200, 100, GZIP},
    {TAKES, "text/html", "ETag: \"x\"", "is weakened", 200, 100, GZIP},
    {TAKES, "text/html", "Accept-Ranges: bytes", "goes", 200, 100, GZIP},
    {TAKES, "text/html", "Set-Cookie: a=b", "says nothing of it", 200, 100, GZIP},
};

Test(policy, fields)
{
    reset("g");
    CHECK(fields);
}

/* --- several codings --- */

#define ALL_THREE AE "gzip, br, zstd"

Test(policy, each_coding_has_its_own_types_and_lengths)
{
    static const row_t rows[] = {
        {ALL_THREE, "text/css", NULL, "zstd_min_length, br has not the type", 200, 100, GZIP},
        {ALL_THREE, "text/css", NULL, "zstd is long enough", 200, 1000, ZSTD},
        {ALL_THREE, "text/html", NULL, "brotli_types always have HTML", 200, 100, BR},
        {AE "br", "text/css", NULL, "gzip would be packed", 200, 100, NONE},
        {AE "br", "text/css", NULL, "too short for all", 200, 10, FIX},
        {ALL_THREE, "image/png", NULL, "brotli_types", 200, 1000, BR},
    };
    str_t listed[] = {STR_INIT("image/png")};
    reset("gbz");
    conf.coding[CODING_ZSTD].min_length = 1000;
    conf.coding[CODING_BR].types.v = listed;
    conf.coding[CODING_BR].types.n = 1;
    CHECK(rows);
}

Test(policy, what_is_off_is_not_offered)
{
    static const row_t with_br[] = {
        {ALL_THREE, HTML, "brotli on", 200, 100, BR},
        {AE "gzip", HTML, "brotli on", 200, 100, NONE},
        {AE "gzip, br;q=0.1", HTML, "brotli on", 200, 100, BR},
    };
    static const row_t without[] = {
        {ALL_THREE, HTML, "all off", 200, 100, FIX},
        {AE "*", HTML, "all off", 200, 100, FIX},
    };
    reset("b");
    CHECK(with_br);
    reset("");
    CHECK(without);
}

static const row_t old[] = {
    {ALL_THREE, HTML, "gzip_http_version", 200, 100, GZIP},
    {AE "br, zstd", HTML, "no chunks in HTTP/1.0", 200, 100, NONE},
};

Test(policy, old_versions)
{
    reset("gbz");
    for (size_t i = 0; i < 2; i++) {
        make(old[i].request, 200, "text/html", 100, NULL);
        r.head.minor = 0;
        conf.http_version = GZIP_HTTP_10;
        cr_expect_eq(policy_compress(&r, &conf).coding, (coding_t)old[i].expected);
        conf.http_version = GZIP_HTTP_11;
        cr_expect_eq(policy_compress(&r, &conf).coding, NONE);
        cr_expect(policy_compress(&r, &conf).varies);
    }
}

/* --- gzip_proxied --- */

#define VIA TAKES "\nVia: 1.1 p"
#define PAST "Thu, 01 Jan 1970 00:00:01 GMT"
#define FUTURE "Thu, 01 Jan 2099 00:00:01 GMT"

static const struct {
    unsigned proxied;
    row_t row;
} proxied[] = {
    {0, {VIA, HTML, "off", 200, 100, NONE}},
    {0, {TAKES, HTML, "no proxy", 200, 100, GZIP}},
    {0, {AE "br\nVia: 1.1 p", HTML, "of gzip alone", 200, 100, BR}},
    {GZIP_PROXIED_ANY, {VIA, HTML, "any", 200, 100, GZIP}},
    {GZIP_PROXIED_EXPIRED, {VIA, "text/html", "Expires: " PAST, "expired", 200, 100, GZIP}},
    {GZIP_PROXIED_EXPIRED, {VIA, "text/html", "Expires: 0", "RFC 9111 5.3", 200, 100, GZIP}},
    {GZIP_PROXIED_EXPIRED, {VIA, "text/html", "Expires: " FUTURE, "expired", 200, 100, NONE}},
    {GZIP_PROXIED_EXPIRED, {VIA, HTML, "no Expires: fresh or not", 200, 100, GZIP}},
    {GZIP_PROXIED_NO_CACHE, {VIA, "text/html", "Cache-Control: no-cache", "no-cache", 200, 100,
                             GZIP}},
    {GZIP_PROXIED_NO_CACHE, {VIA, "text/html", "Cache-Control: a, No-Cache", "case", 200, 100,
                             GZIP}},
    {GZIP_PROXIED_NO_CACHE, {VIA, "text/html", "Cache-Control: no-store", "other", 200, 100, NONE}},
    {GZIP_PROXIED_NO_STORE, {VIA, "text/html", "Cache-Control: no-store", "no-store", 200, 100,
                             GZIP}},
    {GZIP_PROXIED_PRIVATE, {VIA, "text/html", "Cache-Control: private", "private", 200, 100, GZIP}},
    {GZIP_PROXIED_PRIVATE,
     {VIA, "text/html", "Cache-Control: private=\"x\"", "with fields", 200, 100, GZIP}},
    {GZIP_PROXIED_PRIVATE, {VIA, "text/html", "Cache-Control: max-age=1", "other", 200, 100, NONE}},
    {GZIP_PROXIED_NO_ETAG, {VIA, "text/html", "ETag: \"x\"", "has one", 200, 100, NONE}},
    {GZIP_PROXIED_NO_ETAG, {VIA, HTML, "has none", 200, 100, GZIP}},
    {GZIP_PROXIED_NO_LAST_MODIFIED,
     {VIA, "text/html", "Last-Modified: " PAST, "has one", 200, 100, NONE}},
    {GZIP_PROXIED_NO_LAST_MODIFIED, {VIA, HTML, "has none", 200, 100, GZIP}},
    {GZIP_PROXIED_AUTH,
     {VIA "\nAuthorization: x", "text/html", "Cache-Control: a", "auth", 200, 100, GZIP}},
    {GZIP_PROXIED_AUTH, {VIA, "text/html", "Cache-Control: a", "no auth", 200, 100, NONE}},
};

Test(policy, proxies)
{
    reset("gb");
    for (size_t i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
        conf.proxied = proxied[i].proxied;
        check(&proxied[i].row);
    }
}

/* --- the way back --- */

static const row_t unpacked[] = {
    {"", "text/html", "Content-Encoding: gzip", "no field: nothing was said", 200, 100, GZIP},
    {AE, "text/html", "Content-Encoding: gzip", "12.5.3: empty", 200, 100, GZIP},
    {AE "br", "text/html", "Content-Encoding: gzip", "not listed", 200, 100, GZIP},
    {AE "gzip", "text/html", "Content-Encoding: gzip", "listed", 200, 100, NONE},
    {AE "gzip", "text/html", "Content-Encoding: x-gzip", "8.4.1.3", 200, 100, NONE},
    {AE "*", "text/html", "Content-Encoding: gzip", "any", 200, 100, NONE},
    {AE "gzip;q=0.1", "text/html", "Content-Encoding: gzip", "listed", 200, 100, NONE},
    {AE "gzip;q=0", "text/html", "Content-Encoding: GZIP", "refused", 200, 100, GZIP},
    {AE "gzip;q=0, *", "text/html", "Content-Encoding: gzip", "refused", 200, 100, GZIP},
    {AE "gzip", "text/html", "Content-Encoding: br", "not listed", 200, 100, BR},
    {AE "gzip", "text/html", "Content-Encoding: zstd", "not listed", 200, 100, ZSTD},
    {AE "gzip, br", "text/html", "Content-Encoding: br", "listed", 200, 100, NONE},
    {"", "text/html", "Content-Encoding: deflate", "any that is known", 200, 100, CODING_DEFLATE},
    {"", "text/html", "Content-Encoding: compress", "unknown", 200, 100, FIX},
    {"", "text/html", "Content-Encoding: identity", "none", 200, 100, FIX},
    {"", "text/html", NULL, "none", 200, 100, FIX},
    {"", "text/html", "Content-Encoding: gzip, br", "two", 200, 100, FIX},
    {"", "text/html", "Content-Encoding: gzip\nContent-Encoding: br", "two", 200, 100, FIX},
    {"", "image/png", "Content-Encoding: gzip", "any type", 200, 100, GZIP},
    {"", "text/html", "Content-Encoding: gzip", "a part", 206, 100, FIX},
    {"", "text/html", "Content-Encoding: gzip", "none", 204, 0, FIX},
    {"", "text/html", "Content-Encoding: gzip", "an error's", 500, 100, GZIP},
    {"", "text/html", "Content-Encoding: gzip\nCache-Control: no-transform", "9111 5.2.2.6", 200,
     100, FIX},
    {"Cache-Control: no-transform", "text/html", "Content-Encoding: gzip", "9111 5.2.1.6", 200, 100,
     FIX},
};

Test(policy, what_is_unpacked)
{
    reset("");
    for (size_t i = 0; i < sizeof(unpacked) / sizeof(unpacked[0]); i++) {
        const row_t *row = &unpacked[i];
        make(row->request, row->status, row->type, row->length, row->reply);
        policy_t got = policy_decompress(&r, &conf);
        coding_t coding = row->expected == FIX ? NONE : (coding_t)row->expected;
        coding_t in = recode_coding(&r.reply.headers);
        if (in != NONE && in != CODING_COUNT && !codec_of(in)) continue; /* not in this build */
        cr_expect(got.coding == coding && got.varies == (row->expected != FIX),
                  "%s; %s (%s): coding %d, varies %d", row->request, row->reply, row->rule,
                  got.coding, got.varies);
    }
}
