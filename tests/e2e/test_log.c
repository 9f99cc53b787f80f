/* What is written about requests, and that log watchers find in it what they look for. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/e2e/origin.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

static void start(const char *http)
{
    subject_http("", http);
}

/* The log once it has n lines. */
static const char *lines(const char *name, unsigned n)
{
    unsigned have = 0;
    bool there = EVENTUALLY(({
        have = 0;
        for (const char *p = file_read(name); (p = strchr(p, '\n')); p++) have++;
        have >= n;
    }));
    cr_assert(there && have == n, "%u lines instead of %u in %s:\n%s", have, n, name,
              file_read(name));
    return file_read(name);
}

static bool matches(const char *pattern_text, const char *subject)
{
    int err;
    size_t at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern_text, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE,
                                   &err, &at, NULL);
    cr_assert(re, "a bad pattern: %s", pattern_text);
    pcre2_match_data *m = pcre2_match_data_create(8, NULL);
    int r = pcre2_match(re, (PCRE2_SPTR)subject, strlen(subject), 0, 0, m, NULL);
    pcre2_match_data_free(m);
    pcre2_code_free(re);
    return r > 0;
}

#define assert_matches(subject, pattern_text) \
    cr_assert(matches(pattern_text, subject), "no match for %s in:\n%s", pattern_text, subject)

E2E(access_log, combined_is_the_default)
{
    start("access_log @dir@/a.log; server { listen 127.0.0.1:@http@; return 200 hello; }");
    wire_ask("http",
             "GET /a?b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\nUser-Agent: ua \"x\"\r\n"
             "Authorization: Basic am9lOnB3\r\nConnection: close\r\n\r\n");
    assert_matches(
        lines("a.log", 1),
        "^127\\.0\\.0\\.1 - joe \\[\\d\\d/[A-Z][a-z]{2}/\\d{4}:\\d\\d:\\d\\d:\\d\\d [+-]\\d{4}\\] "
        "\"GET /a\\?b HTTP/1\\.1\" 200 5 \"http://r/\" \"ua \\\\x22x\\\\x22\"$");
}

E2E(access_log, escapes_as_told)
{
    start("log_format d '<$http_x>'; log_format j escape=json '{\"x\": \"$http_x\"}';"
          "log_format n escape=none '<$http_x>';"
          "access_log @dir@/d.log d; access_log @dir@/j.log j; access_log @dir@/n.log n;"
          "server { listen 127.0.0.1:@http@; return 200; }");
    wire_ask("http",
             "GET / HTTP/1.1\r\nHost: h\r\nX: a\"b\\c\td\xc3\xa9\r\nConnection: close\r\n\r\n");
    wire_get("http", "/");
    assert_text(lines("d.log", 2), "<a\\x22b\\x5Cc\\x09d\\xC3\\xA9>\n<->\n");
    assert_text(lines("j.log", 2), "{\"x\": \"a\\\"b\\\\c\\td\xc3\xa9\"}\n{\"x\": \"\"}\n");
    assert_text(lines("n.log", 2), "<a\"b\\c\td\xc3\xa9>\n<>\n");
}

E2E(access_log, several_conditional_and_off)
{
    start("log_format s '$status $uri'; map $status $bad { ~^[45] 1; default 0; }"
          "access_log @dir@/all.log s; access_log @dir@/bad.log s if=$bad;"
          "server { listen 127.0.0.1:@http@; location / { return 200; } location /e { return 404; }"
          " location /quiet { access_log off; return 200; }"
          " location /own { access_log @dir@/own.log s; return 200; } }");
    wire_get("http", "/a");
    wire_get("http", "/e");
    wire_get("http", "/quiet");
    wire_get("http", "/own");
    assert_text(lines("own.log", 1), "200 /own\n");
    assert_text(lines("all.log", 2), "200 /a\n404 /e\n");
    assert_text(lines("bad.log", 1), "404 /e\n");
}

E2E(access_log, buffers_until_full_flushed_or_stopped)
{
    start("log_format s '$uri'; server { listen 127.0.0.1:@http@; location / { return 200;"
          " access_log @dir@/stop.log s buffer=32k; }"
          " location /f { return 200; access_log @dir@/flush.log s buffer=32k flush=200ms; }"
          " location /b { return 200; access_log @dir@/full.log s buffer=4k; } }");
    wire_get("http", "/f");
    assert_text(lines("flush.log", 1), "/f\n");
    const char *path = text("/b/%0500d", 0);
    for (int i = 0; i < 20; i++) wire_get("http", path);
    cr_assert(EVENTUALLY(strlen(file_read("full.log")) >= 3500), "a full buffer is written");
    for (int i = 0; i < 3; i++) wire_get("http", "/a");
    assert_text(file_read("stop.log"), "");
    cr_assert_eq(subject_stop(SIGQUIT), 0);
    assert_text(lines("stop.log", 3), "/a\n/a\n/a\n");
}

E2E(access_log, what_was_sent_and_how_long_it_took)
{
    start("log_format s '$bytes_sent $body_bytes_sent $request_length $request_time $status"
          " $connection_requests $sent_http_content_length $request_completion';"
          "access_log @dir@/s.log s; server { listen 127.0.0.1:@http@; return 200 12345; }");
    const char *request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    wire_t *w = wire_open("http");
    wire_send(w, request);
    size_t sent = wire_rest(w).n;
    assert_matches(lines("s.log", 1),
                   text("^%zu 5 %zu \\d+\\.\\d{3} 200 1 5 OK$", sent, strlen(request)));
}

E2E(access_log, is_reopened)
{
    start("log_format s '$uri'; access_log @dir@/r.log s;"
          "server { listen 127.0.0.1:@http@; return 200; }");
    wire_get("http", "/1");
    lines("r.log", 1);
    cr_assert_eq(rename(file_path("r.log"), file_path("r.log.1")), 0);
    subject_signal(SIGUSR1);
    cr_assert(EVENTUALLY(file_exists("r.log")));
    bool moved = EVENTUALLY((wire_get("http", "/2"), file_read("r.log")[0]));
    cr_assert(moved, "the new file stays empty");
}

E2E(error_log, has_the_layout_of_nginx)
{
    start("server { listen 127.0.0.1:@http@; server_name site.test;"
          " location / { proxy_pass http://127.0.0.1:@dead@; } }");
    wire_ask(
        "http",
        "GET /a?b HTTP/1.1\r\nHost: site.test\r\nReferer: http://r/\r\nConnection: close\r\n\r\n");
    subject_log_await("Connection refused");
    assert_matches(
        subject_log(),
        text("^\\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d \\[error\\] \\d+#\\d+: \\*\\d+ "
             "connect\\(\\) "
             "failed \\(111: Connection refused\\) while connecting to upstream, client: "
             "127\\.0\\.0\\.1, server: site\\.test, request: \"GET /a\\?b HTTP/1\\.1\", upstream: "
             "\"http://127\\.0\\.0\\.1:%u/a\\?b\", host: \"site\\.test\", referrer: \"http://r/\"$",
             harness_port("dead")));
}

E2E(error_log, of_a_server_and_by_level)
{
    start("server { listen 127.0.0.1:@http@; error_log @dir@/own.log error;"
          " location / { proxy_pass http://127.0.0.1:@dead@; } }"
          "server { listen 127.0.0.1:@quiet@; error_log @dir@/quiet.log crit;"
          " location / { proxy_pass http://127.0.0.1:@dead@; } }");
    wire_get("http", "/");
    wire_get("quiet", "/");
    cr_assert(EVENTUALLY(strstr(file_read("own.log"), "Connection refused")));
    assert_text(file_read("quiet.log"), "");
    assert_lacks(subject_log(), "Connection refused");
}

/* A line cannot be forged by what a client sends. */
E2E(error_log, control_bytes_are_escaped)
{
    subject_tolerate("2026/01/01");
    start("server { listen 127.0.0.1:@http@; location / { root @dir@/none; } }");
    wire_ask("http",
             "GET /a%0a2026/01/01%20[emerg] HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    subject_log_await("No such file");
    assert_lacks(subject_log(), "\n2026/01/01 [emerg]");
}

/*
 * The failregex of fail2ban's filters nginx-botsearch and nginx-bad-request (filter.d, as shipped
 * by Debian), with <HOST> written out.
 */
E2E(log_watchers, fail2ban_finds_what_it_looks_for)
{
    start("access_log @dir@/a.log; server { listen 127.0.0.1:@http@; server_name h;"
          " location / { root @dir@/none; } }");
    wire_ask("http", "GET /wp-login.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    wire_ask("http", "\x16\x03\x01 x\r\n\r\n");
    const char *log = lines("a.log", 2);
    assert_matches(log, "^127\\.0\\.0\\.1 \\- \\S+ \\[[^\\]]*\\] \"(GET|POST|HEAD) "
                        "\\/wp-login\\.php \\S+\" 404 .+$");
    assert_matches(log, "^127\\.0\\.0\\.1 - - \\[[^\\]]*\\] \"[^\"]*\" 400 ");
    cr_assert_not_null(strstr(log, "\"\\x16\\x03\\x01 x\" 400 "), "not shown as it came: %s", log);
    subject_log_await("No such file");
    assert_matches(
        subject_log(),
        "^.* \\[error\\] \\d+#\\d+: \\*\\d+ (\\S+ )?\"[^\"]+\" (failed|is not found) "
        "\\(2\\: No such file or directory\\), client\\: 127\\.0\\.0\\.1, server\\: \\S*, "
        "request: \"(GET|POST|HEAD) \\/wp-login\\.php \\S+\", .*?$");
}

/* A path with variables is the worker's to open, and leads nowhere else. */
E2E(access_log, a_path_may_hold_variables)
{
    cr_assert_eq(mkdir(file_path("sites"), 0777), 0);
    cr_assert_eq(chmod(file_path("sites"), 0777), 0);
    subject_tolerate("a path with \"..\"");
    subject_http("", "log_format f \"$host $uri\"; access_log @dir@/sites/$host$arg_x.log f;"
                     "server { listen 127.0.0.1:@http@; location / { return 200 ok; } }");
    wire_ask("http", "GET /1 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    wire_ask("http", "GET /2 HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n");
    wire_ask("http", "GET /3 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    cr_assert(EVENTUALLY(strcmp(file_read("sites/a.test.log"), "a.test /1\na.test /3\n") == 0));
    assert_text(file_read("sites/b.test.log"), "b.test /2\n");
    wire_ask("http", "GET /?x=/../../out HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    subject_log_await("a path with \"..\"");
    cr_assert(!file_exists("out.log"));
}

E2E(access_log, a_path_with_variables_has_no_buffer)
{
    file_write("bad.conf", "events {} http { access_log /tmp/$host.log combined buffer=4k; }");
    ran_t ran = subject_run(text("-t -c %s", file_path("bad.conf")));
    cr_assert_eq(ran.status, 1);
    assert_has(ran.output, "buffered logs cannot have variables in name");
}
