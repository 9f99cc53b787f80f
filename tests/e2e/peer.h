/*
 * peer: real servers from Debian as origins. Each takes the port @name@ and is up when the call
 * returns its process id: the one process that it is, so that it can be stopped, or killed and
 * started again on its port.
 */
#ifndef TESTS_E2E_PEER_H
#define TESTS_E2E_PEER_H

#include <sys/types.h>

#include "tests/e2e/harness.h"

/* python3 -m http.server for a directory of the test. */
pid_t peer_python(const char *name, const char *directory);

/* python3 with a script; placeholders in it are replaced. */
pid_t peer_python_script(const char *name, const char *script);

/* Runs a script of the test's directory to its end, which must be a good one: what it printed. */
const char *peer_python_run(const char *file);

/* nghttpd, unencrypted, for a directory of the test; what is POSTed comes back. */
pid_t peer_nghttpd(const char *name, const char *directory);

/* node with a script; placeholders in it are replaced. */
pid_t peer_node(const char *name, const char *script);

/* openssl ocsp: a responder for the authority "ca" of the test (certify.h), whose answers are
   signed by `signer` and hold for an hour. */
pid_t peer_ocsp(const char *name, const char *signer);

/*
 * pebble, a certificate authority (RFC 8555), at https://127.0.0.1:@NAME@/dir with the certificate
 * and key NAME.pem, NAME.key. It asks the nameserver @dns@ for names, and looks at @http@ and @tls@
 * whether they are ours; settings are environment variables, with spaces between, more (may be "")
 * stands in its configuration.
 */
pid_t peer_pebble(const char *name, const char *settings, const char *more);

/* nginx with this inside of http {}. */
pid_t peer_nginx(const char *name, const char *http);

#endif
