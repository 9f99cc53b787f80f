/*
 * acme_policy: when a certificate is asked for: before it ends, and again after a failure. Pure.
 */
#ifndef MODULES_SSL_ACME_POLICY_H
#define MODULES_SSL_ACME_POLICY_H

#include <stdint.h>

/*
 * When one that is valid from `from` to `to` (seconds since 1970) is renewed: with a third of its
 * life left, and up to a fiftieth of it before that, as `lot` (any number) has it, so that those
 * who were issued together are not renewed together. Of a life that is none: `from`.
 */
int64_t acme_policy_renewal(int64_t from, int64_t to, uint32_t lot);

/*
 * The same of one that has come just now; but not before a third of its life has passed from now
 * on, and `least` seconds: a clock that goes wrong must not make us ask again and again.
 */
int64_t acme_policy_next(int64_t from, int64_t to, int64_t now, int64_t least, uint32_t lot);

/*
 * How many ms to wait after this many failures in a row (1 or more): `least`, twice as long with
 * each, up to `most`, and up to an eighth more as `lot` has it; and never less than the authority
 * has asked for (asked_ms; 0: nothing), of which a week is taken at most.
 */
enum { ACME_POLICY_ASKED_MOST = 7 * 24 * 3600 * 1000 };
uint64_t acme_policy_pause(unsigned failures, uint64_t least_ms, uint64_t most_ms,
                           uint64_t asked_ms, uint32_t lot);

#endif
