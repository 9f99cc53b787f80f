/* tags: words by which an origin lets its responses be purged together: Surrogate-Key, Cache-Tag
   and xkey. Pure. */
#ifndef MODULES_CACHE_TAGS_H
#define MODULES_CACHE_TAGS_H

#include "http/header.h"

/* The tags of all these fields, slices into their values; `most` at most. How many. */
unsigned tags_find(const header_list_t *headers, str_t *tags, unsigned most);

#endif
