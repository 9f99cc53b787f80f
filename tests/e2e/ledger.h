/*
 * ledger: an origin whose objects change all the time, and who remembers what it told and when, so
 * that every answer of a cache before it can be judged: that it is of this object, of one of its
 * versions, whole in every byte, and not older than it may be.
 *
 *     origin_start("origin", ledger_serve, NULL);           // GET /ANYTHING/OBJECT
 *     ledger_ask_t ask = ledger_ask(object);                // before the request is sent
 *     const char *wrong = ledger_judge(&ask, version, at, body, n);
 *
 * An answer's version stands in its ETag. Bodies are text that packs well, each byte told by object
 * and version. A version is fresh for 0 to 2 seconds, some may be stale for another one while they
 * are asked for. One ledger for a test; all of it may be called by any thread.
 */
#ifndef TESTS_E2E_LEDGER_H
#define TESTS_E2E_LEDGER_H

#include "tests/e2e/origin.h"

enum {
    LEDGER_OBJECTS = 100000,
    LEDGER_TAGS = 5, /* Surrogate-Key of an object: "tag%u", object % LEDGER_TAGS */
    LEDGER_BODY_MOST = 640 * 1024,
};

typedef struct ledger_ask {
    unsigned object;
    int64_t sent;   /* now_ms() */
    int64_t purged; /* when the latest purge of its tag that is over began; 0: none */
} ledger_ask_t;

origin_fn ledger_serve;

ledger_ask_t ledger_ask(unsigned object);

/*
 * What is wrong with n bytes, from the position `at` on, that came in answer; NULL: nothing. They
 * may be fewer than the object has.
 */
const char *ledger_judge(const ledger_ask_t *ask, unsigned version, size_t at, const char *body,
                         size_t n);

/* How long that version of the object is. */
size_t ledger_length(unsigned object, unsigned version);

/* Around a purge of everything with that tag. */
void ledger_purge_begins(unsigned tag);
void ledger_purge_ends(unsigned tag);

#endif
