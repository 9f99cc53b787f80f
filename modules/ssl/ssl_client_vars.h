/* ssl_client_vars: $ssl_client_...: the certificate that the client has shown. Nothing suspends. */
#ifndef MODULES_SSL_SSL_CLIENT_VARS_H
#define MODULES_SSL_SSL_CLIENT_VARS_H

#include "http/var.h"

/* What is asked for: the `data` of the definitions. */
enum {
    SSL_CLIENT_CERT,
    SSL_CLIENT_RAW_CERT,
    SSL_CLIENT_ESCAPED_CERT,
    SSL_CLIENT_FINGERPRINT,
    SSL_CLIENT_SERIAL,
    SSL_CLIENT_SUBJECT,
    SSL_CLIENT_ISSUER,
    SSL_CLIENT_SUBJECT_LEGACY,
    SSL_CLIENT_ISSUER_LEGACY,
    SSL_CLIENT_START,
    SSL_CLIENT_END,
    SSL_CLIENT_REMAIN,
    SSL_CLIENT_VERIFY,
};

str_t ssl_client_vars_get(request_t *r, const var_def_t *def, str_t name);

/* Lower-case hexadecimal digits. */
str_t ssl_client_vars_hex(pool_t *pool, const unsigned char *p, size_t n);

#endif
