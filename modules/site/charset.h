/* charset: the character set that Content-Type names. */
#ifndef MODULES_SITE_CHARSET_H
#define MODULES_SITE_CHARSET_H

#include "http/request.h"

/* type with "; charset=..." where the configuration of the request asks for it. */
str_t charset_named(request_t *r, str_t type);

#endif
