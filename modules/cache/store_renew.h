/* store_renew: a new record for a body that is stored: one that was validated, or has become stale.
   For the rooms of the store alone. */
#ifndef MODULES_CACHE_STORE_RENEW_H
#define MODULES_CACHE_STORE_RENEW_H

#include "modules/cache/store_record.h"
#include "modules/cache/store_zone.h"

/*
 * Writes r into the room of the file that is not in use, and then makes it the present one. r: what
 * is to stand there (version, size and check are set here), of the body of e, which is a copy of
 * the entry at that place. Those who want to renew the same body (a request, another one since its
 * key was purged, the manager) go one after the other: the file is locked meanwhile, which the
 * kernel undoes for a process that dies. -EFBIG: it does not fit; -ESTALE: another body is stored
 * by now; -EAGAIN: somebody else has renewed it; or what the file system said.
 */
int store_renew(store_t *s, uint32_t at, const store_entry_t *e, store_record_t *r);

#endif
