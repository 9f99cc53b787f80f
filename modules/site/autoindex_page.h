/*
 * autoindex_page: the listing of a directory as text, in the layout of nginx. Pure.
 */
#ifndef MODULES_SITE_AUTOINDEX_PAGE_H
#define MODULES_SITE_AUTOINDEX_PAGE_H

#include <time.h>

#include "core/base/vec.h"

typedef struct autoindex_entry {
    str_t name;
    uint64_t size;
    time_t mtime;
    bool directory, regular;
} autoindex_entry_t;

typedef VEC(autoindex_entry_t) autoindex_entries_t;

typedef struct autoindex_style {
    bool exact_size, local_time;
} autoindex_style_t;

/* Directories first, then by name. */
void autoindex_page_sort(autoindex_entries_t *entries);

/* uri is that of the directory. */
str_t autoindex_page_html(pool_t *pool, str_t uri, const autoindex_entries_t *entries,
                          autoindex_style_t style);
str_t autoindex_page_json(pool_t *pool, const autoindex_entries_t *entries);

#endif
