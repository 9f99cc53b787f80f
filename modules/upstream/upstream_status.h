/* upstream_status: what the status tells of groups and their servers. Nothing suspends. */
#ifndef MODULES_UPSTREAM_UPSTREAM_STATUS_H
#define MODULES_UPSTREAM_UPSTREAM_STATUS_H

#include "core/base/report.h"
#include "modules/upstream/upstream.h"

extern const report_section_t upstream_status[]; /* ends with name NULL */

/* "up", "down", "draining", "unhealthy" (health_check), "resting" (it failed), "ejected" (an
   outlier). The group is joined. */
const char *upstream_status_of(const upstream_t *g, const upstream_peer_t *peer);

#endif
