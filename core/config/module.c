#include "core/config/module.h"

#include "core/base/panic.h"

static void check_row(const module_t *m, const conf_row_t *row)
{
    ASSERT(row->set && row->contexts && row->help);
    ASSERT(row->min_args <= row->max_args);
    ASSERT(row->offset + row->size <= m->conf_size);
    ASSERT(!(row->flags & CONF_RAW) || (row->flags & CONF_BLOCK));
    ASSERT(!(row->flags & CONF_BLOCK) || !row->fallback);
}

static const char *context_names[32] = {"main", "events"};

static void name_contexts(const module_t *m)
{
    for (const conf_name_t *c = m->contexts; c && c->name; c++)
        context_names[__builtin_ctz(c->value)] = c->name;
}

str_t module_context_names(pool_t *pool, unsigned contexts)
{
    str_t all = STR("");
    for (unsigned i = 0; i < 32; i++)
        if (contexts & (1u << i) && context_names[i])
            all = pool_printf(pool, STR_FMT "%s%s", STR_ARG(all), all.n ? ", " : "",
                              context_names[i]);
    return all;
}

unsigned modules_init(const module_t *const *list)
{
    unsigned n = 0;
    for (; list[n]; n++) {
        *list[n]->index = n;
        name_contexts(list[n]);
        for (const conf_row_t *row = list[n]->rows; row && row->name; row++)
            check_row(list[n], row);
    }
    return n;
}
