/* var_field: variables over the fields of a message: $http_NAME, $sent_http_NAME, $cookie_NAME. */
#ifndef HTTP_VAR_FIELD_H
#define HTTP_VAR_FIELD_H

#include "http/header.h"
#include "http/var.h"

/*
 * The values of all fields of that name, where "_" in the name stands for "-", too: one as it is,
 * several joined by ", " in the pool (of Cookie by "; "). p == NULL: there is none. For getters of
 * other prefixes as well ($upstream_http_).
 */
str_t var_field_value(pool_t *pool, const header_list_t *list, str_t name);

/* The value of the cookie in the Cookie or Set-Cookie fields of the list; p == NULL: none. */
str_t var_field_cookie(const header_list_t *list, header_id_t id, str_t name);

/* Getters. */
str_t var_field_http(request_t *r, const var_def_t *def, str_t name);
str_t var_field_sent(request_t *r, const var_def_t *def, str_t name);
str_t var_field_sent_trailer(request_t *r, const var_def_t *def, str_t name);
str_t var_field_request_cookie(request_t *r, const var_def_t *def, str_t name);

/* What the connection writes itself; nothing before the reply has started. */
str_t var_field_sent_connection(request_t *r, const var_def_t *def, str_t name);
str_t var_field_sent_content_length(request_t *r, const var_def_t *def, str_t name);
str_t var_field_sent_transfer_encoding(request_t *r, const var_def_t *def, str_t name);

#endif
