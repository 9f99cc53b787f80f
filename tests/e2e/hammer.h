/*
 * hammer: clients that never stop asking, and notice everything that goes wrong.
 *
 * Some open a connection for each request, some keep theirs; one that the server has closed before
 * the first byte of an answer is opened anew, as RFC 9112 section 9.3.1 lets a client do. Each
 * runs in a thread of its own, without the harness's memory.
 */
#ifndef TESTS_E2E_HAMMER_H
#define TESTS_E2E_HAMMER_H

#include "tests/e2e/harness.h"

typedef struct hammer hammer_t;

typedef struct hammer_result {
    unsigned long answers; /* complete, with status 200 */
    unsigned long failures;
    char first_failure[256];
} hammer_result_t;

/* Requests "/" from the port of this name with this many clients of either kind. */
hammer_t *hammer_start(const char *port_name, unsigned fresh, unsigned kept);

unsigned long hammer_answers(const hammer_t *h); /* so far */

hammer_result_t hammer_stop(hammer_t *h);

#endif
