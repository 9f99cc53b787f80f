/* Every kind of mistake is told with its place, several at once, and the way out where there is
 * one. */
#include "tests/e2e/subject.h"

typedef struct mistake {
    const char *text;  /* in the place of %s below */
    const char *place; /* "line:column" of the word that is wrong */
    const char *message;
} mistake_t;

/* The configuration must be refused with the message at the place. */
static void refused(const char *configuration, const mistake_t *m)
{
    file_write("bad.conf", configuration);
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1, "taken for good: %s", m->text);
    cr_assert(strstr(r.output, text("bad.conf:%s", m->place)), "%s: not at %s but\n%s", m->text,
              m->place, r.output);
    cr_assert(strstr(r.output, m->message), "%s: not \"%s\" but\n%s", m->text, m->message,
              r.output);
    assert_has(r.output, "test failed");
}

E2E(config, mistakes_of_the_language)
{
    static const mistake_t cases[] = {
        {"worker_processes 1", "1:18", "unexpected end of file, expecting \";\""},
        {"worker_processes 1;\n}", "2:1", "unexpected \"}\""},
        {"pid \"open;", "1:5", "unexpected end of file, expecting the closing"},
        {"http {", "1:1", "unexpected end of file, expecting \"}\""},
        {"{ }", "1:1", "unexpected \"{\""},
        {";", "1:1", "unexpected \";\""},
        {"include @dir@/none.conf;", "1:9", "none.conf"},
        {"pid \"a\"b;", "1:8", "unexpected \"b\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refused(text("%s\n", cases[i].text), &cases[i]);
}

E2E(config, mistakes_of_directives)
{
    static const mistake_t cases[] = {
        {"proxy_read_timeout 10x;", "4:20", "\"10x\""},
        {"proxy_raed_timeout 10s;", "4:1", "did you mean \"proxy_read_timeout\"?"},
        {"proxy_buffering maybe;", "4:17", "\"maybe\""},
        {"client_max_body_size 1z;", "4:22", "\"1z\""},
        {"client_max_body_size 99999999999999999999;", "4:22", "is not a size"},
        {"keepalive_requests many;", "4:20", "\"many\""},
        {"lingering_close never;", "4:17", "\"never\""},
        {"proxy_next_upstream error sometimes;", "4:27", "\"sometimes\""},
        {"proxy_http_version 3.0;", "4:20", "\"3.0\""},
        {"client_max_body_size;", "4:1", "invalid number of arguments"},
        {"client_max_body_size 1m 2m;", "4:1", "invalid number of arguments"},
        {"client_max_body_size 1m; client_max_body_size 1m;", "4:26", "duplicate"},
        {"worker_processes 2;", "4:1", "\"worker_processes\" is not allowed in http"},
        {"listen 80;", "4:1", "\"listen\" is not allowed in http"},
        {"error_page 999 /x;", "4:12", "999"},
        {"return 200;", "4:1", "\"return\" is not allowed in http"},
        {"log_format combined x;", "4:12", "combined"},
        {"access_log @dir@/a.log nowhere;", "4:", "unknown log format \"nowhere\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refused(text("events {}\nhttp {\n# a comment\n%s\n}\n", cases[i].text), &cases[i]);
}

E2E(config, mistakes_of_servers_and_locations)
{
    static const mistake_t cases[] = {
        {"listen 127.0.0.1:99999;", "2:24", "is not an address to listen on"},
        {"listen 127.0.0.1:8080 nonsense;", "2:39", "invalid parameter \"nonsense\""},
        {"listen 127.0.0.1:8080 backlog=x;", "2:39", "\"x\" is not a number"},
        {"listen 8080; listen 8080;", "2:37", "duplicate listen 0.0.0.0:8080"},
        {"server_name ~(open;", "2:29", "missing closing parenthesis"},
        {"location ~ (open { }", "2:28", "missing closing parenthesis"},
        {"location /a { } location /a { }", "2:42", "duplicate location \"/a\""},
        {"location = /a { location /b { } }", "2:42", "inside the exact location \"/a\""},
        {"location /a { location /b { } }", "2:40", "location \"/b\" is outside location \"/a\""},
        {"location @n { } location /a { location @m { } }", "2:56", "on the server level only"},
        {"location / { proxy_pass ftp://a; }", "2:41", "invalid URL prefix"},
        {"location / { proxy_pass http://; }", "2:41", "invalid host in URL"},
        {"location ~ x { proxy_pass http://127.0.0.1/uri; }", "2:43", "cannot have URI part"},
        {"location / { if ($a = ) { } }", "2:33", "invalid condition"},
        {"location / { if (a) { } }", "2:33", "invalid condition \"(a)\""},
        {"location / { rewrite ( /x; }", "2:38", "missing closing parenthesis"},
        {"location / { rewrite a /x sometimes; }", "2:", "invalid parameter \"sometimes\""},
        {"ssl on;", "2:17", "the listen parameter ssl"},
        {"userid on;", "2:24", "userid is not known here"},
        {"location / { return x; }", "2:37", "invalid return code \"x\""},
        {"location / { set a b; }", "2:34", "invalid variable name"},
        {"location / { set $host b; }", "2:34", "duplicate"},
        {"location / { root @dir@; alias @dir@/; }", "2:30", "root and alias exclude each other"},
        {"location / { proxy_pass http://nobody_knows$unknown_variable; }", "2:41",
         "unknown \"unknown_variable\" variable"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refused(text("events {}\nhttp { server { %s } }\n", cases[i].text), &cases[i]);
}

E2E(config, streams_are_not_carried)
{
    static const mistake_t m = {"stream", "1:10", "HTTP alone is carried"};
    refused("stream { server { listen 1; } }\nevents {}\n", &m);
}

E2E(config, files_that_cannot_be_written_say_how_to_go_on)
{
    file_write("bad.conf", "pid @dir@/none/x.pid;\nevents {}\n");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "/none/x.pid\" failed (2: No such file or directory)");
    assert_has(r.output, "make the directory, or name another file: pid");
}

E2E(config, several_at_once_each_in_its_file)
{
    file_write("bad.conf",
               "events {}\nhttp {\n    include parts/*.conf;\n    keepalive_timeout 1q;\n}\n");
    file_write("parts/a.conf", "clint_max_body_size 1m;\n");
    file_write("parts/b.conf", "server {\n    lisen 80;\n}\n");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 1);
    assert_has(r.output, "parts/a.conf:1:1: unknown directive \"clint_max_body_size\"");
    assert_has(r.output, "did you mean \"client_max_body_size\"?");
    assert_has(r.output, "parts/b.conf:2:5: unknown directive \"lisen\"");
    assert_has(r.output, "did you mean \"listen\"?");
    assert_has(r.output, "bad.conf:4:23: ");
    assert_has(r.output, "    lisen 80;\n    ^^^^^ ");
}

E2E(config, no_more_than_twenty)
{
    const char *all = "";
    for (int i = 0; i < 50; i++) all = text("%sunknown%d;\n", all, i);
    file_write("bad.conf", all);
    const char *output = subject_run("-t -p @dir@/ -c @dir@/bad.conf -e @dir@/error.log").output;
    unsigned n = 0;
    for (const char *p = output; (p = strstr(p, "unknown directive")); p++) n++;
    cr_assert_eq(n, 20, "%u:\n%s", n, output);
}

/* A line that many have copied must not keep a site from starting. */
E2E(config, framing_by_add_header_has_no_effect)
{
    file_write("nginx.conf", "events {} http { server { location / {\n"
                             "add_header Content-Length 0; add_header X-A 1; return 204; } } }\n");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/nginx.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 0, "%s", r.output);
    assert_has(r.output,
               "nginx.conf:2:12: warning: \"Content-Length\" is written by proxyd itself");
}

/* Debian's nginx.conf as far as it is about a reverse proxy is taken as it is. */
E2E(config, one_of_nginx_is_one_of_ours)
{
    file_write("proxy_params", "proxy_set_header Host $http_host;\n"
                               "proxy_set_header X-Real-IP $remote_addr;\n"
                               "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                               "proxy_set_header X-Forwarded-Proto $scheme;\n");
    file_write("sites/default",
               "server {\n\tlisten @http@ default_server;\n\tlisten [::]:@http@ default_server;\n"
               "\troot @dir@;\n\tindex index.html index.htm index.nginx-debian.html;\n"
               "\tserver_name _;\n\tlocation / {\n\t\ttry_files $uri $uri/ =404;\n\t}\n"
               "\tlocation /app/ {\n\t\tproxy_pass http://127.0.0.1:3000;\n"
               "\t\tinclude proxy_params;\n\t}\n}\n");
    file_write("nginx.conf",
               "stream {\n\tinclude @dir@/none/*.conf;\n}\nworker_processes auto;\n"
               "pid @dir@/nginx.pid;\nerror_log @dir@/error.log;\n"
               "events {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n"
               "http {\n\tsendfile on;\n\ttcp_nopush on;\n\ttypes_hash_max_size 2048;\n"
               "\tserver_tokens off;\n\tserver_names_hash_bucket_size 64;\n"
               "\tserver_name_in_redirect off;\n\tdefault_type application/octet-stream;\n"
               "\ttypes { text/html html; }\n\taccess_log @dir@/access.log;\n"
               "\tinclude @dir@/sites/*;\n}\n");
    ran_t r = subject_run("-t -p @dir@/ -c @dir@/nginx.conf -e @dir@/error.log");
    cr_assert_eq(r.status, 0, "%s", r.output);
}
