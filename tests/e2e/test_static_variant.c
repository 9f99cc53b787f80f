/* Files that stand compressed beside the plain one. Their content is a text that says which it is:
   nobody looks into them. */
#include <sys/stat.h>
#include <zlib.h>

#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

#define SERVER "types { text/css css; } default_type text/plain;"
#define ALL_ON "gzip_static on; brotli_static on; zstd_static on;"

static void start(const char *server)
{
    mkdir(file_path("www"), 0755);
    file_write("www/a.css", "plain");
    file_write("www/a.css.gz", "as gzip");
    file_write("www/a.css.br", "as brotli");
    file_write("www/a.css.zst", "as zstd");
    file_write("www/plain.css", "alone");
    file_write("www/only.css.gz", "only gzip");
    subject_http("", text(SERVER "server { listen 127.0.0.1:@http@; root www; %s }", server));
}

static reply_t *ask(const char *method, const char *path, const char *fields)
{
    return wire_request("http", method, path, fields);
}

static reply_t *get(const char *path, const char *accept)
{
    return ask("GET", path, accept ? text("Accept-Encoding: %s\r\n", accept) : "");
}

static void assert_get(const char *path, const char *accept, const char *coding, const char *body)
{
    reply_t *r = get(path, accept);
    cr_assert_eq(r->status, 200, "%s for %s: %d", path, accept ? accept : "(none)", r->status);
    assert_text(r->body.p, body);
    wire_assert_field(r, "Content-Encoding", coding);
}

E2E(static_variants, are_chosen_by_the_client)
{
    static const struct {
        const char *accept, *coding, *body;
    } cases[] = {
        {NULL, NULL, "plain"},
        {"", NULL, "plain"},
        {"gzip", "gzip", "as gzip"},
        {"x-gzip", "gzip", "as gzip"},
        {"gzip, br, zstd", "br", "as brotli"},
        {"gzip, zstd", "zstd", "as zstd"},
        {"gzip, br;q=0.9, zstd;q=0.8", "gzip", "as gzip"},
        {"*", "br", "as brotli"},
        {"br;q=0, *", "zstd", "as zstd"},
        {"gzip;q=0.5, identity", NULL, "plain"},
        {"deflate, compress", NULL, "plain"},
        {"gzip;q=0", NULL, "plain"},
        {"identity;q=0, gzip;q=0.1", "gzip", "as gzip"},
    };
    start(ALL_ON);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_get("/a.css", cases[i].accept, cases[i].coding, cases[i].body);
        wire_assert_field(get("/a.css", cases[i].accept), "Vary", "Accept-Encoding");
    }
}

E2E(static_variants, that_are_not_there_are_passed_over)
{
    start(ALL_ON);
    mkdir(file_path("www/plain.css.br"), 0755);
    assert_get("/plain.css", "gzip, br", NULL, "alone");
    wire_assert_field(get("/plain.css", "gzip, br"), "Vary", NULL);
    assert_get("/only.css", "br, gzip", "gzip", "only gzip");
    cr_assert_eq(get("/only.css", "br")->status, 404);
    cr_assert_eq(get("/none.css", "gzip")->status, 404);
    cr_assert_eq(get("/", "gzip")->status, 403);
}

E2E(static_variants, that_may_not_be_read_are_passed_over)
{
    start("gzip_static on;");
    chmod(file_path("www/a.css.gz"), 0);
    assert_get("/a.css", "gzip", NULL, "plain");
    subject_log_await(
        text("open() \"%s.gz\" failed (13: Permission denied)", file_path("www/a.css")));
}

E2E(static_variants, are_off_unless_switched_on)
{
    start("location /gz/ { alias www/; gzip_static on; }"
          " location /br/ { alias www/; brotli_static on; }"
          " location /zst/ { alias www/; zstd_static on; }");
    static const char all[] = "gzip, br, zstd";
    assert_get("/a.css", all, NULL, "plain");
    wire_assert_field(get("/a.css", all), "Vary", NULL);
    assert_get("/gz/a.css", all, "gzip", "as gzip");
    assert_get("/br/a.css", all, "br", "as brotli");
    assert_get("/zst/a.css", all, "zstd", "as zstd");
}

E2E(static_variants, may_be_for_everybody)
{
    start("gzip_static always; location /both/ { alias www/; brotli_static on; }");
    assert_get("/a.css", NULL, "gzip", "as gzip");
    assert_get("/a.css", "gzip;q=0", "gzip", "as gzip");
    wire_assert_field(get("/a.css", NULL), "Vary", NULL);
    assert_get("/plain.css", NULL, NULL, "alone");
    assert_get("/both/a.css", NULL, "gzip", "as gzip");
    assert_get("/both/a.css", "br", "br", "as brotli");
    wire_assert_field(get("/both/a.css", NULL), "Vary", "Accept-Encoding");
    wire_assert_field(get("/both/a.css", "br"), "Vary", "Accept-Encoding");
}

E2E(static_variants, are_described_as_what_they_are)
{
    start(ALL_ON);
    reply_t *plain = get("/a.css", NULL), *packed = get("/a.css", "gzip");
    wire_assert_field(packed, "Content-Type", "text/css");
    wire_assert_field(packed, "Content-Length", "7");
    wire_assert_field(packed, "Accept-Ranges", "bytes");
    const char *etag = wire_field(packed, "ETag");
    cr_assert(etag && etag[0] == '"' && strstr(etag, "-gzip\""), "%s", etag);
    cr_assert(strcmp(etag, wire_field(plain, "ETag")) != 0);
    cr_assert(strcmp(etag, wire_field(get("/a.css", "br"), "ETag")) != 0);
    reply_t *head = ask("HEAD", "/a.css", "Accept-Encoding: gzip\r\n");
    static const char *const names[] = {"Content-Type", "Content-Length", "Accept-Ranges", "ETag",
                                        "Content-Encoding", "Vary", "Last-Modified"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        wire_assert_field(head, names[i], wire_field(packed, names[i]));
    cr_assert_eq(head->body.n, 0);
    cr_assert_eq(ask("POST", "/a.css", "Accept-Encoding: gzip\r\nContent-Length: 0\r\n")->status,
                 405);
}

E2E(static_variants, have_conditions_of_their_own)
{
    start(ALL_ON);
    const char *plain = wire_field(get("/a.css", NULL), "ETag");
    const char *packed = wire_field(get("/a.css", "gzip"), "ETag");
    reply_t *r = ask("GET", "/a.css",
                     text("Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", packed));
    cr_assert_eq(r->status, 304);
    wire_assert_field(r, "ETag", packed);
    wire_assert_field(r, "Vary", "Accept-Encoding");
    wire_assert_field(r, "Content-Encoding", NULL);
    r = ask("GET", "/a.css", text("Accept-Encoding: gzip\r\nIf-None-Match: %s\r\n", plain));
    cr_assert_eq(r->status, 200);
    r = ask("GET", "/a.css", text("Accept-Encoding: gzip\r\nIf-Match: %s\r\n", plain));
    cr_assert_eq(r->status, 412);
    r = ask("GET", "/a.css", text("If-Match: %s\r\n", plain));
    cr_assert_eq(r->status, 200);
}

E2E(static_variants, have_parts_of_their_own)
{
    start(ALL_ON);
    const char *plain = wire_field(get("/a.css", NULL), "ETag");
    reply_t *r = ask("GET", "/a.css", "Accept-Encoding: gzip\r\nRange: bytes=3-\r\n");
    cr_assert_eq(r->status, 206);
    assert_text(r->body.p, "gzip");
    wire_assert_field(r, "Content-Encoding", "gzip");
    wire_assert_field(r, "Content-Range", "bytes 3-6/7");
    wire_assert_field(r, "Vary", "Accept-Encoding");
    /* Who holds a part of the plain one must not be given a part of the other. */
    r = ask("GET", "/a.css",
            text("Accept-Encoding: gzip\r\nRange: bytes=3-\r\nIf-Range: %s\r\n", plain));
    cr_assert_eq(r->status, 200);
    r = ask("GET", "/a.css", "Accept-Encoding: gzip\r\nRange: bytes=9-\r\n");
    cr_assert_eq(r->status, 416);
    wire_assert_field(r, "Content-Range", "bytes */7");
}

static void put_packed(const char *name, const char *content)
{
    gzFile f = gzopen(file_path(name), "wb");
    cr_assert(f && gzputs(f, content) > 0 && gzclose(f) == Z_OK);
}

E2E(static_variants, go_with_gzip_and_gunzip)
{
    start("gzip_static always; gunzip on; gzip on; gzip_min_length 0;");
    put_packed("www/a.css.gz", "what was packed");
    assert_get("/a.css", "gzip;q=0", NULL, "what was packed");
    wire_assert_field(get("/a.css", "gzip;q=0"), "Vary", "Accept-Encoding");
    wire_assert_field(get("/a.css", "gzip"), "Content-Encoding", "gzip"); /* once */
    wire_assert_field(get("/a.css", "gzip"), "Vary", "Accept-Encoding");
    wire_assert_field(get("/plain.css", "gzip"), "Content-Encoding", "gzip");
}
