/*
 * nameserver: a small DNS server (RFC 1035) over UDP and TCP, whose every answer a test decides.
 *
 *     nameserver_t *ns = nameserver_start("dns");       // and @dns@ is its port
 *     nameserver_set(ns, "app.test", "A 60 127.0.0.2 127.0.0.3");
 *
 * What a name is answered with, whatever the case it is asked in:
 *
 *     A TTL ADDRESS...                addresses; questions of another type get none
 *     AAAA TTL ADDRESS...
 *     SRV TTL PRIORITY WEIGHT PORT TARGET [, PRIORITY ...]
 *     SERVFAIL, NXDOMAIN, REFUSED     a code without records
 *     SILENT                          nothing at all
 *     TRUNCATED ...                   one of the first three, over TCP alone
 *     MISMATCHED ...                  likewise, but to a question that nobody asked, over both
 *
 * A name that is not set is NXDOMAIN. Placeholders are replaced. It is stopped when the test ends.
 */
#ifndef TESTS_E2E_NAMESERVER_H
#define TESTS_E2E_NAMESERVER_H

#include "tests/e2e/harness.h"

typedef struct nameserver nameserver_t;

nameserver_t *nameserver_start(const char *name);
void nameserver_set(nameserver_t *ns, const char *name, const char *answer);

/* Questions for the name so far, of all types; over TCP. */
unsigned nameserver_asked(nameserver_t *ns, const char *name);
unsigned nameserver_asked_tcp(nameserver_t *ns, const char *name);

#endif
