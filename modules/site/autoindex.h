/* autoindex: the listing of a directory. */
#ifndef MODULES_SITE_AUTOINDEX_H
#define MODULES_SITE_AUTOINDEX_H

#include "modules/site/static.h"

/* Lists the directory. NEXT: autoindex is off. Suspends. */
verdict_t autoindex_list(request_t *r);

#endif
