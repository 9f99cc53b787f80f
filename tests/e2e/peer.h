/*
 * peer: real servers from Debian as origins. Each takes the port @name@ and is up when the call
 * returns.
 */
#ifndef TESTS_E2E_PEER_H
#define TESTS_E2E_PEER_H

#include "tests/e2e/harness.h"

/* python3 -m http.server for a directory of the test. */
void peer_python(const char *name, const char *directory);

/* node with a script; placeholders in it are replaced. */
void peer_node(const char *name, const char *script);

/* nginx with this inside of http {}. */
void peer_nginx(const char *name, const char *http);

#endif
