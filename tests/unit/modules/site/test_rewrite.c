#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/http/harness.h"

/* What nginx 1.22.1 answers to the same, unless said otherwise. */

static harness_t *h;

static void teardown(void)
{
    if (h) harness_end(h);
}

TestSuite(rewrite, .fini = teardown);

static void server(const char *text)
{
    pool_t *pool = pool_create();
    if (h) harness_end(h);
    h = harness_new(pool_printf(pool, "server { listen 80; %s }", text).p);
    pool_destroy(pool);
}

static void gives(const char *target, const char *want)
{
    const char *got = harness_get(h, "h.test", target);
    cr_assert_str_eq(got, want, "%s: %s", target, got);
}

static void status_is(const char *target, const char *want)
{
    const char *got = harness_get(h, "h.test", target);
    cr_assert(strncmp(got, want, strlen(want)) == 0, "%s: %s", target, got);
}

static void fails(const char *text, const char *message)
{
    server(text);
    str_t errors = harness_errors(h);
    cr_assert(str_search(errors, str_of(message)) < errors.n, "%s: " STR_FMT, text,
              STR_ARG(errors));
}

#define SHOW "location /show { return 200 $uri?$args; } "

Test(rewrite, gives_the_request_another_uri_and_finds_its_location)
{
    server(SHOW "location /old/ { rewrite ^/old/(.*)$ /show/$1 last; return 404; }"
                "location /go/ { rewrite ^/go/(.*)$ /mid/$1; rewrite ^/mid/(.*)$ /show/2/$1; }"
                "location /stay { rewrite ^/stay(.*)$ /show$1 break; return 200 stay-$uri; }"
                "location /none { rewrite ^/x /show last; return 200 none; }");
    gives("/old/a", "200 /show/a?");
    gives("/old/a?q=1", "200 /show/a?q=1");
    gives("/old/a%20b", "200 /show/a b?");
    gives("/go/a", "200 /show/2/a?");
    status_is("/stay/a", "404"); /* break ends the rewriting, `return` with it */
    gives("/none", "200 none");
}

Test(rewrite, runs_those_of_the_server_before_the_location_is_found)
{
    server(SHOW "rewrite ^/a/(.*) /show/$1 last; rewrite ^/show/ /show/later; location / { return "
                "200 r; }");
    gives("/a/x", "200 /show/x?");
    gives("/show/x", "200 /show/later?");
    gives("/b", "200 r");
}

Test(rewrite, appends_the_arguments_unless_a_question_mark_ends_it)
{
    server(SHOW "rewrite ^/keep$ /show last; rewrite ^/drop$ /show? last;"
                "rewrite ^/add$ /show?x=y last; rewrite ^/only$ /show?x=y? last;"
                "rewrite ^/f/(.*)$ /show?f=$1 last;");
    gives("/keep?a=1", "200 /show?a=1");
    gives("/drop?a=1", "200 /show?");
    gives("/add?a=1", "200 /show?x=y&a=1");
    gives("/add", "200 /show?x=y");
    gives("/only?a=1", "200 /show?x=y");
    gives("/f/a&b;c+d", "200 /show?f=a%26b%3Bc%2Bd");
    gives("/f/a&b;c", "200 /show?f=a&b;c"); /* the client had escaped nothing */
    gives("/f/a%3Fb%26c", "200 /show?f=a%3Fb%26c");
}

Test(rewrite, redirects)
{
    server(
        "rewrite ^/p/(.*)$ /new/$1 permanent; rewrite ^/t/(.*)$ https://x.test/$1 redirect;"
        "rewrite ^/u/(.*)$ http://x.test/$1?k=$1; rewrite ^/s/(.*)$ $scheme://s.test/$1 permanent;"
        "rewrite ^/d/(.*)$ /e/$1? redirect;");
    gives("/p/a", "301 http://h.test/new/a");
    gives("/t/a%20b?q=1", "302 https://x.test/a%20b?q=1");
    gives("/u/a%20b?q=1", "302 http://x.test/a%20b?k=a%20b&q=1");
    gives("/s/x", "301 http://s.test/x");
    gives("/d/x?q=1", "302 http://h.test/e/x");
    /* nginx sends a bare "?" here, which makes another URI of it. */
    gives("/t/a%3Fb", "302 https://x.test/a%3Fb");
}

Test(rewrite, never_puts_a_line_break_into_location)
{
    server("location /r { return 301 https://x.test$uri; } rewrite ^/q(.*)$ http://x.test/$uri "
           "redirect;");
    gives("/r%0d%0aSet-Cookie:a", "301 https://x.test/r%0D%0ASet-Cookie:a");
    gives("/q%0d%0a", "302 http://x.test//q%0D%0A");
}

/* nginx takes the last two as they are. */
Test(rewrite, refuses_uris_that_cannot_be)
{
    server("rewrite ^/zero(.*)$ $1 last; rewrite ^/file$ /data/$arg_f last;"
           "rewrite ^/bare/(.*)$ $1 last; location / { return 200 $uri; }");
    status_is("/zero", "500");
    status_is("/file?f=../../etc/passwd", "400");
    status_is("/bare/x", "500");
    gives("/file?f=a", "200 /data/a");
}

Test(rewrite, ends_a_cycle)
{
    server("location /loop { rewrite ^ /loop last; }");
    status_is("/loop", "500");
}

Test(rewrite, sets_variables_and_breaks)
{
    server("set $a 1; set $b $a-$arg_q; location / { set $a 2; return 200 $a,$b; }"
           "location /if { if ($uri ~ x) { set $a y; break; } set $a $a!; return 200 $a; }");
    gives("/?q=z", "200 2,1-z");
    gives("/if", "200 1!");
    status_is("/ifx", "404");
}

Test(rewrite, returns)
{
    server("location /ok { return 200 text; } location /empty { return 200; }"
           "location /to { return 301 /x?$args; } location /url { return https://x.test/; }"
           "location /other { return 308 https://x.test/; } location /no { return 403 no; }"
           "location /gone { return 410; } location /none { return 204; }"
           "location /close { return 444; } location /odd { return 299 odd; }");
    gives("/ok", "200 text");
    gives("/empty", "200 ");
    gives("/to?a", "301 http://h.test/x?a");
    gives("/url", "302 https://x.test/");
    gives("/other", "308 https://x.test/");
    gives("/no", "403 no");
    status_is("/gone", "410 <!DOCTYPE");
    gives("/none", "204 ");
    gives("/close", "aborted");
    gives("/odd", "299 odd");
}

Test(rewrite, tests_conditions)
{
    server(
        "location /true { if ($arg_a) { return 200 yes; } return 200 no; }"
        "location /eq { if ($arg_a = x) { return 200 yes; } return 200 no; }"
        "location /none { if ( $arg_a = \"\" ) { return 200 yes; } return 200 no; }"
        "location /ne { if ($arg_a != $arg_b) { return 200 yes; } return 200 no; }"
        "location /re { if ($arg_a ~ ^(x+)(?<rest>.*)$) { return 200 $1,$rest; } return 200 no; }"
        "location /fold { if ($arg_a ~* ^x) { return 200 yes; } return 200 no; }"
        "location /nre { if ($arg_a !~ ^x) { return 200 yes; } return 200 no; }"
        "location /nfold { if ($arg_a !~* ^x) { return 200 yes; } return 200 no; }");
    gives("/true", "200 no"), gives("/true?a=0", "200 no"), gives("/true?a=1", "200 yes");
    gives("/eq?a=x", "200 yes"), gives("/eq?a=X", "200 no");
    gives("/none", "200 yes"), gives("/none?a=1", "200 no");
    gives("/ne?a=1&b=2", "200 yes"), gives("/ne?a=1&b=1", "200 no");
    gives("/re?a=xxy", "200 xx,y"), gives("/re?a=y", "200 no"), gives("/re?a=Xy", "200 no");
    gives("/fold?a=Xy", "200 yes"), gives("/nre?a=Xy", "200 yes"), gives("/nfold?a=Xy", "200 no");
}

Test(rewrite, tests_files)
{
    char dir[] = "/tmp/proxyd-rewrite-XXXXXX", file[64], text[1024];
    cr_assert_not_null(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/f", dir);
    FILE *f = fopen(file, "w");
    cr_assert_not_null(f);
    fclose(f);
    snprintf(
        text, sizeof(text),
        "set $d %s; location / { set $o \"\"; if (-f $d$uri) { set $o f; } if (-d $d$uri) { set $o "
        "d; }"
        "if (-e $d$uri) { set $o ${o}e; } if (-x $d$uri) { set $o ${o}x; }"
        "if (!-f $d$uri) { set $o ${o}-nf; } if (!-e $d$uri) { set $o ${o}-ne; } return 200 $o; }",
        dir);
    server(text);
    gives("/f", "200 fe");
    chmod(file, 0700);
    gives("/f", "200 fex");
    gives("/", "200 de-nf");
    gives("/none", "200 -nf-ne");
    unlink(file);
    rmdir(dir);
}

Test(rewrite, gives_the_request_the_directives_of_the_if_block)
{
    server("location / { error_page 403 /a; if ($arg_b) { error_page 403 =200 /b; return 403; }"
           "  if ($arg_c) { return 403; } return 200 fell; }"
           "location = /a { return 200 a; } location = /b { return 200 b; }"
           "location /nested/ { if ($arg_b) { return 200 if; } location /nested/in { return 200 "
           "in; } }");
    gives("/", "200 fell");
    gives("/nested/in?b=1", "200 in");
    gives("/nested/?b=1", "200 if");
    gives("/?c=1", "403 a");
    gives("/?b=1", "200 b");
}

Test(rewrite, does_not_pass_steps_on_to_inner_locations)
{
    server(
        "set $x server; location /a { set $x a; location /a/b { return 200 $x; } return 200 $x; }"
        "location /c { location /c/d { return 200 $x; } rewrite ^ /a; }");
    gives("/a", "200 a");
    gives("/a/b", "200 server");
    gives("/c/d", "200 server");
    gives("/c/e", "200 a");
}

Test(rewrite, says_what_is_wrong)
{
    fails("rewrite ( /x;", "regular expression \"(\"");
    fails("rewrite ^ /x sometimes;", "invalid parameter \"sometimes\"");
    fails("return never;", "invalid return code \"never\"");
    fails("return 1000;", "invalid return code \"1000\"");
    fails("return 200 a b;", "return");
    fails("if $x { }", "invalid condition \"$x\"");
    fails("if ($x { }", "invalid condition");
    fails("if () { }", "invalid condition");
    fails("if (x = y) { }", "invalid condition");
    fails("if ($host == y) { }", "unexpected \"==\" in condition");
    fails("if (-q $host) { }", "invalid condition");
    fails("if ($host ~ () { }", "regular expression");
    fails("if ($host) { return 200 $nope; }", "unknown \"nope\" variable");
    fails("rewrite ^ $; ", "invalid variable name");
}
