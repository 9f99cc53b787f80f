/*
 * obedient: an origin that answers as its request says, so that a test's rows hold both sides.
 *
 *     Say-Status: 404              the status (200)
 *     Say: Name: value|Name: value fields of the answer
 *     Body: text                   the body; else the number of requests for this path so far
 *     Wait: 1                      answers when the gate is open (origin_open_gate)
 *     Close: 1                     closes behind the answer
 *
 * A Content-Length among the fields stands in place of the right one.
 */
#ifndef TESTS_E2E_OBEDIENT_H
#define TESTS_E2E_OBEDIENT_H

#include "tests/e2e/origin.h"
#include "tests/e2e/wire.h"

origin_fn obedient;

/* "X-A: 1|Say: ...|..." as lines of a request; what follows "Say: " up to "Wait", "Body", "Close"
   or the end are the fields of the answer. In the test's memory. */
const char *obedient_fields(const char *fields);

/* What @http@ replies to one request with such fields, on a connection of its own. */
reply_t *obedient_ask(const char *method, const char *path, const char *fields);
reply_t *obedient_get(const char *path, const char *fields);

/* What the cache did, as a field X-Cache says it, and the body that came. */
void assert_cache(const reply_t *r, const char *status, const char *body);

#endif
