#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <signal.h>

#include "tests/unit/core/config/things.h"

TestSuite(conf, .init = things_setup, .fini = things_teardown);

static str_t joined(const conf_strs_t *strs)
{
    str_t all = STR("");
    for (uint32_t i = 0; i < strs->n; i++)
        all = pool_printf(things_pool, STR_FMT STR_FMT ";", STR_ARG(all), STR_ARG(strs->v[i]));
    return all;
}

static void expect_strs(const conf_strs_t *strs, const char *expected)
{
    str_t got = joined(strs);
    cr_expect(str_eq(got, str_of(expected)), "got " STR_FMT ", expected %s", STR_ARG(got),
              expected);
}

/* --- values --- */

Test(conf, begins_with_the_defaults_of_the_rows)
{
    const things_t *t = things_of(things_load_good(""));
    cr_expect_eq(t->connections, 512);
    cr_expect_eq(t->timeout, 60000);
    cr_expect_eq(t->size, 8192);
    cr_expect(t->gzip);
    cr_expect(str_eq(t->name, STR("a b")));
    cr_expect(str_eq(t->root, STR("/pre/html")));
    cr_expect_eq(t->color, 2);
    cr_expect_eq(t->colors, 5);
    cr_expect_eq(t->headers.n, 0);
    cr_expect_eq(t->checked, 1, "defaults are checked, too");
}

Test(conf, takes_typed_values)
{
    things_load_good(
        "worker_connections 7; http { timeout 1h; size 2g; gzip off; name x; root /srv;"
        "color blue; colors green red; header a b; header c; }");
    const things_t *t = things_ended(0);
    cr_expect_eq(t->connections, 7);
    cr_expect_eq(t->timeout, 3600000);
    cr_expect_eq(t->size, 2147483648u);
    cr_expect_not(t->gzip);
    cr_expect(str_eq(t->name, STR("x")));
    cr_expect(str_eq(t->root, STR("/srv")));
    cr_expect_eq(t->color, 4);
    cr_expect_eq(t->colors, 3);
    expect_strs(&t->headers, "a;b;c;");
}

Test(conf, full_paths)
{
    cr_expect(str_eq(conf_full_path(&things_conf, STR("a/b"), false), STR("/pre/a/b")));
    cr_expect(str_eq(conf_full_path(&things_conf, STR("a/b"), true), STR("/etc/a/b")));
    cr_expect(str_eq(conf_full_path(&things_conf, STR("/a/b"), true), STR("/a/b")));
}

/* --- inheritance --- */

Test(conf, blocks_inherit_wherever_the_default_stands)
{
    things_load_good("http { server { location / { size 1k; } timeout 5s; } gzip off; }");
    const things_t *location = things_ended(0), *server = things_ended(1), *http = things_ended(2);
    cr_expect_eq(location->timeout, 5000);
    cr_expect_eq(server->timeout, 5000);
    cr_expect_eq(http->timeout, 60000);
    cr_expect_not(location->gzip);
    cr_expect_eq(location->size, 1024);
    cr_expect_eq(server->size, 8192);
}

Test(conf, blocks_share_what_they_do_not_set)
{
    const conf_scope_t *outermost =
        things_load_good("http { server { location / { } } server { size 1k; } }");
    cr_expect_eq(things_ended(0), things_ended(1));
    cr_expect_eq(things_ended(1), things_of(outermost));
    cr_expect_neq(things_ended(2), things_ended(1));
    cr_expect_eq(things_ended(3), things_of(outermost));
}

Test(conf, many_replaces_what_was_inherited)
{
    things_load_good("http { header a; header b; server { header c; header d; } server { } }");
    expect_strs(&things_ended(0)->headers, "c;d;");
    expect_strs(&things_ended(1)->headers, "a;b;");
    expect_strs(&things_ended(2)->headers, "a;b;");
}

Test(conf, local_fields_are_not_inherited)
{
    things_load_good("http { server { rule a; location / { } location /b { rule b; } rule c; } }");
    expect_strs(&things_ended(0)->rules, "");
    expect_strs(&things_ended(1)->rules, "b;");
    expect_strs(&things_ended(2)->rules, "a;c;");
}

Test(conf, local_fields_given_after_a_block_do_not_reach_it)
{
    things_load_good("http { server { size 2k; location / { } rule a; } }");
    expect_strs(&things_ended(0)->rules, "");
    cr_expect_eq(things_ended(0)->size, 2048);
    expect_strs(&things_ended(1)->rules, "a;");
}

Test(conf, local_fields_stay_when_asked_to)
{
    things_keep_local = true;
    things_load_good("http { server { rule a; location / { } location /b { rule b; } } }");
    expect_strs(&things_ended(0)->rules, "a;");
    expect_strs(&things_ended(1)->rules, "b;");
}

Test(conf, rows_may_share_a_field)
{
    things_load_good("http { server { rule a; rewrite b; rule c; rewrite d; } }");
    expect_strs(&things_ended(0)->rules, "a;b;c;d;");
}

Test(conf, ordered_directives_and_blocks_keep_their_order)
{
    things_load_good("http { server { note a; location b { note x; } note c; location d { } } }");
    const blocks_t *b = conf_get(things_scopes.v[2], &blocks_module);
    expect_strs(&b->log, "a;b;c;d;");
    b = conf_get(things_scopes.v[0], &blocks_module);
    expect_strs(&b->log, "x;");
}

Test(conf, checks_each_struct_once_after_its_directives)
{
    things_load_good("http { server { size 1k; } server { } } worker_connections 9;");
    cr_expect_eq(things_ended(0)->checked, 2, "the copy of a checked one");
    cr_expect_eq(things_ended(1)->checked, 1);
    cr_expect_eq(things_ended(1)->seen_at_check, 9);
}

Test(conf, ten_thousand_blocks_cost_what_they_set)
{
    str_t server = STR("server { }\n");
    char *text = pool_bytes(things_pool, 10000 * server.n + 16), *p = text;
    p = stpcpy(p, "http {");
    for (int i = 0; i < 10000; i++) p = stpcpy(p, server.p);
    stpcpy(p, "}");
    const conf_scope_t *outermost = things_load_good(text);
    cr_assert_eq(things_scopes.n, 10001);
    for (uint32_t i = 0; i < things_scopes.n; i++)
        cr_assert_eq(things_ended(i), things_of(outermost));
}

/* --- what set functions and checks may ask --- */

static bool seen_here, seen_above;

static bool check_asks(conf_t *c, void *module_struct)
{
    (void)module_struct;
    if (c->scope->context == SERVER) seen_here = conf_was_set(c, &things_module, "size");
    if (c->scope->context == HTTP) seen_above = conf_was_set(c, &things_module, "size");
    return true;
}

Test(conf, tells_what_was_given_in_the_block)
{
    static unsigned index;
    static const conf_row_t rows[] = {
        CONF_CUSTOM("ask", ANY, 0, 0, 0, conf_set_strs, CONF_NO_FIELD, NULL, "h"),
        CONF_END,
    };
    static const module_t asks = {
        .name = "asks",
        .index = &index,
        .rows = rows,
        .conf_size = sizeof(conf_strs_t),
        .check = check_asks,
    };
    static const module_t *const with_asks[] = {&asks, &things_module, &blocks_module, NULL};
    cr_assert_eq(modules_init(with_asks), 3);
    things_conf.modules = with_asks;
    things_load_good("http { ask; size 2k; server { ask; } }");
    cr_expect(seen_above);
    cr_expect_not(seen_here);
    things_load_good("http { ask; server { ask; size 2k; } }");
    cr_expect_not(seen_above);
    cr_expect(seen_here);
}

/* --- what is wrong --- */

Test(conf, duplicates)
{
    things_expect_error("http { size 8k;\n size 9k; }", "test:2:2: \"size\" directive is duplicate",
                        "the first is at test:1:8");
    things_expect_error("http { }\nhttp { }", "test:2:1: \"http\" directive is duplicate",
                        "the first is at test:1:1");
    things_load_good("http { size 8k; server { size 8k; } }");
}

Test(conf, checks_across_fields)
{
    things_expect_error("http { server { name forbidden; } }", "test:1:22: this name is forbidden",
                        NULL);
}

Test(conf, a_struct_with_a_mistake_is_not_checked)
{
    things_expect_error("http { name forbidden; size x; }", "test:1:29: size: \"x\" is not a size",
                        "for example 512, 8k, 1m, 2g");
}

Test(conf, raw_blocks_are_left_to_their_owner)
{
    things_load_good("http { types { whatever x y { z; } } }");
}

Test(conf, a_refusal_without_a_reason_fails_the_load)
{
    things_load("refused;");
    cr_expect_eq(diag_errors(things_conf.diag), 1);
}

Test(conf, goes_on_after_each_error)
{
    things_load("worker_connections 0; gzip on; http { foo; size x; server { timeout 1; bar; }"
                "server { location / { baz; } } color pink; gzip on; gzip on; }");
    cr_expect_eq(diag_errors(things_conf.diag), 8, STR_FMT, STR_ARG(things_said()));
}

Test(conf, warnings_do_not_fail)
{
    things_load_good("worker_connections 5;");
    conf_warn(&things_conf, things_conf.scope->node->children, 1, "so", "odd %d", 5);
    cr_expect_eq(diag_errors(things_conf.diag), 0);
    cr_expect(str_eq(things_said(), STR("test:1:20: warning: odd 5\n    worker_connections 5;\n"
                                        "                       ^ so\n")),
              STR_FMT, STR_ARG(things_said()));
}

Test(conf, a_default_out_of_bounds_is_a_panic, .signal = SIGABRT)
{
    static unsigned index;
    static const conf_row_t rows[] = {
        CONF_NUMBER("n", CONF_MAIN, things_t, connections, "5", 1, 4, "h"),
        CONF_END,
    };
    static const module_t wrong = {
        .name = "wrong", .index = &index, .rows = rows, .conf_size = sizeof(things_t)};
    static const module_t *const wrong_list[] = {&wrong, NULL};
    cr_redirect_stderr();
    modules_init(wrong_list);
    things_conf.modules = wrong_list;
    things_load("");
}

Test(conf, a_row_beyond_its_struct_is_a_panic, .signal = SIGABRT)
{
    static unsigned index;
    static const conf_row_t rows[] = {
        CONF_FLAG("gzip", CONF_MAIN, things_t, gzip, "on", "h"),
        CONF_END,
    };
    static const module_t wrong = {.name = "wrong", .index = &index, .rows = rows, .conf_size = 1};
    static const module_t *const wrong_list[] = {&wrong, NULL};
    cr_redirect_stderr();
    modules_init(wrong_list);
}
