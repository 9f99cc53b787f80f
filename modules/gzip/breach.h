/*
 * breach: whether the size of a compressed reply might tell a secret (compress_breach_guard).
 *
 * The attack (BREACH, 2013): another site makes a user's browser ask for a page with that user's
 * cookies and words of the attacker's choice. Where the page repeats the words, it gets smaller the
 * more they resemble a secret that stands in it, and whoever sees the network can measure that.
 * What is looked at:
 *
 *   - without Cookie and Authorization the reply holds no secret of a user's;
 *   - a request that the browser says is of the site itself (Sec-Fetch-Site), or whose Origin or
 *     Referer is the site's, was made by no other: a page can leave these out, but not say what is
 *     wrong;
 *   - words come in arguments, in a body, and by the path of a page that says it was not found;
 *   - what is Cache-Control: public is the same for all.
 *
 * What is not seen: words that stand in a path that is found, and secrets of who has the same
 * address (they must not be public). Whoever has such pages switches compression off for them.
 * Pure.
 */
#ifndef MODULES_GZIP_BREACH_H
#define MODULES_GZIP_BREACH_H

#include "http/request.h"

bool breach_threatens(const request_t *r);

#endif
