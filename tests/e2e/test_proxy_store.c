/* proxy_store: what origins answer, kept as files. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/e2e/obedient.h"
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static origin_t *start(const char *locations)
{
    origin_t *o = origin_start("origin", obedient, NULL);
    file_write("www/index.html", "home");
    chmod(file_path("www"), 0777);
    subject_http("", text("server { listen 127.0.0.1:@http@; %s }", locations));
    return o;
}

static reply_t *get(const char *path, const char *fields)
{
    return wire_ask("http", text("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", path,
                                 obedient_fields(fields)));
}

static bool is_there(const char *name)
{
    struct stat st;
    return stat(file_path(name), &st) == 0;
}

static unsigned files_in(const char *name)
{
    unsigned n = 0;
    DIR *dir = opendir(file_path(name));
    cr_assert_not_null(dir);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* As in nginx's documentation: what is missing is fetched, and is there from then on. */
E2E(proxy_store, fills_a_mirror)
{
    struct stat st;
    origin_t *o = start("location / { root @dir@/www; error_page 404 = /fetch$uri; }"
                        "location /fetch/ { internal; proxy_pass http://127.0.0.1:@origin@/;"
                        "proxy_store on; proxy_store_access user:rw group:rw all:r;"
                        "alias @dir@/www/; }");
    reply_t *r = get("/a/b.txt", "Body: hello|Say: Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT");
    assert_text(r->body.p, "hello");
    assert_text(file_read("www/a/b.txt"), "hello");
    cr_assert_eq(stat(file_path("www/a/b.txt"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0664);
    cr_assert_eq(st.st_mtime, 1420070400);
    cr_assert_eq(stat(file_path("www/a"), &st), 0);
    cr_assert_eq(st.st_mode & 0775, 0775);
    assert_text(get("/a/b.txt", "Body: other")->body.p, "hello");
    cr_assert_eq(origin_requests(o), 1);
    cr_assert_eq(files_in("www/a"), 1, "nothing is left over");
}

/* A path with variables; what stands there is replaced; without proxy_store_access for us alone. */
E2E(proxy_store, writes_where_it_is_told)
{
    struct stat st;
    start("location / { proxy_pass http://127.0.0.1:@origin@; proxy_store @dir@/www/x$uri; }"
          "location /off { proxy_pass http://127.0.0.1:@origin@; proxy_store off; root @dir@/www;"
          " }");
    get("/page", "Body: one"), get("/page", "Body: two");
    assert_text(file_read("www/x/page"), "two");
    cr_assert_eq(stat(file_path("www/x/page"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    get("/off", "");
    cr_assert_not(is_there("www/off"));
    cr_assert_not(is_there("www/x/off"));
}

E2E(proxy_store, keeps_whole_answers_alone)
{
    static const char *const rows[][2] = {
        {"/a", "Say-Status: 404"}, {"/b", "Say-Status: 206|Say: Content-Range: bytes 0-0/9"},
        {"/c", "Say-Status: 304"}, {"/d/", ""},
    };
    start("root @dir@/www; location / { proxy_pass http://127.0.0.1:@origin@; proxy_store on; }");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) get(rows[i][0], rows[i][1]);
    wire_t *w = wire_open("http");
    wire_send(w, "HEAD /e HTTP/1.1\r\nHost: h\r\n\r\nPOST /f HTTP/1.1\r\nHost: h\r\n"
                 "Content-Length: 1\r\n\r\nx");
    wire_reply_to(w, "HEAD"), wire_reply_to(w, "POST");
    subject_tolerate("upstream prematurely closed");
    w = wire_open("http");
    wire_send(w, text("GET /g HTTP/1.1\r\nHost: h\r\n%s\r\n",
                      obedient_fields("Say: Content-Length: 100|Close: 1")));
    cr_assert_not_null(wire_try_reply(w, "GET")->broken);
    get("/last", "");
    cr_assert(is_there("www/last"));
    cr_assert_eq(files_in("www"), 2, "index.html and last, nothing else");
}

/* What goes wrong with the file is not the client's concern. */
E2E(proxy_store, answers_where_no_file_can_be)
{
    start("location / { proxy_pass http://127.0.0.1:@origin@; proxy_store @dir@/www$uri; }"
          "location /up { proxy_pass http://127.0.0.1:@origin@; proxy_store @dir@/www/$arg_to; }");
    subject_tolerate("index.html");
    assert_text(get("/index.html/x", "Body: yes")->body.p, "yes");
    subject_log_await("Not a directory");
    assert_text(get("/up?to=../out", "Body: yes")->body.p, "yes");
    subject_log_await("is no place for a file");
    cr_assert_not(is_there("out"));
}

E2E(proxy_store, refuses_wrong_permissions)
{
    static const char *const wrong[] = {"user:x", "root:rw", "rw"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        file_write("bad.conf", text("events {} http { proxy_store_access %s; }", wrong[i]));
        ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
        cr_assert_eq(ran.status, 1);
        assert_has(ran.output, "user:rw group:rw all:r");
    }
}
