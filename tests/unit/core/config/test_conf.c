#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <signal.h>
#include <unistd.h>

#include "core/config/conf.h"

enum {
    HTTP = 1u << CONF_USER_SHIFT,
    SERVER = HTTP << 1,
    LOCATION = HTTP << 2,
    ANY = HTTP | SERVER | LOCATION,
};

/* --- two modules of the tests' own --- */

typedef struct things {
    unsigned connections, color, colors;
    msec_t timeout;
    size_t size;
    bool gzip;
    str_t name, root;
    conf_strs_t headers, rules;
    unsigned checked, seen_at_check;
} things_t;

typedef struct blocks {
    conf_strs_t log; /* what was read, in order */
} blocks_t;

static unsigned things_index, blocks_index;
static const module_t things_module, blocks_module;

/* Scopes of the blocks in the order in which they ended. */
static VEC(conf_scope_t *) scopes;
static bool keep_local;

static bool read_as(conf_t *cf, const tree_node_t *node, unsigned context)
{
    conf_scope_t *scope = conf_block(cf, node, context, keep_local);
    if (!scope) return false;
    *VEC_PUSH(cf->pool, &scopes) = scope;
    return true;
}

static bool set_http(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    (void)row, (void)module_struct;
    return read_as(cf, node, HTTP);
}

static bool set_server(conf_t *cf, const conf_row_t *row, void *module_struct,
                       const tree_node_t *node)
{
    (void)row, (void)module_struct;
    return read_as(cf, node, SERVER);
}

static bool set_location(conf_t *cf, const conf_row_t *row, void *module_struct,
                         const tree_node_t *node)
{
    blocks_t *b = module_struct;
    (void)row;
    *VEC_PUSH(cf->pool, &b->log) = node->words[1].text;
    return read_as(cf, node, LOCATION);
}

static bool set_types(conf_t *cf, const conf_row_t *row, void *module_struct,
                      const tree_node_t *node)
{
    (void)cf, (void)row, (void)module_struct;
    return node->children && !node->children->next;
}

static bool set_refused(conf_t *cf, const conf_row_t *row, void *module_struct,
                        const tree_node_t *node)
{
    (void)cf, (void)row, (void)module_struct, (void)node;
    return false;
}

static bool check_things(conf_t *cf, void *module_struct)
{
    things_t *t = module_struct;
    t->checked++;
    t->seen_at_check = t->connections;
    if (str_eq(t->name, STR("forbidden")))
        return conf_error(cf, conf_node(cf, "name"), 1, NULL, "this name is forbidden");
    return true;
}

static const conf_name_t colors[] = {{"red", 1}, {"green", 2}, {"blue", 4}, {NULL, 0}};

static const conf_row_t things_rows[] = {
    CONF_NUMBER("worker_connections", CONF_MAIN, things_t, connections, "512", 1, 1048576, "h"),
    CONF_MSEC("timeout", ANY, things_t, timeout, "60s", 100, 3600000, "h"),
    CONF_SIZE("size", ANY, things_t, size, "8k", 1024, 0, "h"),
    CONF_FLAG("gzip", ANY, things_t, gzip, "on", "h"),
    CONF_STR("name", ANY, things_t, name, "\"a b\"", "h"),
    CONF_PATH("root", ANY, things_t, root, "html", "h"),
    CONF_ENUM("color", ANY, things_t, color, "green", colors, "h"),
    CONF_MASK("colors", ANY, things_t, colors, "red blue", colors, "h"),
    CONF_STRS("header", ANY, things_t, headers, "h"),
    CONF_CUSTOM("rule", ANY, CONF_MANY | CONF_LOCAL | CONF_ORDERED, 1, 2, conf_set_strs,
                CONF_FIELD(things_t, rules, conf_strs_t), NULL, "h"),
    CONF_CUSTOM("rewrite", ANY, CONF_MANY | CONF_LOCAL | CONF_ORDERED, 1, 2, conf_set_strs,
                CONF_FIELD(things_t, rules, conf_strs_t), NULL, "h"),
    CONF_CUSTOM("listen", SERVER, 0, 2, 4, set_types, CONF_NO_FIELD, NULL, "h"),
    CONF_CUSTOM("refused", CONF_MAIN, 0, 0, 0, set_refused, CONF_NO_FIELD, NULL, "h"),
    CONF_END,
};

static const module_t things_module = {
    .name = "things",
    .index = &things_index,
    .rows = things_rows,
    .conf_size = sizeof(things_t),
    .check = check_things,
};

static const conf_row_t blocks_rows[] = {
    CONF_CUSTOM("http", CONF_MAIN, CONF_BLOCK, 0, 0, set_http, CONF_NO_FIELD, NULL, "h"),
    CONF_CUSTOM("server", HTTP, CONF_BLOCK | CONF_MANY, 0, 0, set_server, CONF_NO_FIELD, NULL, "h"),
    CONF_CUSTOM("location", SERVER | LOCATION, CONF_BLOCK | CONF_MANY | CONF_LOCAL, 1, 1,
                set_location, CONF_FIELD(blocks_t, log, conf_strs_t), NULL, "h"),
    CONF_CUSTOM("note", SERVER | LOCATION, CONF_ORDERED | CONF_MANY | CONF_LOCAL, 1, 1,
                conf_set_strs, CONF_FIELD(blocks_t, log, conf_strs_t), NULL, "h"),
    CONF_CUSTOM("types", ANY, CONF_BLOCK | CONF_RAW, 0, 0, set_types, CONF_NO_FIELD, NULL, "h"),
    CONF_END,
};

static const module_t blocks_module = {
    .name = "blocks",
    .index = &blocks_index,
    .rows = blocks_rows,
    .conf_size = sizeof(blocks_t),
};

static const module_t *const list[] = {&things_module, &blocks_module, NULL};

/* --- loading --- */

static pool_t *pool;
static conf_t cf;

static void setup(void)
{
    pool = pool_create();
    cf = (conf_t){.modules = list, .pool = pool, .prefix = STR("/pre/"), .conf_dir = STR("/etc/")};
    memset(&scopes, 0, sizeof(scopes));
    keep_local = false;
    conf_name_context(HTTP, "http");
    conf_name_context(SERVER, "server");
    conf_name_context(LOCATION, "location");
    cr_assert_eq(modules_init(list), 2);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(conf, .init = setup, .fini = teardown);

static const conf_scope_t *load(const char *text)
{
    scopes.n = 0;
    cf.diag = diag_new(pool);
    tree_node_t *root = tree_parse(pool, cf.diag, STR("test"), str_of(text));
    cr_assert_eq(diag_errors(cf.diag), 0);
    return conf_load(&cf, root);
}

static str_t said(void)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    diag_print(cf.diag, fds[1]);
    close(fds[1]);
    char *text = pool_bytes(pool, 65536);
    ssize_t n = read(fds[0], text, 65536);
    close(fds[0]);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

static const conf_scope_t *load_good(const char *text)
{
    const conf_scope_t *scope = load(text);
    cr_assert_eq(diag_errors(cf.diag), 0, "%s:\n" STR_FMT, text, STR_ARG(said()));
    return scope;
}

static const things_t *things(const conf_scope_t *scope)
{
    return conf_get(scope, &things_module);
}

static const things_t *ended(uint32_t i)
{
    cr_assert_lt(i, scopes.n);
    return things(scopes.v[i]);
}

/* One error: its reason, and the hint under it (NULL: none). */
static void expect_error(const char *text, const char *reason, const char *hint)
{
    load(text);
    str_t all = said(), rest = all, line = {NULL, 0}, under = {NULL, 0};
    cr_expect_eq(diag_errors(cf.diag), 1, "%s:\n" STR_FMT, text, STR_ARG(all));
    str_cut(&rest, '\n', &line);
    while (str_cut(&rest, '\n', &under)) continue;
    cr_expect(str_eq(line, str_of(reason)), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(line), reason);
    str_t tail = pool_printf(pool, "^%s%s", hint ? " " : "", hint ? hint : "");
    cr_expect(str_ends(under, tail), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(under), hint);
}

static str_t joined(const conf_strs_t *strs)
{
    str_t all = STR("");
    for (uint32_t i = 0; i < strs->n; i++)
        all = pool_printf(pool, STR_FMT STR_FMT ";", STR_ARG(all), STR_ARG(strs->v[i]));
    return all;
}

static void expect_strs(const conf_strs_t *strs, const char *expected)
{
    str_t got = joined(strs);
    cr_expect(str_eq(got, str_of(expected)), "got " STR_FMT ", expected %s", STR_ARG(got), expected);
}

/* --- values --- */

Test(conf, begins_with_the_defaults_of_the_rows)
{
    const things_t *t = things(load_good(""));
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
    load_good("worker_connections 7; http { timeout 1h; size 2g; gzip off; name x; root /srv;"
              "color blue; colors green red; header a b; header c; }");
    const things_t *t = ended(0);
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
    cr_expect(str_eq(conf_full_path(&cf, STR("a/b"), false), STR("/pre/a/b")));
    cr_expect(str_eq(conf_full_path(&cf, STR("a/b"), true), STR("/etc/a/b")));
    cr_expect(str_eq(conf_full_path(&cf, STR("/a/b"), true), STR("/a/b")));
}

/* --- inheritance --- */

Test(conf, blocks_inherit_wherever_the_default_stands)
{
    load_good("http { server { location / { size 1k; } timeout 5s; } gzip off; }");
    const things_t *location = ended(0), *server = ended(1), *http = ended(2);
    cr_expect_eq(location->timeout, 5000);
    cr_expect_eq(server->timeout, 5000);
    cr_expect_eq(http->timeout, 60000);
    cr_expect_not(location->gzip);
    cr_expect_eq(location->size, 1024);
    cr_expect_eq(server->size, 8192);
}

Test(conf, blocks_share_what_they_do_not_set)
{
    const conf_scope_t *outermost = load_good("http { server { location / { } } server { size 1k; } }");
    cr_expect_eq(ended(0), ended(1));
    cr_expect_eq(ended(1), things(outermost));
    cr_expect_neq(ended(2), ended(1));
    cr_expect_eq(ended(3), things(outermost));
}

Test(conf, many_replaces_what_was_inherited)
{
    load_good("http { header a; header b; server { header c; header d; } server { } }");
    expect_strs(&ended(0)->headers, "c;d;");
    expect_strs(&ended(1)->headers, "a;b;");
    expect_strs(&ended(2)->headers, "a;b;");
}

Test(conf, local_fields_are_not_inherited)
{
    load_good("http { server { rule a; location / { } location /b { rule b; } rule c; } }");
    expect_strs(&ended(0)->rules, "");
    expect_strs(&ended(1)->rules, "b;");
    expect_strs(&ended(2)->rules, "a;c;");
}

Test(conf, local_fields_given_after_a_block_do_not_reach_it)
{
    load_good("http { server { size 2k; location / { } rule a; } }");
    expect_strs(&ended(0)->rules, "");
    cr_expect_eq(ended(0)->size, 2048);
    expect_strs(&ended(1)->rules, "a;");
}

Test(conf, local_fields_stay_when_asked_to)
{
    keep_local = true;
    load_good("http { server { rule a; location / { } location /b { rule b; } } }");
    expect_strs(&ended(0)->rules, "a;");
    expect_strs(&ended(1)->rules, "b;");
}

Test(conf, rows_may_share_a_field)
{
    load_good("http { server { rule a; rewrite b; rule c; rewrite d; } }");
    expect_strs(&ended(0)->rules, "a;b;c;d;");
}

Test(conf, ordered_directives_and_blocks_keep_their_order)
{
    load_good("http { server { note a; location b { note x; } note c; location d { } } }");
    const blocks_t *b = conf_get(scopes.v[2], &blocks_module);
    expect_strs(&b->log, "a;b;c;d;");
    b = conf_get(scopes.v[0], &blocks_module);
    expect_strs(&b->log, "x;");
}

Test(conf, checks_each_struct_once_after_its_directives)
{
    load_good("http { server { size 1k; } server { } } worker_connections 9;");
    cr_expect_eq(ended(0)->checked, 2, "the copy of a checked one");
    cr_expect_eq(ended(1)->checked, 1);
    cr_expect_eq(ended(1)->seen_at_check, 9);
}

Test(conf, ten_thousand_blocks_cost_what_they_set)
{
    str_t server = STR("server { }\n");
    char *text = pool_bytes(pool, 10000 * server.n + 16), *p = text;
    p = stpcpy(p, "http {");
    for (int i = 0; i < 10000; i++) p = stpcpy(p, server.p);
    stpcpy(p, "}");
    const conf_scope_t *outermost = load_good(text);
    cr_assert_eq(scopes.n, 10001);
    for (uint32_t i = 0; i < scopes.n; i++) cr_assert_eq(ended(i), things(outermost));
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
        .name = "asks", .index = &index, .rows = rows, .conf_size = sizeof(conf_strs_t),
        .check = check_asks,
    };
    static const module_t *const with_asks[] = {&asks, &things_module, &blocks_module, NULL};
    cr_assert_eq(modules_init(with_asks), 3);
    cf.modules = with_asks;
    load_good("http { ask; size 2k; server { ask; } }");
    cr_expect(seen_above);
    cr_expect_not(seen_here);
    load_good("http { ask; server { ask; size 2k; } }");
    cr_expect_not(seen_above);
    cr_expect(seen_here);
}

Test(conf, nearest_name)
{
    static const char *const names[] = {"limit_req", "limit_rate", "listen", "if", NULL};
    cr_expect_str_eq(conf_nearest(STR("limit_rqe"), names), "limit_req");
    cr_expect_str_eq(conf_nearest(STR("limitrate"), names), "limit_rate");
    cr_expect_str_eq(conf_nearest(STR("lisen"), names), "listen");
    cr_expect_null(conf_nearest(STR("server"), names));
    cr_expect_null(conf_nearest(STR("xy"), names));
}

/* --- what is wrong --- */

Test(conf, unknown_directives)
{
    expect_error("http { tiemout 5s; }", "test:1:8: unknown directive \"tiemout\"",
                 "did you mean \"timeout\"?");
    expect_error("http {\n  server { lisen 80; } }", "test:2:12: unknown directive \"lisen\"",
                 "did you mean \"listen\"?");
    expect_error("listne 80;", "test:1:1: unknown directive \"listne\"", "did you mean \"listen\"?");
    expect_error("frobnicate { a; b { } }", "test:1:1: unknown directive \"frobnicate\"", NULL);
}

Test(conf, the_nearest_name_of_the_same_block_is_meant)
{
    expect_error("http { serve { } }", "test:1:8: unknown directive \"serve\"",
                 "did you mean \"server\"?");
}

Test(conf, directives_in_the_wrong_context)
{
    expect_error("http { server { location / { listen 80 x; } } }",
                 "test:1:30: \"listen\" is not allowed in location", "allowed in server");
    expect_error("gzip on;", "test:1:1: \"gzip\" is not allowed in main",
                 "allowed in http, server, location");
}

Test(conf, numbers_of_arguments)
{
    expect_error("worker_connections;",
                 "test:1:1: invalid number of arguments in \"worker_connections\" directive",
                 "it takes 1 argument");
    expect_error("worker_connections 1 2;",
                 "test:1:1: invalid number of arguments in \"worker_connections\" directive",
                 "it takes 1 argument");
    expect_error("http x { }", "test:1:1: invalid number of arguments in \"http\" directive",
                 "it takes none");
    expect_error("http { header; }",
                 "test:1:8: invalid number of arguments in \"header\" directive",
                 "it takes at least 1 argument");
    expect_error("http { rule; }", "test:1:8: invalid number of arguments in \"rule\" directive",
                 "it takes 1 or 2 arguments");
    expect_error("http { server { listen 1; } }",
                 "test:1:17: invalid number of arguments in \"listen\" directive",
                 "it takes 2 to 4 arguments");
}

Test(conf, a_forgotten_semicolon)
{
    expect_error("http {\n  size 8k\n  timeout 5s;\n}",
                 "test:2:3: invalid number of arguments in \"size\" directive",
                 "is \";\" missing at the end of line 2?");
}

Test(conf, braces_and_semicolons)
{
    expect_error("http;", "test:1:1: directive \"http\" has no opening \"{\"", "it takes a block { }");
    expect_error("http { gzip on { } }", "test:1:8: directive \"gzip\" is not terminated by \";\"",
                 "it takes no block { }");
}

Test(conf, duplicates)
{
    expect_error("http { size 8k;\n size 9k; }", "test:2:2: \"size\" directive is duplicate",
                 "the first is at test:1:8");
    expect_error("http { }\nhttp { }", "test:2:1: \"http\" directive is duplicate",
                 "the first is at test:1:1");
    load_good("http { size 8k; server { size 8k; } }");
}

Test(conf, values_out_of_bounds)
{
    expect_error("worker_connections 0;",
                 "test:1:20: worker_connections must be between 1 and 1048576, got 0", NULL);
    expect_error("worker_connections 1048577;",
                 "test:1:20: worker_connections must be between 1 and 1048576, got 1048577", NULL);
    expect_error("http { timeout 99ms; }",
                 "test:1:16: timeout must be between 100ms and 1h, got 99ms", NULL);
    expect_error("http { timeout 61m; }",
                 "test:1:16: timeout must be between 100ms and 1h, got 61m", NULL);
    expect_error("http { size 1; }", "test:1:13: size must be at least 1k, got 1", NULL);
}

Test(conf, values_of_the_wrong_type)
{
    expect_error("worker_connections many;",
                 "test:1:20: worker_connections: \"many\" is not a number",
                 "a whole number, for example 42");
    expect_error("http { timeout 10x; }", "test:1:16: timeout: \"10x\" is not a duration",
                 "for example 500ms, 60s, 5m");
    expect_error("http { size big; }", "test:1:13: size: \"big\" is not a size",
                 "for example 512, 8k, 1m, 2g");
    expect_error("http { gzip yes; }",
                 "test:1:13: invalid value \"yes\" in \"gzip\" directive, it must be \"on\" or \"off\"",
                 NULL);
    expect_error("http { color grene; }", "test:1:14: invalid value \"grene\" in \"color\" directive",
                 "did you mean \"green\"?");
    expect_error("http { colors red purple; }",
                 "test:1:19: invalid value \"purple\" in \"colors\" directive",
                 "possible: red, green, blue");
}

Test(conf, checks_across_fields)
{
    expect_error("http { server { name forbidden; } }", "test:1:22: this name is forbidden", NULL);
}

Test(conf, a_struct_with_a_mistake_is_not_checked)
{
    expect_error("http { name forbidden; size x; }", "test:1:29: size: \"x\" is not a size",
                 "for example 512, 8k, 1m, 2g");
}

Test(conf, raw_blocks_are_left_to_their_owner)
{
    load_good("http { types { whatever x y { z; } } }");
}

Test(conf, a_refusal_without_a_reason_fails_the_load)
{
    load("refused;");
    cr_expect_eq(diag_errors(cf.diag), 1);
}

Test(conf, goes_on_after_each_error)
{
    load("worker_connections 0; gzip on; http { foo; size x; server { timeout 1; bar; }"
         "server { location / { baz; } } color pink; gzip on; gzip on; }");
    cr_expect_eq(diag_errors(cf.diag), 8, STR_FMT, STR_ARG(said()));
}

Test(conf, warnings_do_not_fail)
{
    load_good("worker_connections 5;");
    conf_warn(&cf, cf.scope->node->children, 1, "so", "odd %d", 5);
    cr_expect_eq(diag_errors(cf.diag), 0);
    cr_expect(str_eq(said(), STR("test:1:20: warning: odd 5\n    worker_connections 5;\n"
                                 "                       ^ so\n")), STR_FMT, STR_ARG(said()));
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
    cf.modules = wrong_list;
    load("");
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
