/*
 * proxy_forwards: Max-Forwards of OPTIONS and TRACE (RFC 9110 7.6.2): who is out of hops is
 * answered here.
 */
#ifndef MODULES_UPSTREAM_PROXY_FORWARDS_H
#define MODULES_UPSTREAM_PROXY_FORWARDS_H

#include "http/request.h"

/* REPLIED when the request may go no further; NEXT otherwise. */
verdict_t proxy_forwards_check(request_t *r);

#endif
