/*
 * certify: certificates for a test, made by the openssl command in its directory.
 */
#ifndef TESTS_E2E_CERTIFY_H
#define TESTS_E2E_CERTIFY_H

#include "tests/e2e/harness.h"

/* NAME.pem and NAME.key (a P-256 key): signed by the authority BY, or (NULL) by itself. `more` are
   arguments of `openssl req`, with a space before each. */
void certify(const char *name, const char *by, const char *more);

/* `openssl ca` for the authority "ca" of the test, which keeps books: revocation, dates. */
void certify_authority(const char *arguments);

/* The openssl command, which must succeed; arguments are separated by single spaces. */
void certify_openssl(const char *arguments);

#endif
