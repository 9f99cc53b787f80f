/*
 * variant: files that stand compressed beside the plain one: gzip_static, brotli_static,
 * zstd_static.
 *
 * Each is a representation of its own, with its own validators and ranges. May block on the disk;
 * nothing suspends.
 */
#ifndef MODULES_SITE_VARIANT_H
#define MODULES_SITE_VARIANT_H

#include "http/negotiate.h"
#include "modules/site/static.h"

typedef struct variant {
    coding_t coding; /* CODING_IDENTITY: the plain file is the one */
    bool varies;     /* another client may get another one */
} variant_t;

/*
 * Which of the files beside path this client is to have; *out is then open and the caller's to
 * close. Vary, Content-Encoding and what they depend on are for the caller to say.
 */
variant_t variant_open(request_t *r, const path_t *path, file_t *out);

#endif
