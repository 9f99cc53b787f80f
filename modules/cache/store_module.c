/* store_module: proxy_cache_path: the stores of a configuration, and the processes that use them.
   */
#include "core/process/core_conf.h"
#include "core/process/generation.h"
#include "http/hooks.h"
#include "modules/cache/store_command.h"
#include "modules/cache/store_manager.h"
#include "modules/cache/store_setup.h"

enum { ROWS_LEAST = 16, ROWS_PER_WORKER = 4, ROWS_MOST = 4096 };

struct store_list { /* of an http block */
    store_t *first;
};

typedef struct store_conf {
    store_list_t *list; /* the same in every scope; NULL: there is no http block */
} store_conf_t;

static unsigned store_module_index;

/* --- stores by name --- */

static store_list_t *list_of(const conf_t *cf)
{
    return ((const store_conf_t *)conf_get(cf->scope, &store_module))->list;
}

static store_t *add(store_list_t *list, pool_t *pool, str_t name)
{
    store_t *s = store_among(list, name), **end = &list->first;
    if (s) return s;
    while (*end) end = &(*end)->next;
    *end = POOL_NEW(pool, store_t);
    (*end)->options.name = pool_str(pool, name);
    return *end;
}

store_t *store_named(conf_t *cf, const tree_node_t *node, str_t name)
{
    store_t *s = add(list_of(cf), cf->pool, name);
    if (!s->node) s->node = node;
    return s;
}

const store_list_t *store_list(const conf_t *cf)
{
    return list_of(cf);
}

store_t *store_among(const store_list_t *list, str_t name)
{
    store_t *s = list->first;
    while (s && !str_eq(s->options.name, name)) s = s->next;
    return s;
}

store_t *store_first(const void *main_struct)
{
    const store_list_t *list = ((const store_conf_t *)main_struct)->list;
    return list ? list->first : NULL;
}

/* --- proxy_cache_path --- */

typedef struct word { /* of the directive */
    conf_t *cf;
    const tree_node_t *node;
    unsigned i;
} word_t;

static bool set_levels(const word_t *w, str_t value, store_options_t *o)
{
    str_t rest = value, level;
    unsigned n = 0;
    while (n < STORE_FILE_LEVELS && str_cut(&rest, ':', &level)) {
        bool good = level.n == 1 && (level.p[0] == '1' || level.p[0] == '2');
        if (!good) break;
        o->levels[n++] = (uint8_t)(level.p[0] - '0');
        if (rest.n == 0 && !str_ends(value, STR(":"))) return true;
    }
    return conf_error(w->cf, w->node, w->i, "for example levels=1:2",
                      "invalid \"levels\" \"" STR_FMT "\"", STR_ARG(value));
}

static bool set_zone(const word_t *w, str_t value, store_options_t *o)
{
    size_t colon = str_find(value, 0, ':');
    o->name = str_sub(value, 0, colon);
    if (colon == 0 || colon == value.n)
        return conf_error(w->cf, w->node, w->i, "for example keys_zone=pages:10m",
                          "invalid keys zone \"" STR_FMT "\"", STR_ARG(value));
    return conf_size(w->cf, w->node, w->i, str_sub(value, colon + 1, value.n), 128 * 1024, 0,
                     &o->keys_size);
}

static bool set_bytes(const word_t *w, str_t value, uint64_t *out)
{
    size_t n;
    if (!conf_size(w->cf, w->node, w->i, value, 0, 0, &n)) return false;
    *out = n;
    return true;
}

static bool set_memory(const word_t *w, str_t value, store_options_t *o)
{
    enum { LEAST = 1024 * 1024 };
    if (!conf_size(w->cf, w->node, w->i, value, 0, 0, &o->memory_size)) return false;
    if (o->memory_size == 0 || o->memory_size >= LEAST) return true;
    return conf_error(w->cf, w->node, w->i, "memory=0 keeps nothing in memory",
                      "\"memory\" must be at least 1m");
}

/* Files lie in the cache's own directory from the start, so that they can always be renamed. */
static bool set_temp(const word_t *w, str_t value)
{
    bool on;
    if (!value_flag(value, &on)) return true;
    return conf_error(w->cf, w->node, w->i, "use_temp_path=off",
                      "invalid \"use_temp_path\" \"" STR_FMT "\"", STR_ARG(value));
}

static bool set_pace(const word_t *w, str_t text, store_options_t *o, bool *known)
{
    str_t value;
    conf_t *cf = w->cf;
    *known = true;
    if (value_keyed(text, "manager_files", &value))
        return conf_number(cf, w->node, w->i, value, 1, 0, &o->manager_files);
    if (value_keyed(text, "loader_files", &value))
        return conf_number(cf, w->node, w->i, value, 1, 0, &o->loader_files);
    if (value_keyed(text, "manager_sleep", &value))
        return conf_msec(cf, w->node, w->i, value, &o->manager_sleep);
    if (value_keyed(text, "manager_threshold", &value))
        return conf_msec(cf, w->node, w->i, value, &o->manager_threshold);
    if (value_keyed(text, "loader_sleep", &value))
        return conf_msec(cf, w->node, w->i, value, &o->loader_sleep);
    if (value_keyed(text, "loader_threshold", &value))
        return conf_msec(cf, w->node, w->i, value, &o->loader_threshold);
    *known = false;
    return false;
}

static bool set_parameter(const word_t *w, store_options_t *o)
{
    str_t text = w->node->words[w->i].text, value;
    bool known, good = set_pace(w, text, o, &known);
    if (known) return good;
    if (value_keyed(text, "levels", &value)) return set_levels(w, value, o);
    if (value_keyed(text, "keys_zone", &value)) return set_zone(w, value, o);
    if (value_keyed(text, "memory", &value)) return set_memory(w, value, o);
    if (value_keyed(text, "use_temp_path", &value)) return set_temp(w, value);
    if (value_keyed(text, "max_size", &value)) return set_bytes(w, value, &o->max_size);
    if (value_keyed(text, "min_free", &value)) return set_bytes(w, value, &o->min_free);
    if (value_keyed(text, "inactive", &value))
        return conf_msec(w->cf, w->node, w->i, value, &o->inactive);
    return conf_error(w->cf, w->node, w->i,
                      "levels= keys_zone= memory= inactive= max_size= min_free= use_temp_path= "
                      "manager_files= loader_files= and their like",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

/* As many processes as there may be while configurations change. */
static unsigned rows_of(const conf_t *cf)
{
    const core_conf_t *core = conf_get(cf->scope, &core_module);
    unsigned n = ROWS_LEAST;
    while (n < ROWS_MOST && n < (core->worker_processes + 1) * ROWS_PER_WORKER) n *= 2;
    return n;
}

static store_options_t defaults(const conf_t *cf)
{
    return (store_options_t){.inactive = 600000,
                             .memory_size = (size_t)64 << 20,
                             .manager_files = 100,
                             .manager_sleep = 50,
                             .manager_threshold = 200,
                             .loader_files = 10000,
                             .loader_sleep = 50,
                             .loader_threshold = 200,
                             .rows = rows_of(cf)};
}

static bool declare(conf_t *cf, const tree_node_t *node, const store_options_t *o)
{
    const char *why;
    store_t *s = add(list_of(cf), cf->pool, o->name);
    if (s->declared)
        return conf_error(cf, node, 0, "give each a name of its own",
                          "the cache zone \"" STR_FMT "\" is declared twice", STR_ARG(o->name));
    for (const store_t *other = list_of(cf)->first; other; other = other->next)
        if (other->declared && str_eq(other->options.path, o->path))
            return conf_error(cf, node, 1, "give each a directory of its own",
                              "the cache directory \"" STR_FMT "\" is used twice",
                              STR_ARG(o->path));
    s->options = *o;
    s->declared = true;
    tempdir_want(&generation_of(cf)->tempdirs, o->path);
    if (store_setup_want(&generation_of(cf)->zones, s, &why)) return true;
    return conf_error(cf, node, 1, NULL, "%s", why);
}

static bool set_path(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    store_options_t o = defaults(cf);
    o.path = pool_str(cf->pool, conf_full_path(cf, node->words[1].text, false));
    while (o.path.n > 1 && o.path.p[o.path.n - 1] == '/') o.path.n--;
    o.path = pool_str(cf->pool, o.path);
    for (unsigned i = 2; i < node->n; i++) {
        word_t w = {cf, node, i};
        if (!set_parameter(&w, &o)) return false;
    }
    if (o.name.n) return declare(cf, node, &o);
    return conf_error(cf, node, 0, "for example keys_zone=pages:10m",
                      "\"proxy_cache_path\" must have \"keys_zone\" parameter");
}

/* --- processes --- */

static void enter_all(const store_list_t *list)
{
    for (store_t *s = list ? list->first : NULL; s; s = s->next)
        if (!s->entered) store_setup_enter(s); /* or it does nothing, which has been said */
}

static int start_worker(const void *main_struct)
{
    enter_all(((const store_conf_t *)main_struct)->list);
    return 0;
}

static void stop_worker(const void *main_struct)
{
    for (store_t *s = store_first(main_struct); s; s = s->next) store_setup_leave(s);
}

static int start_manager(void *arg)
{
    const store_list_t *list = arg;
    enter_all(list);
    for (store_t *s = list->first; s; s = s->next)
        if (s->entered && store_manager_start(s) != 0) return -1;
    return 0;
}

static void stop_manager(void *arg)
{
    (void)arg;
    store_manager_stop();
}

/* --- the module --- */

static bool begin(conf_t *cf, const tree_node_t *http)
{
    (void)http;
    store_conf_t *c = conf_own(cf, &store_module);
    c->list = POOL_NEW(cf->pool, store_list_t);
    return true;
}

static bool finish(conf_t *cf)
{
    store_list_t *list = list_of(cf);
    bool good = true;
    for (const store_t *s = list->first; s; s = s->next)
        if (!s->declared)
            good = conf_error(cf, s->node, 1, "proxy_cache_path PATH keys_zone=NAME:10m; in http",
                              "\"" STR_FMT "\" zone \"" STR_FMT "\" is unknown",
                              STR_ARG(s->node->words[0].text), STR_ARG(s->options.name));
    helper_t helper = {.name = "cache manager process",
                       .start = start_manager,
                       .stop = stop_manager,
                       .arg = list};
    if (good && list->first) helper_want(&generation_of(cf)->helpers, &helper);
    return good;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("proxy_cache_path", CONF_HTTP, CONF_MANY, 2, UINT_MAX, set_path, CONF_NO_FIELD,
                NULL,
                "a cache: its directory, keys_zone=NAME:SIZE of the index, levels=, memory= for "
                "hot objects, max_size=, min_free=, inactive="),
    CONF_END,
};

static const http_hooks_t hooks = {.begin = begin, .finish = finish};

const module_t store_module = {
    .name = "cache_path",
    .index = &store_module_index,
    .rows = rows,
    .conf_size = sizeof(store_conf_t),
    .worker_start = start_worker,
    .worker_stop = stop_worker,
    .commands = store_commands,
    .sections = store_sections,
    .hooks = &hooks,
};
