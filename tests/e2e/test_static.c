/* Files as content: where they are found, what they are, parts, conditions, refusals. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/fetch.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum { LARGE = 300 * 1000 };

static void start(const char *server)
{
    mkdir(file_path("www"), 0755);
    mkdir(file_path("www/dir"), 0755);
    file_write("www/a.txt", "0123456789");
    file_write("www/empty.txt", "");
    file_write("www/dir/index.html", "<p>index</p>");
    file_fill("www/large.bin", LARGE);
    subject_http("", text("server { listen 127.0.0.1:@http@; root www; %s }", server));
}

static reply_t *ask(const char *method, const char *path, const char *fields)
{
    return wire_request("http", method, path, fields);
}

static reply_t *get(const char *path)
{
    return ask("GET", path, "");
}

static void assert_get(const char *path, int status, const char *body)
{
    reply_t *r = get(path);
    cr_assert_eq(r->status, status, "%s: %d", path, r->status);
    if (body) assert_text(r->body.p, body);
}

static void set_date(const char *name, time_t t)
{
    struct timespec times[2] = {{.tv_sec = t}, {.tv_sec = t}};
    cr_assert_eq(utimensat(AT_FDCWD, file_path(name), times, 0), 0);
}

/* --- whole files --- */

E2E(static_files, are_sent_whole)
{
    start("location /copied/ { alias www/; sendfile off; }");
    assert_get("/a.txt", 200, "0123456789");
    assert_get("/empty.txt", 200, "");
    static const char *const paths[] = {"/large.bin", "/copied/large.bin"};
    for (int i = 0; i < 2; i++) {
        reply_t *r = get(paths[i]);
        cr_assert_eq(r->body.n, LARGE);
        cr_assert_eq(memcmp(r->body.p, pattern(LARGE).p, LARGE), 0);
        r = ask("HEAD", paths[i], "");
        wire_assert_field(r, "Content-Length", text("%d", LARGE));
        cr_assert_eq(r->body.n, 0);
    }
}

E2E(static_files, are_described)
{
    start("location /bare/ { alias www/; etag off; max_ranges 0; }");
    set_date("www/a.txt", 784111777);
    reply_t *r = get("/a.txt");
    wire_assert_field(r, "Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    wire_assert_field(r, "ETag", "\"2ebc98a1-a\"");
    wire_assert_field(r, "Accept-Ranges", "bytes");
    r = get("/bare/a.txt");
    wire_assert_field(r, "ETag", NULL);
    wire_assert_field(r, "Accept-Ranges", NULL);
}

E2E(static_files, are_for_get_and_head)
{
    start("");
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        reply_t *r = ask(methods[i], "/a.txt", "Content-Length: 0\r\n");
        cr_assert_eq(r->status, 405, "%s: %d", methods[i], r->status);
        wire_assert_field(r, "Allow", "GET, HEAD");
    }
    cr_assert_eq(ask("POST", "/dir/", "Content-Length: 0\r\n")->status, 405);
    cr_assert_eq(ask("POST", "/none", "Content-Length: 0\r\n")->status, 404);
    cr_assert_eq(ask("PUT", "/dir/", "Content-Length: 0\r\n")->status, 403);
}

E2E(static_files, may_hold_anything_in_their_name)
{
    start("");
    file_write("www/a b%?#+.txt", "odd");
    assert_get("/a%20b%25%3F%23+.txt", 200, "odd");
    assert_get("/a.txt?x=/../y", 200, "0123456789");
    assert_get("/dir/../a.txt", 200, "0123456789");
    assert_get("/..%2f..%2fetc/passwd", 400, NULL);
    assert_get("/a.txt%00.html", 400, NULL);
}

/* --- what cannot be served --- */

E2E(static_files, that_are_not_there_are_logged_as_nginx_does)
{
    start("location /quiet/ { log_not_found off; }");
    const char *longest = text("/%0*d", 300, 0);
    assert_get("/none", 404, NULL);
    assert_get("/a.txt/x", 404, NULL);
    assert_get(longest, 404, NULL);
    assert_get("/quiet/none", 404, NULL);
    subject_log_await(
        text("open() \"%s/none\" failed (2: No such file or directory), client: 127.0.0.1",
             file_path("www")));
    subject_log_await(text("open() \"%s/a.txt/x\" failed (20: Not a directory)", file_path("www")));
    subject_log_await("failed (36: File name too long)");
    assert_lacks(subject_log(), "quiet");
}

E2E(static_files, that_may_not_be_read_are_forbidden)
{
    start("");
    file_write("www/secret", "x");
    chmod(file_path("www/secret"), 0);
    mkfifo(file_path("www/fifo"), 0666);
    chmod(file_path("www/fifo"), 0666);
    subject_tolerate("is not a regular file");
    assert_get("/fifo", 404, NULL);
    subject_log_await(text("\"%s/fifo\" is not a regular file", file_path("www")));
    assert_get("/secret", 403, NULL);
    subject_log_await(
        text("open() \"%s/secret\" failed (13: Permission denied)", file_path("www")));
}

E2E(static_files, behind_links_are_judged)
{
    start("location /on/ { alias @dir@/www/; disable_symlinks on from=@dir@; }"
          "location /owner/ { alias @dir@/www/; disable_symlinks if_not_owner from=@dir@; }");
    cr_assert_eq(symlink("a.txt", file_path("www/link.txt")), 0);
    assert_get("/link.txt", 200, "0123456789");
    assert_get("/on/a.txt", 200, "0123456789");
    assert_get("/on/link.txt", 403, NULL);
    assert_get("/owner/link.txt", 200, "0123456789");
    subject_log_await("(40: Too many levels of symbolic links)");
}

/* --- where they are --- */

E2E(static_files, are_found_by_root_and_alias)
{
    start("location /dir/ { }"
          "location /other/ { root @dir@/roots; }"
          "location /var/ { root $document_base; set $document_base @dir@/roots; }"
          "location /alias/ { alias @dir@/www/; }"
          "location /leak { alias @dir@/www/; }"
          "location = /one { alias @dir@/www/a.txt; }"
          "location ~ ^/re/(\\w+)/(\\w+)$ { alias @dir@/www/$2.$1; }"
          "location /where { return 200 $document_root|$request_filename|$realpath_root; }");
    mkdir(file_path("roots"), 0755);
    mkdir(file_path("roots/other"), 0755);
    mkdir(file_path("roots/var"), 0755);
    file_write("roots/other/x", "other");
    file_write("roots/var/x", "var");
    file_write("outside", "outside");
    assert_get("/other/x", 200, "other");
    assert_get("/var/x", 200, "var");
    assert_get("/alias/a.txt", 200, "0123456789");
    assert_get("/alias/dir/", 200, "<p>index</p>");
    assert_get("/one", 200, "0123456789");
    assert_get("/re/txt/a", 200, "0123456789");
    assert_get("/leak../outside", 404, NULL);
    subject_log_await("the URI leads out of its alias");
    const char *root = file_path("www");
    assert_get("/where", 200, text("%s|%s/where|%s", root, root, root));
}

E2E(static_files, are_tried_in_order)
{
    start("location /a/ { try_files /none $uri /a.txt =404; }"
          "location /d/ { try_files $uri/ /none/ /dir/ =404; }"
          "location /code/ { try_files /none =410; }"
          "location /ok/ { try_files /none =204; }"
          "location /named/ { try_files $uri @named; }"
          "location /args/ { try_files $uri /to?$args&x=1; }"
          "location /to { return 200 to:$uri:$args; }"
          "location /al/ { alias @dir@/www/; try_files $uri $uri.txt =404; }"
          "location ~ ^/rx/(.*) { alias @dir@/www/; try_files $1 $1.txt =404; }"
          "location @named { return 200 named:$uri; }");
    assert_get("/a/x", 200, "0123456789");
    cr_assert_eq(get("/d/x")->status, 301);
    assert_get("/code/x", 410, NULL);
    assert_get("/ok/x", 204, "");
    assert_get("/named/x", 200, "named:/named/x");
    assert_get("/args/x?a=b", 200, "to:/to:a=b&x=1");
    assert_get("/al/a.txt", 200, "0123456789");
    assert_get("/al/a", 200, "0123456789");
    assert_get("/al/b", 404, NULL);
    assert_get("/rx/a", 200, "0123456789");
    assert_get("/rx/b", 404, NULL);
}

/* --- directories --- */

E2E(static_directories, go_to_their_index)
{
    start("location /two/ { alias @dir@/www/dir/; index none.html $arg_i index.html; }"
          "location /abs/ { alias @dir@/www/dir/; index none.html /elsewhere; }"
          "location /elsewhere { return 200 $uri?$args; }"
          "location /dir/index.html { add_header X-Where index; }");
    reply_t *r = get("/dir/");
    assert_text(r->body.p, "<p>index</p>");
    wire_assert_field(r, "X-Where", "index");
    assert_get("/two/", 200, "<p>index</p>");
    assert_get("/abs/?a=1", 200, "/elsewhere?a=1");
    r = get("/dir?a=b");
    cr_assert_eq(r->status, 301);
    wire_assert_field(r, "Location", text("http://h:%d/dir/?a=b", harness_port("http")));
}

E2E(static_directories, without_an_index_are_forbidden)
{
    start("");
    mkdir(file_path("www/bare"), 0755);
    assert_get("/bare/", 403, NULL);
    assert_get("/none/", 404, NULL);
    subject_log_await(text("directory index of \"%s/bare/\" is forbidden", file_path("www")));
    subject_log_await(text("\"%s/none/index.html\" is not found (2: No such file or directory)",
                           file_path("www")));
}

E2E(static_directories, are_listed)
{
    start("autoindex on;"
          "location /json/ { alias @dir@/www/list/; autoindex_format json; }"
          "location /round/ { alias @dir@/www/list/; autoindex_exact_size off; autoindex_localtime "
          "on; }"
          "location /off/ { alias @dir@/www/list/; autoindex off; }");
    mkdir(file_path("www/list"), 0755);
    mkdir(file_path("www/list/sub"), 0755);
    file_fill("www/list/a&b.txt", 2048);
    file_write("www/list/.hidden", "");
    set_date("www/list/a&b.txt", 784111777);
    reply_t *r = get("/list/");
    wire_assert_field(r, "Content-Type", "text/html");
    assert_has(r->body.p, "<a href=\"sub/\">sub/</a>");
    assert_has(r->body.p, "<a href=\"a%26b.txt\">a&amp;b.txt</a>");
    assert_has(r->body.p, "06-Nov-1994 08:49                2048\n");
    assert_lacks(r->body.p, "hidden");
    assert_has(get("/round/")->body.p, "     2K\n");
    r = get("/json/");
    wire_assert_field(r, "Content-Type", "application/json");
    assert_has(r->body.p, "{ \"name\":\"a&b.txt\", \"type\":\"file\", \"mtime\":\"Sun, 06 Nov 1994 "
                          "08:49:37 GMT\", \"size\":2048 }");
    assert_get("/off/", 403, NULL);
    assert_get("/dir/", 200, "<p>index</p>");
}

/* --- types --- */

E2E(static_types, follow_the_extension)
{
    start("types { text/html html; text/css css; application/x-long long; } default_type a/b;"
          "charset utf-8; charset_types text/css; types_hash_max_size 2048; types_hash_bucket_size "
          "64;"
          "location /none/ { alias @dir@/www/; types { } default_type text/css; }"
          "location /off/ { alias @dir@/www/; charset off; source_charset koi8-r; override_charset "
          "on; }"
          "location /said { return 200 x; }"
          "location /said.css { return 200 x; }");
    file_write("www/x.CSS", "");
    file_write("www/x.long", "");
    wire_assert_field(get("/dir/"), "Content-Type", "text/html; charset=utf-8");
    wire_assert_field(get("/x.CSS"), "Content-Type", "text/css; charset=utf-8");
    wire_assert_field(get("/x.long"), "Content-Type", "application/x-long");
    wire_assert_field(get("/a.txt"), "Content-Type", "a/b");
    wire_assert_field(get("/none/x.long"), "Content-Type", "text/css; charset=utf-8");
    wire_assert_field(get("/off/x.CSS"), "Content-Type", "text/css");
    wire_assert_field(get("/said"), "Content-Type", "a/b");
    wire_assert_field(get("/said.css"), "Content-Type", "text/css; charset=utf-8");
    wire_assert_field(ask("GET", "/x.CSS", "Range: bytes=0-\r\n"), "Content-Type",
                      "text/html; charset=utf-8");
}

/* --- parts and conditions --- */

E2E(static_ranges, are_cut_out)
{
    start("charset utf-8; location /one/ { alias @dir@/www/; max_ranges 1; }"
          "location /copied/ { alias @dir@/www/; sendfile off; }");
    reply_t *r = ask("GET", "/a.txt", "Range: bytes=2-4\r\n");
    cr_assert_eq(r->status, 206);
    assert_text(r->body.p, "234");
    wire_assert_field(r, "Content-Range", "bytes 2-4/10");
    wire_assert_field(r, "Content-Length", "3");
    r = ask("GET", "/a.txt", "Range: bytes=10-\r\n");
    cr_assert_eq(r->status, 416);
    wire_assert_field(r, "Content-Range", "bytes */10");
    cr_assert_eq(ask("HEAD", "/a.txt", "Range: bytes=2-4\r\n")->status, 200);
    cr_assert_eq(ask("GET", "/one/a.txt", "Range: bytes=0-0,2-2\r\n")->status, 200);
    static const char *const paths[] = {"/large.bin", "/copied/large.bin"};
    for (int i = 0; i < 2; i++) {
        r = ask("GET", paths[i], "Range: bytes=-100000\r\n");
        cr_assert_eq(r->status, 206);
        cr_assert_eq(r->body.n, 100000);
        cr_assert_eq(memcmp(r->body.p, pattern(LARGE).p + LARGE - 100000, 100000), 0);
    }
}

E2E(static_ranges, come_as_parts)
{
    start("charset utf-8; default_type text/plain;");
    reply_t *r = ask("GET", "/a.txt", "Range: bytes=0-1,-2\r\n");
    cr_assert_eq(r->status, 206);
    const char *type = wire_field(r, "Content-Type"), *lead = "multipart/byteranges; boundary=";
    cr_assert(type && strncmp(type, lead, strlen(lead)) == 0, "%s", r->head);
    const char *b = type + strlen(lead);
    assert_text(r->body.p, text("\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                "Content-Range: bytes 0-1/10\r\n\r\n01\r\n--%s\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Range: bytes 8-9/10\r\n\r\n89\r\n--%s--\r\n",
                                b, b, b));
    r = ask("GET", "/large.bin", "Range: bytes=0-99999,200000-299999\r\n");
    cr_assert_eq(r->status, 206);
    cr_assert_gt(r->body.n, 200000);
}

E2E(static_conditions, are_judged)
{
    start("location /before/ { alias @dir@/www/; if_modified_since before; }"
          "location /off/ { alias @dir@/www/; if_modified_since off; }");
    set_date("www/a.txt", 784111777);
    static const char same[] = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                      after[] = "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    reply_t *r = ask("GET", "/a.txt", same);
    cr_assert_eq(r->status, 304);
    wire_assert_field(r, "ETag", "\"2ebc98a1-a\"");
    wire_assert_field(r, "Content-Type", NULL);
    wire_assert_field(r, "Content-Length", NULL);
    cr_assert_eq(ask("GET", "/a.txt", after)->status, 200);
    cr_assert_eq(ask("GET", "/before/a.txt", after)->status, 304);
    cr_assert_eq(ask("GET", "/off/a.txt", same)->status, 200);
    cr_assert_eq(ask("GET", "/a.txt", "If-None-Match: \"2ebc98a1-a\"\r\n")->status, 304);
    cr_assert_eq(ask("GET", "/a.txt", "If-Match: \"x\"\r\n")->status, 412);
    cr_assert_eq(ask("GET", "/a.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n")->status, 200);
    cr_assert_eq(ask("GET", "/a.txt", "Range: bytes=0-1\r\nIf-Range: \"2ebc98a1-a\"\r\n")->status,
                 206);
}

E2E(static_conditions, do_not_touch_error_pages)
{
    start("error_page 404 /a.txt; location /same/ { error_page 404 = /a.txt; }");
    set_date("www/a.txt", 784111777);
    reply_t *r = ask("GET", "/none", "If-None-Match: *\r\nRange: bytes=0-1\r\n");
    cr_assert_eq(r->status, 404);
    assert_text(r->body.p, "0123456789");
    r = ask("POST", "/none", "Content-Length: 3\r\n\r\nabc");
    cr_assert_eq(r->status, 404);
    assert_text(r->body.p, "0123456789");
    assert_get("/same/none", 200, "0123456789");
}

E2E(static_files, take_every_directive_of_nginx)
{
    start("sendfile_max_chunk 1m; tcp_nopush on; aio threads; aio_write on; directio 4m;"
          "directio_alignment 512; output_buffers 2 32k; postpone_output 1460; read_ahead 0;"
          "open_file_cache max=100 inactive=20s; open_file_cache_valid 30s;"
          "open_file_cache_min_uses 2; open_file_cache_errors on;");
    cr_assert_eq(get("/large.bin")->body.n, LARGE);
}

E2E(static_files, that_shrink_while_they_are_sent_break_the_reply)
{
    enum { HUGE = 64 * 1024 * 1024 };
    start("");
    subject_tolerate("sendfile");
    file_write("www/huge", "");
    cr_assert_eq(truncate(file_path("www/huge"), HUGE), 0);
    wire_t *w = wire_open("http");
    wire_send(w, "GET /huge HTTP/1.1\r\nHost: h\r\n\r\n");
    wire_bytes(w, 1024);
    cr_assert_eq(truncate(file_path("www/huge"), 1), 0);
    cr_assert_lt(wire_rest(w).n, HUGE - 1024);
}
