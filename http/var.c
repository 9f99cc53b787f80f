#include "http/var.h"

#include "core/base/hash.h"
#include "core/base/panic.h"
#include "http/http.h"
#include "http/request.h"

enum { DEPTH_MAX = 32 };

enum { UNKNOWN, KNOWN, ASKING };

struct var_set {
    pool_t *pool;
    hash_map_t defs;              /* const var_def_t by name, those of prefixes not */
    VEC(const var_def_t *) prefixes;
    hash_map_t indices;           /* name to (void *)(index + 1) */
    VEC(var_t) vars;
};

/* --- while the configuration is read --- */

static void add_def(var_set_t *set, const var_def_t *def)
{
    if (def->flags & VAR_PREFIX) {
        *VEC_PUSH(set->pool, &set->prefixes) = def;
        return;
    }
    const void *before = hash_map_set(&set->defs, str_of(def->name), (void *)(uintptr_t)def);
    ASSERT(!before);
}

var_set_t *var_set_new(pool_t *pool, const module_t *const *list)
{
    var_set_t *set = POOL_NEW(pool, var_set_t);
    set->pool = pool;
    hash_map_init(&set->defs, pool);
    hash_map_init(&set->indices, pool);
    for (; *list; list++) {
        const http_hooks_t *hooks = (*list)->hooks;
        const var_def_t *def = hooks ? hooks->variables : NULL;
        for (; def && def->name; def++) add_def(set, def);
    }
    return set;
}

/* The definition for a lower-case name, or NULL; *rest is what its getter wants to know. */
static const var_def_t *find_def(const var_set_t *set, str_t name, str_t *rest)
{
    const var_def_t *best = hash_map_get(&set->defs, name);
    *rest = name;
    if (best) return best;
    size_t longest = 0;
    VEC_EACH(const var_def_t *const, def, &set->prefixes) {
        str_t prefix = str_of((*def)->name);
        if (prefix.n <= longest || name.n == prefix.n || !str_starts(name, prefix)) continue;
        best = *def;
        longest = prefix.n;
    }
    *rest = str_sub(name, longest, name.n);
    return best;
}

static unsigned find_or_add(var_set_t *set, const tree_node_t *node, unsigned word, str_t name)
{
    name = pool_lower(set->pool, name);
    uintptr_t index = (uintptr_t)hash_map_get(&set->indices, name);
    if (index) return (unsigned)index - 1;
    var_t *var = VEC_PUSH(set->pool, &set->vars);
    *var = (var_t){.name = name, .node = node, .word = word};
    var->def = find_def(set, name, &var->rest);
    var->defined = var->def != NULL;
    var->no_cache = var->def && var->def->flags & VAR_NO_CACHE;
    hash_map_set(&set->indices, name, (void *)(uintptr_t)set->vars.n);
    return set->vars.n - 1;
}

static bool has_variables(conf_t *cf, const var_set_t *set, const tree_node_t *node, unsigned word)
{
    return set || conf_error(cf, node, word, NULL, "variables have no meaning outside of \"http\"");
}

int var_use(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name)
{
    return has_variables(cf, set, node, word) ? (int)find_or_add(set, node, word, name) : -1;
}

int var_define(conf_t *cf, var_set_t *set, const tree_node_t *node, unsigned word, str_t name)
{
    if (!has_variables(cf, set, node, word)) return -1;
    unsigned index = find_or_add(set, node, word, name);
    var_t *var = var_at(set, index);
    if (var->def && !(var->def->flags & (VAR_PREFIX | VAR_CHANGEABLE))) {
        conf_error(cf, node, word, "it is built in and cannot be changed",
                   "the duplicate \"" STR_FMT "\" variable", STR_ARG(name));
        return -1;
    }
    var->defined = true;
    return (int)index;
}

int var_define_word(conf_t *cf, const tree_node_t *node, unsigned word)
{
    str_t name = node->words[word].text;
    if (name.n > 1 && name.p[0] == '$')
        return var_define(cf, http_conf_read(cf)->vars, node, word, str_sub(name, 1, name.n));
    conf_error(cf, node, word, "a variable, for example $name",
               "invalid variable name \"" STR_FMT "\"", STR_ARG(name));
    return -1;
}

var_t *var_at(var_set_t *set, unsigned index)
{
    ASSERT(index < set->vars.n);
    return &set->vars.v[index];
}

unsigned var_count(const var_set_t *set)
{
    return set->vars.n;
}

/* "did you mean": the nearest name that is known. */
static const char *nearest(conf_t *cf, const var_set_t *set, str_t name)
{
    VEC(const char *) known = {0};
    for (size_t i = 0; set->defs.count && i <= set->defs.mask; i++) {
        const var_def_t *def = set->defs.slots[i].value;
        if (def) *VEC_PUSH(cf->pool, &known) = def->name;
    }
    VEC_EACH(const var_t, var, &set->vars)
        if (var->defined) *VEC_PUSH(cf->pool, &known) = var->name.p;
    *VEC_PUSH(cf->pool, &known) = NULL;
    const char *best = conf_nearest(name, known.v);
    return best ? pool_printf(cf->pool, "did you mean \"$%s\"?", best).p : NULL;
}

bool var_set_check(conf_t *cf, var_set_t *set)
{
    bool ok = true;
    VEC_EACH(const var_t, var, &set->vars) {
        if (var->defined) continue;
        ok = conf_error(cf, var->node, var->word, nearest(cf, set, var->name),
                        "unknown \"" STR_FMT "\" variable", STR_ARG(var->name));
    }
    return ok;
}

/* --- in a request --- */

static var_set_t *set_of(const request_t *r)
{
    return http_conf(r->conf)->vars;
}

static void make_room(request_t *r)
{
    if (r->vars_known) return;
    unsigned count = var_count(set_of(r));
    r->vars = POOL_ARRAY(r->pool, str_t, count);
    r->vars_known = POOL_ARRAY(r->pool, uint8_t, count);
}

static str_t ask(request_t *r, const var_t *var)
{
    if (var->get) return var->get(r, var->data);
    return var->def ? var->def->get(r, var->def, var->rest) : STR("");
}

static str_t refuse_cycle(request_t *r, const var_t *var)
{
    LOG(&r->log, LOG_ERR, 0, "cycle while evaluating variable \"" STR_FMT "\"", STR_ARG(var->name));
    return (str_t){NULL, 0};
}

str_t var_get(request_t *r, unsigned index)
{
    make_room(r);
    const var_t *var = var_at(set_of(r), index);
    if (r->vars_known[index] == KNOWN) return r->vars[index];
    if (r->vars_known[index] == ASKING || r->var_depth >= DEPTH_MAX) return refuse_cycle(r, var);
    r->vars_known[index] = ASKING;
    r->var_depth++;
    str_t value = ask(r, var);
    r->var_depth--;
    r->vars[index] = value;
    r->vars_known[index] = var->no_cache ? UNKNOWN : KNOWN;
    return value;
}

void var_put(request_t *r, unsigned index, str_t value)
{
    const var_t *var = var_at(set_of(r), index);
    if (var->def && var->def->flags & VAR_STORED) {
        ((var_put_fn)var->def->data)(r, value);
        return;
    }
    make_room(r);
    r->vars[index] = value;
    r->vars_known[index] = KNOWN;
}

bool var_known(const request_t *r, unsigned index)
{
    return r->vars_known && r->vars_known[index] == KNOWN;
}

str_t var_get_named(request_t *r, str_t name)
{
    const var_set_t *set = set_of(r);
    name = pool_lower(r->pool, name);
    uintptr_t index = (uintptr_t)hash_map_get(&set->indices, name);
    if (index) return var_get(r, (unsigned)index - 1);
    str_t rest;
    const var_def_t *def = find_def(set, name, &rest);
    return def ? def->get(r, def, rest) : (str_t){NULL, 0};
}
