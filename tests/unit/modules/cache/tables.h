/*
 * tables: what the table-driven tests of the cache's decisions share.
 *
 * Times are seconds relative to NOW, and texts of fields say "$+60" where the date of NOW + 60 is
 * to stand, so that a row reads as its RFC does.
 */
#ifndef TESTS_UNIT_MODULES_CACHE_TABLES_H
#define TESTS_UNIT_MODULES_CACHE_TABLES_H

#include <time.h>

#include "modules/cache/cache_control.h"

/* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110 5.6.7. */
#define NOW ((time_t)784111777)

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* The pool of the running test. */
extern pool_t *tables_pool;

void tables_begin(void);
void tables_end(void);

/* "Name: value\nName: value" as a list of fields, with dates put in. */
header_list_t tables_fields(const char *text);

/* The Cache-Control of such a response, CDN-Cache-Control heeded; and of such a request. */
cache_control_t tables_response(const header_list_t *fields);
cache_control_t tables_request(const header_list_t *fields);

#endif
