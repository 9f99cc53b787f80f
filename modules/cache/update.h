/*
 * update: which fields of a response are stored, sent from the store, and changed by a 304
 * (RFC 9111 3.1, 3.2, 4.3.4, 5.2.2). Lists live in their own pools. Pure.
 */
#ifndef MODULES_CACHE_UPDATE_H
#define MODULES_CACHE_UPDATE_H

#include "modules/cache/cache_control.h"

/* Whether a field of the response may be stored: not of this connection only, not for a proxy only,
   not listed in Connection nor in private="...". */
bool update_stores(const header_list_t *response, const cache_control_t *cc, const header_t *field);

/* Whether a stored field may be sent without asking the origin: not listed in no-cache="...". */
bool update_sends(const cache_control_t *cc, const header_t *field);

/*
 * Whether the 304 is about the stored response (RFC 9111 4.3.4): the same ETag if it has one, else
 * the same Last-Modified, else that there is no other it could be about (`only`).
 */
bool update_selects(const header_list_t *stored, const header_list_t *not_modified, bool only);

/* Takes the 304's fields over into the stored ones, all but Content-Length and what is not stored.
   False when the list became too long. Values are not copied. */
bool update_apply(header_list_t *stored, const header_list_t *not_modified,
                  const cache_control_t *cc);

#endif
