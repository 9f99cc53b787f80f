#include "core/config/conf_set.h"

#include "core/config/conf.h"

bool conf_set_flag(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    str_t text = node->words[1].text;
    if (!value_flag(text, CONF_AT(row, module_struct, bool))) return true;
    return conf_error(cf, node, 1, NULL,
                      "invalid value \"" STR_FMT
                      "\" in \"%s\" directive, it must be \"on\" or \"off\"",
                      STR_ARG(text), row->name);
}

bool conf_set_number(conf_t *cf, const conf_row_t *row, void *module_struct,
                     const tree_node_t *node)
{
    return conf_number(cf, node, 1, node->words[1].text, row->min, row->max,
                       CONF_AT(row, module_struct, unsigned));
}

bool conf_set_size(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    return conf_size(cf, node, 1, node->words[1].text, row->min, row->max,
                     CONF_AT(row, module_struct, size_t));
}

bool conf_set_msec(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    msec_t v;
    if (!conf_msec(cf, node, 1, node->words[1].text, &v)) return false;
    if (!conf_bounds(cf, node, 1, v, row->min, row->max, value_show_msec)) return false;
    *CONF_AT(row, module_struct, msec_t) = v;
    return true;
}

bool conf_set_str(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    (void)cf;
    *CONF_AT(row, module_struct, str_t) = node->words[1].text;
    return true;
}

bool conf_set_path(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    *CONF_AT(row, module_struct, str_t) = conf_full_path(cf, node->words[1].text, false);
    return true;
}

/* "did you mean "x"?", or all that is possible. */
static const char *names_hint(conf_t *cf, const conf_name_t *names, str_t text)
{
    VEC(const char *) known = {0};
    for (; names->name; names++) *VEC_PUSH(cf->pool, &known) = names->name;
    *VEC_PUSH(cf->pool, &known) = NULL;
    const char *near = conf_nearest(text, known.v);
    if (near) return pool_printf(cf->pool, "did you mean \"%s\"?", near).p;
    str_t all = STR("possible:");
    for (uint32_t i = 0; known.v[i]; i++)
        all = pool_printf(cf->pool, STR_FMT "%s %s", STR_ARG(all), i ? "," : "", known.v[i]);
    return all.p;
}

static bool name_value(conf_t *cf, const conf_row_t *row, const tree_node_t *node, unsigned word,
                       unsigned *out)
{
    str_t text = node->words[word].text;
    for (const conf_name_t *n = row->names; n->name; n++) {
        if (!str_eq(text, str_of(n->name))) continue;
        *out = n->value;
        return true;
    }
    return conf_error(cf, node, word, names_hint(cf, row->names, text),
                      "invalid value \"" STR_FMT "\" in \"%s\" directive", STR_ARG(text),
                      row->name);
}

bool conf_set_enum(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    return name_value(cf, row, node, 1, CONF_AT(row, module_struct, unsigned));
}

bool conf_set_mask(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    unsigned mask = 0;
    bool ok = true;
    for (unsigned i = 1; i < node->n; i++) {
        unsigned bits = 0;
        ok = name_value(cf, row, node, i, &bits) && ok;
        mask |= bits;
    }
    *CONF_AT(row, module_struct, unsigned) = mask;
    return ok;
}

bool conf_set_strs(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node)
{
    conf_strs_t *strs = CONF_AT(row, module_struct, conf_strs_t);
    for (unsigned i = 1; i < node->n; i++) *VEC_PUSH(cf->pool, strs) = node->words[i].text;
    return true;
}
