/*
 * types: media types by the extension of the URI (types, default_type).
 */
#ifndef MODULES_SITE_TYPES_H
#define MODULES_SITE_TYPES_H

#include "http/request.h"

/* The type for the request's URI; p NULL when default_type is empty. */
str_t types_of(const request_t *r);

/* A reply's type that is a handler's guess gives way to what the extension says. */
void types_settle(request_t *r);

/* What stands behind the last "." of the last segment of the URI; empty: nothing. ".x" has none. */
str_t types_extension(str_t uri);

#endif
