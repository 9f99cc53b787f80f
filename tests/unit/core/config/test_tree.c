#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config/tree.h"

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

TestSuite(tree, .init = setup, .fini = teardown);

/* "a b {c {}} d": the words are joined by `|`, a semicolon ends what has no block. */
static str_t render(const tree_node_t *block)
{
    str_t out = STR("");
    for (const tree_node_t *node = block->children; node; node = node->next) {
        for (uint32_t i = 0; i < node->n; i++) {
            out = pool_printf(pool, STR_FMT "%s" STR_FMT, STR_ARG(out), i ? "|" : "",
                              STR_ARG(node->words[i].text));
            cr_assert_eq(node->words[i].text.p[node->words[i].text.n], '\0');
        }
        cr_assert_eq(node->parent, block);
        if (node->block)
            out = pool_printf(pool, STR_FMT "{" STR_FMT "}", STR_ARG(out), STR_ARG(render(node)));
        else
            out = pool_concat(pool, out, STR(";"));
    }
    return out;
}

static tree_node_t *parse(const char *text)
{
    return tree_parse(pool, diag, STR("test"), str_of(text));
}

/* Everything the diag has to say. */
static str_t said(void)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    diag_print(diag, fds[1]);
    close(fds[1]);
    char *text = pool_bytes(pool, 65536);
    ssize_t n = read(fds[0], text, 65536);
    close(fds[0]);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

static void expect(const char *text, const char *rendered)
{
    str_t got = render(parse(text));
    cr_expect(str_eq(got, str_of(rendered)), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(got), rendered);
    cr_expect_eq(diag_errors(diag), 0, "%s: " STR_FMT, text, STR_ARG(said()));
}

/* The first line of what is said about the text. */
static void expect_error(const char *text, const char *line)
{
    pool_destroy(pool);
    setup();
    parse(text);
    str_t rest = said(), first = {NULL, 0};
    str_cut(&rest, '\n', &first);
    cr_expect(str_eq(first, str_of(line)), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(first), line);
}

Test(tree, reads_directives_and_blocks)
{
    expect("", "");
    expect("a;", "a;");
    expect("a b c;\n", "a|b|c;");
    expect("a{b;c{}}d;", "a{b;c{}}d;");
    expect("a b{}", "a|b{}");
    expect("\ta\r\n  b ;", "a|b;");
}

Test(tree, takes_comments_only_where_a_word_could_begin)
{
    expect("# a;\nb; # c\n#d", "b;");
    expect("a b#c;", "a|b#c;");
    expect("a # ; {\n b;", "a|b;");
    expect("a \"#b\";", "a|#b;");
}

Test(tree, takes_quotes_only_at_the_start_of_a_word)
{
    expect("a \"b c;{}\" 'd \"e\"';", "a|b c;{}|d \"e\";");
    expect("a b\"c d\";", "a|b\"c|d\";");
    expect("a \"\" '';", "a||;");
    expect("\"a\" b;", "a|b;");
    expect("a \"b\nc\";", "a|b\nc;");
}

Test(tree, unescapes_what_nginx_unescapes)
{
    expect("a \\\"b\\\" \\'c\\' d\\\\e;", "a|\"b\"|'c'|d\\e;");
    expect("a b\\tc\\rd\\ne;", "a|b\tc\rd\ne;");
    expect("a \"b\\\"c\" 'd\\'e';", "a|b\"c|d'e;");
    expect("a \\.php$ \\d\\s;", "a|\\.php$|\\d\\s;");
    expect("a b\\ c\\;d\\{e;", "a|b\\ c\\;d\\{e;");
}

Test(tree, ends_words_only_where_nginx_ends_them)
{
    expect("location ~ \\.php$ { }", "location|~|\\.php${}");
    expect("location ~ ^/a(b|c)$ {}", "location|~|^/a(b|c)${}");
    expect("\"~^www\\.(.+)$\" x;", "~^www\\.(.+)$|x;");
    expect("a b}c;", "a|b}c;");
    expect("a ${b}c d${e}${f};", "a|${b}c|d${e}${f};");
    expect("a $b{c;}", "a|$b{c;}");
    expect("a \"${b}\";", "a|${b};");
    expect("if ($a = \"b\") { c; }", "if|($a|=|b|){c;}");
    expect("a $ {}", "a|${}");
}

Test(tree, knows_where_each_word_stands)
{
    const tree_node_t *node = parse("a;\n  bb \"c d\"\n\t{ e; }")->children->next;
    cr_assert_eq(node->n, 2);
    cr_expect_eq(node->words[0].place.line, 2);
    cr_expect_eq(node->words[0].place.column, 3);
    cr_expect_eq(node->words[0].place.length, 2);
    cr_expect_not(node->words[0].quoted);
    cr_expect_eq(node->words[1].place.column, 6);
    cr_expect_eq(node->words[1].place.length, 5);
    cr_expect(node->words[1].quoted);
    cr_expect_eq(node->children->words[0].place.line, 3);
    cr_expect_eq(node->children->words[0].place.column, 4);
}

Test(tree, says_what_is_wrong_and_where)
{
    expect_error("a;\nb {\n  c;\n", "test:2:1: unexpected end of parameter, expecting \"}\"");
    expect_error("a {\n  b {}\n}\n}", "test:4:1: unexpected \"}\"");
    expect_error("a {\n  b c\n}", "test:3:1: unexpected \"}\"");
    expect_error("a;\n  b c", "test:2:5: unexpected end of parameter, expecting \";\"");
    expect_error("a \"b;\nc;", "test:1:3: unexpected end of parameter, expecting the closing \"");
    expect_error("a 'b\\'", "test:1:3: unexpected end of parameter, expecting the closing '");
    expect_error("a \"b\"c;", "test:1:6: unexpected \"c\"");
    expect_error("a;;", "test:1:3: unexpected \";\"");
    expect_error("{ a; }", "test:1:1: unexpected \"{\"");
    expect_error("include x;", "test:1:1: \"include\" is possible in files only");
    expect_error("include {}", "test:1:1: directive \"include\" is not terminated by \";\"");
    expect_error("a \\", "test:1:3: unexpected end of parameter, expecting \";\"");
}

Test(tree, refuses_nul_bytes)
{
    tree_parse(pool, diag, STR("test"), STR("a b;\nc \0d;"));
    cr_expect_eq(diag_errors(diag), 1);
    cr_expect_neq(str_search(said(), STR("test:2:3: a NUL byte")), said().n);
}

Test(tree, reads_on_after_an_error)
{
    str_t got = render(parse("a;; b \"c\"d; e { f g } h;"));
    cr_expect(str_eq(got, STR("a;b|c|d;e{}h;")), STR_FMT, STR_ARG(got));
    cr_expect_eq(diag_errors(diag), 3);
}

Test(tree, limits_the_depth_of_blocks)
{
    str_t text = STR(""), end = STR("");
    for (int i = 0; i < TREE_DEPTH_MAX; i++) {
        text = pool_concat(pool, text, STR("a{"));
        end = pool_concat(pool, end, STR("}"));
    }
    parse(pool_concat(pool, text, end).p);
    cr_expect_eq(diag_errors(diag), 0);
    parse(pool_printf(pool, "a{%s%s}", text.p, end.p).p);
    cr_expect_eq(diag_errors(diag), 1);
    cr_expect_neq(str_search(said(), STR("more than 64 blocks")), said().n);
}

Test(tree, prepends_another_tree)
{
    tree_node_t *root = parse("c;"), *empty = parse("");
    tree_prepend(root, parse("a; b;"));
    cr_expect(str_eq(render(root), STR("a;b;c;")));
    tree_prepend(empty, parse("a;"));
    tree_prepend(empty, parse(""));
    cr_expect(str_eq(render(empty), STR("a;")));
    cr_expect_eq(empty->last_child, empty->children);
}

/* --- files --- */

static str_t dir;

static void setup_files(void)
{
    setup();
    char *name = pool_cstr(pool, STR("/tmp/test_tree_XXXXXX"));
    cr_assert_not_null(mkdtemp(name));
    dir = str_of(name);
}

static void teardown_files(void)
{
    cr_expect_eq(system(pool_printf(pool, "rm -r '%s'", dir.p).p), 0);
    teardown();
}

TestSuite(tree_files, .init = setup_files, .fini = teardown_files);

static str_t path_of(const char *name)
{
    return pool_printf(pool, "%s/%s", dir.p, name);
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name).p, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    fclose(f);
}

static void expect_said(str_t expected)
{
    cr_expect_neq(str_search(said(), expected), said().n, "got " STR_FMT "\n  expected %s",
                  STR_ARG(said()), expected.p);
}

Test(tree_files, include_stands_for_the_file)
{
    put("main.conf", "a;\nb { include part.conf; d; }\n");
    put("part.conf", "c { x; }\n");
    const tree_node_t *root = tree_load(pool, diag, path_of("main.conf"));
    cr_expect(str_eq(render(root), STR("a;b{c{x;}d;}")));
    const diag_place_t *place = &root->children->next->children->words[0].place;
    cr_expect(str_eq(str_of(place->source->name), path_of("part.conf")));
    cr_expect_eq(place->line, 1);
}

Test(tree_files, relative_includes_start_at_the_main_file)
{
    mkdir(path_of("sub").p, 0755);
    put("main.conf", "include sub/a.conf;\n");
    put("sub/a.conf", "a; include sub/b.conf;");
    put("sub/b.conf", "b;");
    cr_expect(str_eq(render(tree_load(pool, diag, path_of("main.conf"))), STR("a;b;")));
    cr_assert_eq(chdir(dir.p), 0);
    const tree_node_t *root = tree_load(pool, diag, STR("main.conf"));
    cr_expect(str_eq(render(root), STR("a;b;")));
    cr_expect_str_eq(root->children->words[0].place.source->name, "sub/a.conf");
    cr_assert_eq(chdir("/"), 0);
}

Test(tree_files, globs_are_sorted_and_may_match_nothing)
{
    put("main.conf", "include *.part; include none*.part; z;");
    put("b.part", "b;");
    put("a.part", "a;");
    put("c.part", "c;");
    cr_expect(str_eq(render(tree_load(pool, diag, path_of("main.conf"))), STR("a;b;c;z;")));
    cr_expect_eq(diag_errors(diag), 0);
}

Test(tree_files, a_missing_file_is_said_where_it_is_included)
{
    put("main.conf", "a;\ninclude none.conf; b;");
    cr_expect(str_eq(render(tree_load(pool, diag, path_of("main.conf"))), STR("a;b;")));
    expect_said(pool_printf(pool,
                            "%s/main.conf:2:9: open() \"%s/none.conf\" failed "
                            "(2: No such file or directory)",
                            dir.p, dir.p));
    cr_expect_null(tree_load(pool, diag, path_of("nothing.conf")));
    expect_said(pool_printf(pool, "open() \"%s/nothing.conf\" failed (2: ", dir.p));
}

Test(tree_files, a_directory_is_no_file)
{
    cr_expect_null(tree_load(pool, diag, dir));
    expect_said(pool_printf(pool, "read() \"%s\" failed (21: Is a directory)", dir.p));
}

Test(tree_files, a_file_must_close_what_it_opens)
{
    put("main.conf", "a { include part.conf; }");
    put("part.conf", "b;\n}");
    tree_load(pool, diag, path_of("main.conf"));
    cr_expect_eq(diag_errors(diag), 1);
    expect_said(pool_printf(pool, "%s/part.conf:2:1: unexpected \"}\"", dir.p));
}

Test(tree_files, include_takes_one_argument)
{
    put("main.conf", "include a b;");
    tree_load(pool, diag, path_of("main.conf"));
    expect_said(STR("invalid number of arguments in \"include\" directive"));
}

Test(tree_files, cycles_end)
{
    put("main.conf", "include a.conf;");
    put("a.conf", "a; include main.conf;");
    tree_load(pool, diag, path_of("main.conf"));
    cr_expect_eq(diag_errors(diag), 1);
    expect_said(
        pool_printf(pool, "%s/a.conf:1:12: \"%s/main.conf\" includes itself", dir.p, dir.p));
}

Test(tree_files, cycles_through_other_names_end)
{
    put("main.conf", "include ././main.conf;");
    cr_assert_eq(symlink("main.conf", path_of("0.conf").p), 0);
    for (int i = 0; i < TREE_INCLUDES_MAX + 4; i++) {
        str_t text = pool_printf(pool, "include %d.conf;", i + 1);
        put(pool_printf(pool, "%d.conf", i).p, text.p);
    }
    tree_load(pool, diag, path_of("main.conf"));
    cr_expect_eq(diag_errors(diag), 1);
    expect_said(STR("more than 16 files include each other"));
}

Test(tree_files, a_file_included_often_is_one_source)
{
    put("main.conf", "a { include part.conf; } b { include part.conf; }");
    put("part.conf", "x;;");
    const tree_node_t *root = tree_load(pool, diag, path_of("main.conf"));
    cr_expect(str_eq(render(root), STR("a{x;}b{x;}")));
    cr_expect_eq(diag_errors(diag), 1, "the same mistake is said once");
}

Test(tree_files, too_large_files_are_refused)
{
    put("main.conf", "a;");
    cr_assert_eq(truncate(path_of("main.conf").p, TREE_FILE_MAX + 1ll), 0);
    cr_expect_null(tree_load(pool, diag, path_of("main.conf")));
    expect_said(STR("is larger than 64 MiB"));
    put("dev.conf", "include /dev/zero;");
    tree_load(pool, diag, path_of("dev.conf"));
    expect_said(STR("\"/dev/zero\" is larger than 64 MiB"));
}

Test(tree_files, reads_what_has_no_size)
{
    int fds[2];
    char text[5000];
    memset(text, ' ', sizeof(text));
    memcpy(text + sizeof(text) - 2, "a;", 2);
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(write(fds[1], text, sizeof(text)), sizeof(text));
    close(fds[1]);
    str_t path = pool_printf(pool, "/dev/fd/%d", fds[0]);
    cr_expect(str_eq(render(tree_load(pool, diag, path)), STR("a;")));
    close(fds[0]);
}

Test(tree_files, dumps_every_file_once)
{
    put("main.conf", "include part.conf;\ninclude part.conf;\n");
    put("part.conf", "x;\n");
    const tree_node_t *root = tree_load(pool, diag, path_of("main.conf"));
    int fd = open(path_of("dump").p, O_RDWR | O_CREAT, 0600);
    tree_dump(root, fd);
    char text[1024];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    close(fd);
    str_t expected = pool_printf(pool,
                                 "# configuration file %s/main.conf:\n"
                                 "include part.conf;\ninclude part.conf;\n\n"
                                 "# configuration file %s/part.conf:\nx;\n\n",
                                 dir.p, dir.p);
    cr_expect(str_eq(str_make(text, (size_t)n), expected));
}
