/* From a request to the place that answers it: servers, locations, rewriting, error pages,
 * variables. */
#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *http)
{
    subject_http("", http);
}

static const char *body_for(const char *host, const char *path)
{
    reply_t *r = wire_ask("http", text("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host));
    return r->body.p;
}

static const char *body_of(const char *path)
{
    return wire_get("http", path)->body.p;
}

E2E(routing, servers_by_name)
{
    static const char *const cases[][2] = {
        {"exact.test", "exact"},           {"EXACT.Test", "exact"},
        {"exact.test.", "exact"},          {"exact.test:8080", "exact"},
        {"a.wild.test", "leading"},        {"a.b.wild.test", "leading"},
        {"wild.test", "default"},          {"both.test", "dotted"},
        {"x.both.test", "dotted"},         {"www.trail.example", "trailing"},
        {"www.trail.a.b", "trailing"},     {"longest.wild.test", "longer"},
        {"x.longest.wild.test", "longer"}, {"user-joe.re.test", "regex joe"},
        {"other.re.test", "second regex"}, {"nobody.test", "default"},
        {"127.0.0.1", "default"},          {"[::1]:1", "default"},
    };
    start("server { listen 127.0.0.1:@http@; server_name exact.test; return 200 exact; }"
          "server { listen 127.0.0.1:@http@ default_server; server_name _; return 200 default; }"
          "server { listen 127.0.0.1:@http@; server_name *.wild.test; return 200 leading; }"
          "server { listen 127.0.0.1:@http@; server_name *.longest.wild.test longest.wild.test;"
          " return 200 longer; }"
          "server { listen 127.0.0.1:@http@; server_name .both.test; return 200 dotted; }"
          "server { listen 127.0.0.1:@http@; server_name www.trail.*; return 200 trailing; }"
          "server { listen 127.0.0.1:@http@; server_name ~^user-(?<who>[a-z]+)\\.re\\.test$;"
          " return 200 \"regex $who\"; }"
          "server { listen 127.0.0.1:@http@; server_name ~\\.re\\.test$; return 200 \"second "
          "regex\"; }");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = body_for(cases[i][0], "/");
        cr_assert_str_eq(got, cases[i][1], "%s went to %s", cases[i][0], got);
    }
    assert_text(wire_ask("http", "GET / HTTP/1.0\r\n\r\n")->body.p, "default");
}

E2E(routing, servers_by_address)
{
    start("server { listen 127.0.0.1:@http@; server_name a.test; return 200 first; }"
          "server { listen 127.0.0.1:@other@; server_name a.test; return 200 second; }"
          "server { listen 127.0.0.2:@http@; return 200 third; }");
    assert_text(body_for("a.test", "/"), "first");
    assert_text(wire_get("other", "/")->body.p, "second");
}

E2E(routing, ten_thousand_names)
{
    const char *names = "";
    for (int i = 0; i < 100; i++) {
        const char *hundred = "";
        for (int j = 0; j < 100; j++) hundred = text("%s n%d-%d.test", hundred, i, j);
        names = text("%s server { listen 127.0.0.1:@http@; server_name%s; return 200 %d; }\n",
                     names, hundred, i);
    }
    start(text("server_names_hash_max_size 65536; server_names_hash_bucket_size 128;\n%s", names));
    assert_text(body_for("n0-0.test", "/"), "0");
    assert_text(body_for("n57-31.test", "/"), "57");
    assert_text(body_for("n99-99.test", "/"), "99");
}

E2E(routing, locations_in_order)
{
    static const char *const cases[][2] = {
        {"/", "exact root"},      {"/x", "root"},
        {"/exact", "exact"},      {"/exact/", "root"},
        {"/exactly", "root"},     {"/docs/", "docs"},
        {"/docs/a", "docs"},      {"/docs/a.gif", "gif"},
        {"/docs/deep/b", "deep"}, {"/images/a.gif", "images"},
        {"/a.GIF", "gif"},        {"/a.jpg", "jpg"},
        {"/a.JPG", "root"},       {"/outer/inner/x", "inner"},
        {"/outer/y", "outer"},    {"/outer/z.num1", "nested 1"},
        {"/q?/docs/", "root"},    {"/%64ocs/a", "docs"},
        {"/x/../docs/a", "docs"}, {"//docs///deep//b", "deep"},
        {"/docs/./a", "docs"},
    };
    start("server { listen 127.0.0.1:@http@;"
          "location = / { return 200 'exact root'; }"
          "location / { return 200 root; }"
          "location = /exact { return 200 exact; }"
          "location /docs/ { return 200 docs; }"
          "location /docs/deep/ { return 200 deep; }"
          "location ^~ /images/ { return 200 images; }"
          "location ~* \\.gif$ { return 200 gif; }"
          "location ~ \\.(gif|jpg)$ { return 200 jpg; }"
          "location /outer/ { location /outer/inner/ { return 200 inner; }"
          " location ~ \\.num(\\d)$ { return 200 'nested $1'; } return 200 outer; } }");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = body_of(cases[i][0]);
        cr_assert_str_eq(got, cases[i][1], "%s went to %s, not %s", cases[i][0], got, cases[i][1]);
    }
}

E2E(routing, merge_slashes_off_keeps_them)
{
    start("server { listen 127.0.0.1:@http@; merge_slashes off; location / { return 200 $uri; } }");
    assert_text(body_of("//a///b"), "//a///b");
}

E2E(routing, a_proxied_directory_without_its_slash_redirects)
{
    origin_start("origin", origin_echo, NULL);
    start("server { listen 127.0.0.1:@http@; server_name named.test;"
          " location /dir/ { proxy_pass http://127.0.0.1:@origin@; }"
          " location /rel/ { absolute_redirect off; proxy_pass http://127.0.0.1:@origin@; } }"
          "server { listen 127.0.0.1:@rel@; absolute_redirect off;"
          " location /rel/ { proxy_pass http://127.0.0.1:@origin@; } }"
          "server { listen 127.0.0.1:@named@; server_name named.test; server_name_in_redirect on;"
          " port_in_redirect off; location /dir/ { proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = wire_ask("http", "GET /dir?a=b HTTP/1.1\r\nHost: asked.test\r\n\r\n");
    cr_assert_eq(r->status, 301);
    assert_text(wire_field(r, "Location"),
                text("http://asked.test:%u/dir/?a=b", harness_port("http")));
    assert_text(wire_field(wire_get("rel", "/rel"), "Location"), "/rel/");
    r = wire_ask("named", "GET /dir HTTP/1.1\r\nHost: asked.test\r\n\r\n");
    assert_text(wire_field(r, "Location"), "http://named.test/dir/");
}

E2E(routing, returns)
{
    start("server { listen 127.0.0.1:@http@;"
          "location /code { return 405; }"
          "location /text { default_type text/x; return 203 'a $arg_b'; }"
          "location /url { return https://other.test$request_uri; }"
          "location /to { return 307 /new?$args; }"
          "location /close { return 444; } }");
    cr_assert_eq(wire_get("http", "/code")->status, 405);
    reply_t *r = wire_get("http", "/text?b=c");
    cr_assert_eq(r->status, 203);
    assert_text(r->body.p, "a c");
    assert_text(wire_field(r, "Content-Type"), "text/x");
    r = wire_get("http", "/url?x");
    cr_assert_eq(r->status, 302);
    assert_text(wire_field(r, "Location"), "https://other.test/url?x");
    r = wire_get("http", "/to?a=b");
    cr_assert_eq(r->status, 307);
    assert_text(wire_field(r, "Location"),
                text("http://localhost:%u/new?a=b", harness_port("http")));
    wire_t *w = wire_open("http");
    wire_send(w, "GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(wire_closed(w), "444 says nothing");
}

E2E(routing, rewrites)
{
    start("server { listen 127.0.0.1:@http@; rewrite_log on;"
          "rewrite ^/first/(.*)$ /second/$1?f=1;"
          "location /second/ { return 200 '$uri $args'; }"
          "location /last/ { rewrite ^/last/(.*) /target/$1 last; return 200 no; }"
          "location /break/ { rewrite ^/break/(.*) /target/$1 break; return 200 '$uri here'; }"
          "location /drop/ { rewrite ^ /target/drop? last; }"
          "location /target/ { return 200 'target $uri $args'; }"
          "location /perm/ { rewrite ^/perm/(.*) /x/$1 permanent; }"
          "location /temp/ { rewrite ^/temp/(.*) http://o.test/$1 redirect; }"
          "location /loop { rewrite ^ /loop last; }"
          "location /if { if ($request_method = POST) { return 200 post; }"
          " if ($arg_a ~ ^(x+)y$) { return 200 'match $1'; } if ($arg_a !~* ^n) { set $v set; }"
          " if ($arg_b) { set $v given; } if (-f @dir@/proxyd.conf) { set $f file; }"
          " if (!-e @dir@/none) { set $n none; } return 200 '$v $f $n'; } }");
    assert_text(body_of("/first/a?b=c"), "/second/a f=1&b=c");
    assert_text(body_of("/last/a?b"), "target /target/a b");
    assert_text(body_of("/drop/a?b"), "target /target/drop ");
    cr_assert_eq(wire_get("http", "/perm/a")->status, 301);
    reply_t *r = wire_get("http", "/temp/a?b=c");
    cr_assert_eq(r->status, 302);
    assert_text(wire_field(r, "Location"), "http://o.test/a?b=c");
    cr_assert_eq(wire_get("http", "/loop")->status, 500);
    subject_log_await("rewrite or internal redirection cycle");
    assert_text(body_of("/if?a=xxy"), "match xx");
    assert_text(body_of("/if?a=q"), "set file none");
    assert_text(body_of("/if?a=n&b=1"), "given file none");
    assert_text(
        wire_ask("http", "POST /if HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")->body.p,
        "post");
}

E2E(routing, maps)
{
    start("map $host $name { hostnames; default none; .a.test A; *.b.test B; exact.test E;"
          " ~^(?<sub>x+)\\.re\\. \"re $sub\"; }"
          "map $arg_v $size { default other; \"\" empty; 1 one; ~*^TWO$ two; ~^n(\\d+) $1; }"
          "map $size$arg_w $joined { volatile; default \"<$size>\"; }"
          "split_clients $arg_v $half { 50% one; * other; }"
          "server { listen 127.0.0.1:@http@; return 200 '$name $size $joined'; }");
    assert_text(body_for("a.test", "/?v=1"), "A one <one>");
    assert_text(body_for("x.a.test", "/?v="), "A empty <empty>");
    assert_text(body_for("c.b.test", "/?v=two"), "B two <two>");
    assert_text(body_for("exact.test", "/?v=n42"), "E 42 <42>");
    assert_text(body_for("xxx.re.test", "/?v=z"), "re xxx other <other>");
    assert_text(body_for("nothing.test", "/"), "none empty <empty>");
}

E2E(routing, error_pages)
{
    origin_start("origin", origin_say, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsaid");
    start("server { listen 127.0.0.1:@http@; error_page 404 /404.html; error_page 403 410 =200 /ok;"
          "error_page 500 @named; error_page 502 = /status; error_page 503 http://help.test/;"
          "location /none { return 404; } location /forbidden { return 403; } location /gone { "
          "return 410; }"
          "location /broken { return 500; } location /bad { proxy_pass http://127.0.0.1:@dead@; }"
          "location /busy { return 503; }"
          "location = /404.html { internal; return 200 'page $status'; }"
          "location = /ok { return 200 fine; }"
          "location = /status { return 201 own; }"
          "location /own { error_page 404 = @origin; return 404; }"
          "location /twice { error_page 404 /missing; location /twice/in { return 404; } }"
          "location /missing { error_page 404 /ok; return 404; }"
          "location @named { return 200 named; }"
          "location @origin { proxy_pass http://127.0.0.1:@origin@; } }");
    reply_t *r = wire_get("http", "/none");
    cr_assert_eq(r->status, 404);
    assert_has(r->body.p, "page ");
    r = wire_get("http", "/forbidden");
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "fine");
    cr_assert_eq(wire_get("http", "/gone")->status, 200);
    r = wire_get("http", "/broken");
    assert_text(r->body.p, "named");
    cr_assert_eq(r->status, 500);
    r = wire_get("http", "/bad");
    cr_assert_eq(r->status, 201);
    assert_text(r->body.p, "own");
    r = wire_get("http", "/busy");
    cr_assert_eq(r->status, 302);
    assert_text(wire_field(r, "Location"), "http://help.test/");
    r = wire_get("http", "/own");
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "said");
    cr_assert_eq(wire_get("http", "/404.html")->status, 404, "internal");
    cr_assert_eq(wire_get("http", "/twice/in")->status, 404);
}

E2E(routing, recursive_error_pages)
{
    start("server { listen 127.0.0.1:@http@; recursive_error_pages on;"
          "location /a { error_page 404 = /b; return 404; }"
          "location /b { error_page 404 = /c; return 404; } location /c { return 200 end; } }");
    assert_text(body_of("/a"), "end");
}

E2E(routing, variables_of_a_request)
{
    static const struct {
        const char *variable, *value;
    } cases[] = {
        {"$host", "site.test"},
        {"$http_host", "Site.test:81"},
        {"$uri", "/a b/c"},
        {"$document_uri", "/a b/c"},
        {"$request_uri", "/a%20b/x/../c?q=1&r=%32"},
        {"$args", "q=1&r=%32"},
        {"$query_string", "q=1&r=%32"},
        {"$is_args", "?"},
        {"$arg_q", "1"},
        {"$arg_R", "%32"},
        {"$arg_none", ""},
        {"$http_x_long_name", "v"},
        {"$http_none", ""},
        {"$cookie_b", "2"},
        {"$cookie_none", ""},
        {"$request_method", "GET"},
        {"$scheme", "http"},
        {"$server_protocol", "HTTP/1.1"},
        {"$remote_addr", "127.0.0.1"},
        {"$server_addr", "127.0.0.1"},
        {"$server_name", "site.test"},
        {"$remote_user", "joe"},
        {"$content_length", ""},
        {"$content_type", "text/x"},
        {"$request_completion", ""},
        {"$pipe", "."},
        {"$connection_requests", "1"},
        {"$request", "GET /a%20b/x/../c?q=1&r=%32 HTTP/1.1"},
        {"$nginx_version", NULL},
        {"$pid", NULL},
        {"$msec", NULL},
        {"$request_id", NULL},
        {"$time_local", NULL},
        {"$time_iso8601", NULL},
        {"$hostname", NULL},
        {"$connection", NULL},
        {"$remote_port", NULL},
        {"$tcpinfo_rtt", NULL},
        {"$request_time", NULL},
        {"$status", NULL},
        {"$limit_rate", NULL},
        {"$document_root", NULL},
        {"$realpath_root", NULL},
        {"$request_filename", NULL},
        {"$https", ""},
        {"$bytes_sent", NULL},
        {"$request_length", NULL},
    };
    const char *all = "";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        all = text("%sadd_header V%zu \"<%s>\" always;\n", all, i, cases[i].variable);
    start(text("server { listen 127.0.0.1:@http@; server_name site.test; root @dir@; location / { "
               "%s return 200; } }",
               all));
    reply_t *r = wire_ask("http", "GET /a%20b/x/../c?q=1&r=%32 HTTP/1.1\r\nHost: Site.test:81\r\n"
                                  "X-Long-Name: v\r\nCookie: a=1; b=2\r\nContent-Type: text/x\r\n"
                                  "Authorization: Basic am9lOnB3\r\n\r\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = wire_field(r, text("V%zu", i));
        if (!cases[i].value) continue;
        cr_assert(got && strcmp(got, text("<%s>", cases[i].value)) == 0, "%s is %s",
                  cases[i].variable, got);
    }
}

E2E(routing, x_accel_redirect)
{
    origin_start(
        "origin", origin_say,
        "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /files/a%20b.txt?x\r\nContent-Type: text/own\r\n"
        "Content-Disposition: attachment\r\nX-Dropped: x\r\nContent-Length: 4\r\n\r\nskip");
    origin_start("named", origin_say,
                 "HTTP/1.1 404 No\r\nX-Accel-Redirect: @named\r\nContent-Length: 4\r\n\r\nskip");
    origin_start("slow", origin_say,
                 "HTTP/1.1 200 OK\r\nX-Accel-Limit-Rate: 100000\r\nContent-Length: 4\r\n\r\nrate");
    file_write("files/a b.txt", "the file");
    start("server { listen 127.0.0.1:@http@;"
          "location / { proxy_pass http://127.0.0.1:@origin@; }"
          "location /named { proxy_pass http://127.0.0.1:@named@; }"
          "location /slow { proxy_pass http://127.0.0.1:@slow@; }"
          "location /files/ { internal; root @dir@; } location @named { return 200 named; } }");
    reply_t *r = wire_get("http", "/");
    cr_assert_eq(r->status, 200);
    assert_text(r->body.p, "the file");
    assert_text(wire_field(r, "Content-Type"), "text/own");
    assert_text(wire_field(r, "Content-Disposition"), "attachment");
    cr_assert(!wire_field(r, "X-Accel-Redirect"));
    assert_text(body_of("/named"), "named");
    r = wire_get("http", "/slow");
    assert_text(r->body.p, "rate");
    cr_assert(!wire_field(r, "X-Accel-Limit-Rate"));
}
