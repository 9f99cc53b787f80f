#include <criterion/criterion.h>
#include <unistd.h>

#include "core/config/diag.h"

static pool_t *pool;
static diag_t *diag;

static void setup(void)
{
    pool = pool_create();
    diag = diag_new(pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(diag, .init = setup, .fini = teardown);

static str_t drain(int fd)
{
    char *text = pool_bytes(pool, 65536);
    ssize_t n = read(fd, text, 65536);
    close(fd);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

static str_t printed(void)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    diag_print(diag, fds[1]);
    close(fds[1]);
    return drain(fds[0]);
}

static void expect_printed(const char *expected)
{
    str_t got = printed();
    cr_expect(str_eq(got, str_of(expected)), "got:\n" STR_FMT "expected:\n%s", STR_ARG(got),
              expected);
}

static diag_source_t *source(const char *name, const char *text)
{
    return diag_source(diag, name, str_of(text));
}

static diag_place_t at(const diag_source_t *s, uint32_t line, uint32_t column, uint32_t length)
{
    return (diag_place_t){s, line, column, length};
}

Test(diag, shows_place_reason_and_hint)
{
    const diag_source_t *s = source("proxyd.conf", "http {\n    proxy_read_timeout 10x;\n}\n");
    diag_error(diag, at(s, 2, 24, 3), "for example 500ms, 60s, 5m", "%s: \"10x\" is not a duration",
               "proxy_read_timeout");
    cr_expect_eq(diag_errors(diag), 1);
    expect_printed("proxyd.conf:2:24: proxy_read_timeout: \"10x\" is not a duration\n"
                   "    proxy_read_timeout 10x;\n"
                   "                       ^^^ for example 500ms, 60s, 5m\n");
}

Test(diag, works_without_a_place)
{
    diag_error(diag, (diag_place_t){0}, "do that", "this failed");
    diag_error(diag, (diag_place_t){0}, NULL, "that failed");
    expect_printed("this failed; do that\nthat failed\n");
}

Test(diag, keeps_tabs_and_counts_utf8_as_one)
{
    const diag_source_t *s = source("f", "\ta\tb\xc3\xbc\xc3\xb6 bad\xc3\xbc;\r\n");
    diag_error(diag, at(s, 1, 10, 5), NULL, "wrong");
    expect_printed("f:1:10: wrong\n"
                   "    a\tb\xc3\xbc\xc3\xb6 bad\xc3\xbc;\n"
                   "     \t    ^^^^\n");
}

Test(diag, cuts_long_lines_around_the_place)
{
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = '\0';
    memcpy(text + 500, "bad", 3);
    const diag_source_t *s = source("f", text);
    diag_error(diag, at(s, 1, 501, 3), "here", "wrong");
    expect_printed(pool_printf(pool,
                               "f:1:501: wrong\n    ...%.50sbad%.47s...\n       %50s^^^ here\n",
                               text, text, "")
                       .p);
}

Test(diag, underlines_to_the_end_of_the_line_only)
{
    const diag_source_t *s = source("f", "a \"b\nc\";");
    diag_error(diag, at(s, 1, 3, 5), NULL, "wrong");
    diag_error(diag, at(s, 2, 4, 0), NULL, "ends");
    diag_error(diag, at(s, 9, 9, 9), NULL, "nowhere");
    expect_printed("f:1:3: wrong\n    a \"b\n      ^^\n"
                   "f:2:4: ends\n    c\";\n       ^\n"
                   "f:9:9: nowhere\n    \n    ^\n");
}

Test(diag, no_control_byte_reaches_the_terminal)
{
    const diag_source_t *s = source("f", "a \x1b[2J;");
    diag_error(diag, at(s, 1, 3, 4), "not \x1b", "what is \x1b[2J?");
    expect_printed("f:1:3: what is \\x1b[2J?\n    a ?[2J;\n      ^^^^ not \\x1b\n");
}

Test(diag, follows_the_order_of_the_files)
{
    const diag_source_t *first = source("1", "abc\nabc\n"), *second = source("2", "abc\n");
    diag_error(diag, at(second, 1, 1, 1), NULL, "d");
    diag_error(diag, at(first, 2, 1, 1), NULL, "c");
    diag_warn(diag, at(first, 1, 3, 1), NULL, "b");
    diag_error(diag, at(first, 1, 1, 1), NULL, "a");
    diag_error(diag, (diag_place_t){0}, NULL, "before");
    cr_expect_eq(diag_errors(diag), 4, "a warning is no error");
    expect_printed("before\n"
                   "1:1:1: a\n    abc\n    ^\n"
                   "1:1:3: warning: b\n    abc\n      ^\n"
                   "1:2:1: c\n    abc\n    ^\n"
                   "2:1:1: d\n    abc\n    ^\n");
}

Test(diag, says_the_same_once)
{
    const diag_source_t *s = source("f", "a b");
    diag_error(diag, at(s, 1, 1, 1), NULL, "wrong");
    diag_error(diag, at(s, 1, 1, 1), NULL, "wrong");
    diag_error(diag, at(s, 1, 3, 1), NULL, "wrong");
    diag_error(diag, at(s, 1, 1, 1), NULL, "bad");
    cr_expect_eq(diag_errors(diag), 3);
}

Test(diag, counts_what_it_does_not_show)
{
    for (int i = 0; i < DIAG_SHOWN + 2; i++) diag_error(diag, (diag_place_t){0}, NULL, "e%d", i);
    cr_expect_eq(diag_errors(diag), DIAG_SHOWN + 2);
    str_t text = printed();
    cr_expect_neq(str_search(text, STR("e19\n")), text.n);
    cr_expect_eq(str_search(text, STR("e20\n")), text.n);
    cr_expect(str_ends(text, STR("and 2 more errors\n")));
}

Test(diag, cuts_endless_reasons)
{
    str_t word = str_make(memset(pool_bytes(pool, 100000), 'x', 100000), 100000);
    diag_error(diag, (diag_place_t){0}, NULL, "unknown directive \"" STR_FMT "\"", STR_ARG(word));
    cr_expect_lt(printed().n, 500);
}

Test(diag, logs_in_the_layout_of_nginx)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    log_target_t target = {.fd = fds[1], .level = LOG_DEBUG};
    log_t log = {.targets = &target, .level = LOG_DEBUG};
    const diag_source_t *s = source("/etc/proxyd.conf", "foo;\nbar;\n");
    diag_error(diag, at(s, 1, 1, 3), NULL, "unknown directive \"foo\"");
    diag_error(diag, at(s, 2, 1, 3), "did you mean \"baz\"?", "unknown directive \"bar\"");
    diag_warn(diag, at(s, 2, 1, 3), NULL, "hm");
    diag_log(diag, &log);
    close(fds[1]);
    str_t rest = drain(fds[0]), line;
    cr_assert(str_cut(&rest, '\n', &line));
    cr_expect_neq(str_search(line, STR(" [emerg] ")), line.n);
    cr_expect(str_ends(line, STR(": unknown directive \"foo\" in /etc/proxyd.conf:1")));
    cr_assert(str_cut(&rest, '\n', &line));
    cr_expect(str_ends(line, STR(": unknown directive \"bar\" in /etc/proxyd.conf:2; "
                                 "did you mean \"baz\"?")));
    cr_assert(str_cut(&rest, '\n', &line));
    cr_expect_neq(str_search(line, STR(" [warn] ")), line.n);
    cr_expect(str_ends(line, STR(": hm in /etc/proxyd.conf:2")));
    cr_expect_eq(rest.n, 0);
}
