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

unsigned modules_init(const module_t *const *list)
{
    unsigned n = 0;
    for (; list[n]; n++) {
        *list[n]->index = n;
        for (const conf_row_t *row = list[n]->rows; row && row->name; row++)
            check_row(list[n], row);
    }
    return n;
}
