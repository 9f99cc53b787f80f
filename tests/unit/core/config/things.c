#include "tests/unit/core/config/things.h"

#include <criterion/criterion.h>
#include <unistd.h>

static unsigned things_index, blocks_index;

pool_t *things_pool;
conf_t things_conf;
things_scopes_t things_scopes;
bool things_keep_local;

static bool read_as(conf_t *cf, const tree_node_t *node, unsigned context)
{
    conf_scope_t *scope = conf_block(cf, node, context, things_keep_local);
    if (!scope) return false;
    *VEC_PUSH(cf->pool, &things_scopes) = scope;
    return true;
}

static bool set_http(conf_t *cf, const conf_row_t *row, void *module_struct,
                     const tree_node_t *node)
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

const module_t things_module = {
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

static const conf_name_t contexts[] = {
    {"http", HTTP}, {"server", SERVER}, {"location", LOCATION}, {NULL, 0}};

const module_t blocks_module = {
    .name = "blocks",
    .index = &blocks_index,
    .rows = blocks_rows,
    .contexts = contexts,
    .conf_size = sizeof(blocks_t),
};

static const module_t *const list[] = {&things_module, &blocks_module, NULL};

void things_setup(void)
{
    things_pool = pool_create();
    things_conf = (conf_t){
        .modules = list, .pool = things_pool, .prefix = STR("/pre/"), .conf_dir = STR("/etc/")};
    memset(&things_scopes, 0, sizeof(things_scopes));
    things_keep_local = false;
    cr_assert_eq(modules_init(list), 2);
}

void things_teardown(void)
{
    pool_destroy(things_pool);
}

const conf_scope_t *things_load(const char *text)
{
    things_scopes.n = 0;
    things_conf.diag = diag_new(things_pool);
    tree_node_t *root = tree_parse(things_pool, things_conf.diag, STR("test"), str_of(text));
    cr_assert_eq(diag_errors(things_conf.diag), 0);
    return conf_load(&things_conf, root);
}

str_t things_said(void)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    diag_print(things_conf.diag, fds[1]);
    close(fds[1]);
    char *text = pool_bytes(things_pool, 65536);
    ssize_t n = read(fds[0], text, 65536);
    close(fds[0]);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

const conf_scope_t *things_load_good(const char *text)
{
    const conf_scope_t *scope = things_load(text);
    cr_assert_eq(diag_errors(things_conf.diag), 0, "%s:\n" STR_FMT, text, STR_ARG(things_said()));
    return scope;
}

const things_t *things_of(const conf_scope_t *scope)
{
    return conf_get(scope, &things_module);
}

const things_t *things_ended(uint32_t i)
{
    cr_assert_lt(i, things_scopes.n);
    return things_of(things_scopes.v[i]);
}

/* One error: its reason, and the hint under it (NULL: none). */
void things_expect_error(const char *text, const char *reason, const char *hint)
{
    things_load(text);
    str_t all = things_said(), rest = all, line = {NULL, 0}, under = {NULL, 0};
    cr_expect_eq(diag_errors(things_conf.diag), 1, "%s:\n" STR_FMT, text, STR_ARG(all));
    str_cut(&rest, '\n', &line);
    while (str_cut(&rest, '\n', &under)) continue;
    cr_expect(str_eq(line, str_of(reason)), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(line), reason);
    str_t tail = pool_printf(things_pool, "^%s%s", hint ? " " : "", hint ? hint : "");
    cr_expect(str_ends(under, tail), "%s\n  got      " STR_FMT "\n  expected %s", text,
              STR_ARG(under), hint);
}
