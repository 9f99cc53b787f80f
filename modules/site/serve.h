/* serve: a file as the reply. */
#ifndef MODULES_SITE_SERVE_H
#define MODULES_SITE_SERVE_H

#include "modules/site/static.h"

/* Answers with the file. A verdict for what it is not. Suspends. */
verdict_t serve_path(request_t *r, const path_t *path);

#endif
