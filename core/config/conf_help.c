#include "core/config/conf_help.h"

#include <stdio.h>

#include "core/config/conf.h"

typedef const char *(*show_fn)(char *out, unsigned long long v);

/* The set functions whose arguments are known. */
static const struct known {
    conf_set_fn set;
    const char *arguments;
    show_fn show;
} known_sets[] = {
    {conf_set_flag, " on | off", NULL},
    {conf_set_number, " NUMBER", value_show_number},
    {conf_set_size, " SIZE", value_show_size},
    {conf_set_msec, " TIME", value_show_msec},
    {conf_set_str, " TEXT", NULL},
    {conf_set_path, " PATH", NULL},
    {conf_set_strs, " TEXT ...", NULL},
};

static const struct known *known_set(const conf_row_t *row)
{
    for (size_t i = 0; i < sizeof(known_sets) / sizeof(known_sets[0]); i++)
        if (known_sets[i].set == row->set) return &known_sets[i];
    return NULL;
}

static str_t append(pool_t *pool, str_t text, const char *more)
{
    return pool_concat(pool, text, str_of(more));
}

static str_t counted_arguments(pool_t *pool, const conf_row_t *row)
{
    str_t text = STR("");
    for (unsigned i = 0; i < row->min_args; i++) text = append(pool, text, " ARGUMENT");
    if (row->max_args == UINT_MAX)
        return append(pool, text, row->min_args ? " ..." : " [ARGUMENT ...]");
    if (row->max_args - row->min_args > 3) return append(pool, text, " [ARGUMENT ...]");
    for (unsigned i = row->min_args; i < row->max_args; i++)
        text = append(pool, text, " [ARGUMENT]");
    return text;
}

static str_t named_arguments(pool_t *pool, const conf_row_t *row)
{
    str_t text = STR("");
    for (const conf_name_t *n = row->names; n->name; n++)
        text = append(pool, append(pool, text, n == row->names ? " " : " | "), n->name);
    return row->max_args > 1 ? append(pool, text, " ...") : text;
}

str_t conf_help_syntax(pool_t *pool, const conf_row_t *row)
{
    const struct known *known = known_set(row);
    str_t arguments = known        ? str_of(known->arguments)
                      : row->names ? named_arguments(pool, row)
                                   : counted_arguments(pool, row);
    return append(pool, arguments, row->flags & CONF_BLOCK ? " { ... }" : ";");
}

str_t conf_help_bounds(pool_t *pool, const conf_row_t *row)
{
    char low[VALUE_TEXT_MAX], high[VALUE_TEXT_MAX];
    const struct known *known = known_set(row);
    if (!known || !known->show || (row->min == 0 && row->max == 0)) return STR("");
    known->show(low, row->min);
    if (row->max == 0) return pool_printf(pool, "at least %s", low);
    return pool_printf(pool, "%s to %s", low, known->show(high, row->max));
}

static void print_row(pool_t *pool, const module_t *m, const conf_row_t *row, int fd)
{
    str_t bounds = conf_help_bounds(pool, row);
    dprintf(fd, "%s" STR_FMT "\n", row->name, STR_ARG(conf_help_syntax(pool, row)));
    dprintf(fd, "    %s\n", row->help);
    if (row->fallback)
        dprintf(fd, "    Default: %s %s;\n", row->name, *row->fallback ? row->fallback : "\"\"");
    if (bounds.n) dprintf(fd, "    Range:   " STR_FMT "\n", STR_ARG(bounds));
    dprintf(fd, "    Context: " STR_FMT "\n", STR_ARG(module_context_names(pool, row->contexts)));
    if (row->flags & CONF_MANY) dprintf(fd, "    May be given several times.\n");
    dprintf(fd, "    Module:  %s\n\n", m->name);
}

bool conf_help(const module_t *const *list, str_t name, int fd)
{
    pool_t *pool = pool_create();
    bool found = false;
    for (; *list; list++)
        for (const conf_row_t *row = (*list)->rows; row && row->name; row++) {
            if (name.n && !str_eq(name, str_of(row->name))) continue;
            print_row(pool, *list, row, fd);
            found = true;
        }
    pool_destroy(pool);
    return found;
}
