/* proxy_pace: a filter that lets a reply's body through at so many bytes a second. May suspend. */
#ifndef MODULES_UPSTREAM_PROXY_PACE_H
#define MODULES_UPSTREAM_PROXY_PACE_H

#include "http/request.h"

void proxy_pace_push(request_t *r, uint64_t bytes_per_second);

#endif
