/*
 * rewrite: the directives rewrite, return, set, if and break of servers and locations.
 *
 * They run in the order in which they are written: those of a server before the location is found,
 * those of a location after. Each server and location that has any gets a list of steps
 * (rewrite_ops.h), to which its if blocks add theirs.
 */
#include "modules/site/rewrite_ops.h"

#include "http/http.h"
#include "http/request.h"

typedef struct rewrite_conf {
    bool log;               /* rewrite_log */
    bool warn_unset;        /* uninitialized_variable_warn */
    rewrite_ops_t *steps;   /* may be those of an enclosing block: see steps_of */
} rewrite_conf_t;

static unsigned rewrite_index;

/* --- the list of steps --- */

/* The steps of the block being read; those of an if block belong to the block around it. */
static rewrite_ops_t *steps_of(conf_t *cf, rewrite_conf_t *c)
{
    bool inside_if = cf->scope->context & (CONF_SERVER_IF | CONF_LOCATION_IF);
    if (!inside_if && (!c->steps || c->steps->conf != cf->scope->structs)) {
        c->steps = POOL_NEW(cf->pool, rewrite_ops_t);
        c->steps->conf = cf->scope->structs;
    }
    return c->steps;
}

static void add(conf_t *cf, void *conf, rewrite_op_t op)
{
    *VEC_PUSH(cf->pool, &steps_of(cf, conf)->ops) = op;
}

/* --- set, break --- */

/* The value of a variable that only `set` knows, where no `set` has run. */
static str_t get_unset(request_t *r, void *name)
{
    const rewrite_conf_t *c = request_conf(r, rewrite_index);
    if (c->warn_unset)
        LOG(&r->log, LOG_WARNING, 0, "using uninitialized \"" STR_FMT "\" variable",
            STR_ARG(*(const str_t *)name));
    return STR("");
}

static bool set_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    rewrite_op_t op = {.kind = REWRITE_OP_SET};
    int index = var_define_word(cf, node, 1);
    if (index < 0 || !text_compile(cf, node, 2, node->words[2].text, &op.set.value)) return false;
    var_t *var = var_at(http_conf_read(cf)->vars, (unsigned)index);
    if (!var->get && !var->def) {
        var->get = get_unset;
        var->data = pool_memdup(cf->pool, &var->name, sizeof(var->name));
    }
    op.set.var = (unsigned)index;
    add(cf, conf, op);
    return true;
}

static bool set_break(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)node;
    add(cf, conf, (rewrite_op_t){.kind = REWRITE_OP_STOP});
    return true;
}

/* --- rewrite --- */

static bool set_flag(conf_t *cf, const tree_node_t *node, rewrite_rule_t *rule)
{
    str_t flag = node->n > 3 ? node->words[3].text : STR("");
    if (str_eq(flag, STR("last"))) rule->flag = REWRITE_LAST;
    else if (str_eq(flag, STR("break"))) rule->flag = REWRITE_BREAK;
    else if (str_eq(flag, STR("redirect"))) rule->redirect = 302;
    else if (str_eq(flag, STR("permanent"))) rule->redirect = 301;
    else if (node->n > 3)
        return conf_error(cf, node, 3, "one of last, break, redirect, permanent",
                          "invalid parameter \"" STR_FMT "\"", STR_ARG(flag));
    return true;
}

static bool is_url(str_t s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://")) ||
           str_starts(s, STR("$scheme"));
}

static bool set_replacement(conf_t *cf, const tree_node_t *node, rewrite_rule_t *rule)
{
    str_t s = node->words[2].text;
    rule->drop_args = str_ends(s, STR("?"));
    s.n -= rule->drop_args;
    size_t mark = str_find(s, 0, '?');
    if (mark < s.n && !text_compile(cf, node, 2, str_sub(s, mark + 1, s.n), &rule->args))
        return false;
    return text_compile(cf, node, 2, str_sub(s, 0, mark), &rule->path);
}

static bool set_rewrite(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    rewrite_rule_t *rule = POOL_NEW(cf->pool, rewrite_rule_t);
    if (is_url(node->words[2].text)) rule->redirect = 302;
    if (!pattern_compile(cf, node, 1, node->words[1].text, false, &rule->pattern)) return false;
    if (!set_replacement(cf, node, rule) || !set_flag(cf, node, rule)) return false;
    add(cf, conf, (rewrite_op_t){.kind = REWRITE_OP_RULE, .rule = rule});
    return true;
}

/* --- return --- */

static bool set_return(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    rewrite_op_t op = {.kind = REWRITE_OP_RETURN, .reply = {.status = 302}};
    uint64_t status;
    bool url_only = node->n == 2 && is_url(node->words[1].text);
    if (!url_only) {
        if (!str_to_u64(node->words[1].text, &status) || status < 100 || status > 999)
            return conf_error(cf, node, 1, "a status, or a URL with http:// or https://",
                              "invalid return code \"" STR_FMT "\"", STR_ARG(node->words[1].text));
        op.reply.status = (int)status;
    }
    unsigned text = url_only ? 1 : 2;
    if (text < node->n && !text_compile(cf, node, text, node->words[text].text, &op.reply.text))
        return false;
    add(cf, conf, op);
    return true;
}

/* --- if --- */

/* The words between the parentheses, which may stand alone or at one with a word. */
typedef struct condition {
    str_t words[3];
    unsigned at[3]; /* their places among the words of the directive */
    unsigned n;
} condition_t;

static bool say_invalid(conf_t *cf, const tree_node_t *node, unsigned word)
{
    return conf_error(cf, node, word, "for example ($x), ($x = a), ($x ~ regex), (-f $x)",
                      "invalid condition \"" STR_FMT "\"", STR_ARG(node->words[word].text));
}

static bool take_words(conf_t *cf, const tree_node_t *node, condition_t *c)
{
    unsigned last = node->n - 1;
    if (!str_starts(node->words[1].text, STR("("))) return say_invalid(cf, node, 1);
    if (!str_ends(node->words[last].text, STR(")"))) return say_invalid(cf, node, last);
    for (unsigned i = 1; i <= last; i++) {
        str_t word = node->words[i].text;
        if (i == 1) word = str_sub(word, 1, word.n);
        if (i == last && word.n) word.n--;
        if ((i == 1 || i == last) && word.n == 0) continue;
        if (c->n == 3) return say_invalid(cf, node, i);
        c->at[c->n] = i;
        c->words[c->n++] = word;
    }
    return c->n || say_invalid(cf, node, 1);
}

static bool parse_file_test(conf_t *cf, const tree_node_t *node, const condition_t *c,
                            rewrite_if_t *t)
{
    static const struct {
        str_t name;
        rewrite_test_t test;
    } tests[] = {{STR_INIT("-f"), REWRITE_FILE}, {STR_INIT("-d"), REWRITE_DIR},
                 {STR_INIT("-e"), REWRITE_EXISTS}, {STR_INIT("-x"), REWRITE_EXEC}};
    str_t word = c->words[0];
    t->negate = str_starts(word, STR("!"));
    word = str_sub(word, t->negate, word.n);
    for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        if (!str_eq(word, tests[i].name)) continue;
        t->test = tests[i].test;
        return text_compile(cf, node, c->at[1], c->words[1], &t->left);
    }
    return say_invalid(cf, node, c->at[0]);
}

static bool parse_comparison(conf_t *cf, const tree_node_t *node, const condition_t *c,
                             rewrite_if_t *t)
{
    str_t op = c->words[1];
    t->negate = str_starts(op, STR("!"));
    op = str_sub(op, t->negate, op.n);
    bool regex = str_eq(op, STR("~")), folded = str_eq(op, STR("~*"));
    if (!regex && !folded && !str_eq(op, STR("=")))
        return conf_error(cf, node, c->at[1], "one of = != ~ ~* !~ !~*",
                          "unexpected \"" STR_FMT "\" in condition", STR_ARG(c->words[1]));
    t->test = regex || folded ? REWRITE_MATCH : REWRITE_EQUAL;
    if (!text_compile(cf, node, c->at[0], c->words[0], &t->left)) return false;
    if (t->test == REWRITE_EQUAL) return text_compile(cf, node, c->at[2], c->words[2], &t->right);
    return pattern_compile(cf, node, c->at[2], c->words[2], folded, &t->pattern);
}

static bool parse_condition(conf_t *cf, const tree_node_t *node, rewrite_if_t *t)
{
    condition_t c = {.n = 0};
    if (!take_words(cf, node, &c)) return false;
    if (c.n == 2) return parse_file_test(cf, node, &c, t);
    if (!str_starts(c.words[0], STR("$"))) return say_invalid(cf, node, c.at[0]);
    if (c.n == 3) return parse_comparison(cf, node, &c, t);
    return text_compile(cf, node, c.at[0], c.words[0], &t->left);
}

static bool set_if(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    rewrite_if_t *test = POOL_NEW(cf->pool, rewrite_if_t);
    unsigned context = cf->scope->context & CONF_SERVER ? CONF_SERVER_IF : CONF_LOCATION_IF;
    bool ok = parse_condition(cf, node, test);
    add(cf, conf, (rewrite_op_t){.kind = REWRITE_OP_IF, .test = test});
    conf_scope_t *scope = conf_block(cf, node, context, true);
    if (!ok || !scope) return false;
    test->conf = scope->structs;
    test->after = steps_of(cf, conf)->ops.n;
    return true;
}

/* --- in a request --- */

/* A block without steps of its own may share the struct of one that has some. */
static verdict_t run(request_t *r, void *const *block)
{
    const rewrite_conf_t *c = request_conf(r, rewrite_index);
    if (!c->steps || c->steps->conf != block) return VERDICT(NEXT);
    return rewrite_ops_run(c->steps, r, c->log);
}

static verdict_t run_server(request_t *r)
{
    return run(r, r->server->conf);
}

static verdict_t run_location(request_t *r)
{
    /* Not with the structs of limit_except: an "if" would put its own in their place. */
    bool own = r->location && r->conf == r->location->conf;
    return own ? run(r, r->location->conf) : VERDICT(NEXT);
}

static const http_hooks_t hooks = {
    .phase = {[PHASE_SERVER_REWRITE] = run_server, [PHASE_REWRITE] = run_location},
};

enum {
    STEP = CONF_SERVER | CONF_LOCATION | CONF_SERVER_IF | CONF_LOCATION_IF,
    EVERY = STEP | CONF_HTTP,
    ORDERED = CONF_MANY | CONF_ORDERED,
};

static const conf_row_t rows[] = {
    CONF_CUSTOM("rewrite", STEP, ORDERED, 2, 3, set_rewrite, CONF_NO_FIELD, NULL,
                "changes the URI when it matches: rewrite REGEX REPLACEMENT [FLAG]"),
    CONF_CUSTOM("return", STEP, ORDERED, 1, 2, set_return, CONF_NO_FIELD, NULL,
                "answers at once: return CODE [TEXT | URL], or return URL"),
    CONF_CUSTOM("set", STEP, ORDERED, 2, 2, set_set, CONF_NO_FIELD, NULL,
                "gives a variable a value: set $NAME VALUE"),
    CONF_CUSTOM("break", STEP, ORDERED, 0, 0, set_break, CONF_NO_FIELD, NULL,
                "ends the rewriting of this block"),
    CONF_CUSTOM("if", CONF_SERVER | CONF_LOCATION, ORDERED | CONF_BLOCK, 1, 5, set_if,
                CONF_NO_FIELD, NULL, "what holds only under a condition: if (CONDITION) { ... }"),
    CONF_FLAG("rewrite_log", EVERY, rewrite_conf_t, log, "off",
              "logs what rewriting does at level notice"),
    CONF_FLAG("uninitialized_variable_warn", EVERY, rewrite_conf_t, warn_unset, "on",
              "warns of variables used before they were set"),
    CONF_END,
};

const module_t rewrite_module = {
    .name = "rewrite",
    .index = &rewrite_index,
    .rows = rows,
    .conf_size = sizeof(rewrite_conf_t),
    .hooks = &hooks,
};
