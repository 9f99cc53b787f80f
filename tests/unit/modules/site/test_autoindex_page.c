#include <criterion/criterion.h>

#include "modules/site/autoindex_page.h"

static pool_t *pool;

static void begin(void)
{
    pool = pool_create();
}

static void end(void)
{
    pool_destroy(pool);
}

TestSuite(autoindex_page, .init = begin, .fini = end);

enum { WHEN = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static void add(autoindex_entries_t *entries, const char *name, bool directory, uint64_t size)
{
    *VEC_PUSH(pool, entries) = (autoindex_entry_t){.name = str_of(name),
                                                   .size = size,
                                                   .mtime = WHEN,
                                                   .directory = directory,
                                                   .regular = !directory};
}

static void assert_part(str_t page, const char *part)
{
    cr_expect(str_search(page, str_of(part)) < page.n, "no %s in " STR_FMT, part, STR_ARG(page));
}

Test(autoindex_page, sorts_directories_first)
{
    autoindex_entries_t e = {0};
    add(&e, "b", false, 1);
    add(&e, "a", false, 1);
    add(&e, "z", true, 1);
    autoindex_page_sort(&e);
    cr_expect(str_eq(e.v[0].name, STR("z")) && str_eq(e.v[1].name, STR("a")));
}

Test(autoindex_page, lists_as_nginx_does)
{
    autoindex_entries_t e = {0};
    add(&e, "sub", true, 4096);
    add(&e, "x.txt", false, 1234567);
    str_t page = autoindex_page_html(pool, STR("/d/"), &e, (autoindex_style_t){true, false});
    assert_part(page, "<html>\n<head><title>Index of /d/</title></head>\n<body>\n"
                      "<h1>Index of /d/</h1><hr><pre><a href=\"../\">../</a>\n");
    assert_part(page, "<a href=\"sub/\">sub/</a>                                               "
                      "06-Nov-1994 08:49                   -\n");
    assert_part(page, "<a href=\"x.txt\">x.txt</a>                                              "
                      "06-Nov-1994 08:49             1234567\n");
    assert_part(page, "</pre><hr></body>\n</html>\n");
}

Test(autoindex_page, rounds_sizes)
{
    static const struct {
        uint64_t size;
        const char *text;
    } rows[] = {{0, "     0\n"}, {1023, "  1023\n"}, {1024, "     1K\n"}, {1536, "     2K\n"},
                {1048576, "     1M\n"}, {5368709120, "     5G\n"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        autoindex_entries_t e = {0};
        add(&e, "f", false, rows[i].size);
        assert_part(autoindex_page_html(pool, STR("/"), &e, (autoindex_style_t){false, false}),
                    rows[i].text);
    }
}

Test(autoindex_page, escapes_names)
{
    autoindex_entries_t e = {0};
    add(&e, "a<b>&\"?#%.txt", false, 1);
    str_t page = autoindex_page_html(pool, STR("/<x>/"), &e, (autoindex_style_t){true, false});
    assert_part(page, "Index of /&lt;x&gt;/");
    assert_part(page, "<a href=\"a%3Cb%3E%26%22%3F%23%25.txt\">a&lt;b&gt;&amp;&quot;?#%.txt</a>");
    e.n = 0;
    add(&e, "a\"b\\c\n", false, 7);
    add(&e, "d", true, 1);
    cr_expect(
        str_eq(autoindex_page_json(pool, &e),
               STR("[\n{ \"name\":\"a\\\"b\\\\c\\u000a\", \"type\":\"file\", \"mtime\":\"Sun, 06 "
                   "Nov 1994 08:49:37 GMT\", \"size\":7 },\n{ \"name\":\"d\", \"type\":"
                   "\"directory\", \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" }\n]")));
}

Test(autoindex_page, cuts_long_names_between_characters)
{
    char name[2 * 60 + 1];
    autoindex_entries_t e = {0};
    for (size_t i = 0; i < 60; i++) memcpy(name + 2 * i, "\xc3\xa9", 2); /* U+00E9 */
    name[sizeof(name) - 1] = '\0';
    add(&e, name, false, 1);
    str_t page = autoindex_page_html(pool, STR("/"), &e, (autoindex_style_t){true, false});
    str_t shown = pool_printf(pool, ">%.*s..&gt;</a> ", 2 * 47, name);
    assert_part(page, pool_cstr(pool, shown));
}
