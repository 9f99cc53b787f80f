/* index: the file that stands for a directory. */
#ifndef MODULES_SITE_INDEX_H
#define MODULES_SITE_INDEX_H

#include "modules/site/static.h"

/* Sends the client to a file of `index` that is there. NEXT: there is none. */
verdict_t index_find(request_t *r);

#endif
