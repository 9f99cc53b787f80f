/*
 * upstream_ctl: `proxyd ctl upstream`: servers of a group changed while it serves, for all workers
 * at once.
 *
 *     upstream                                       the groups
 *     upstream NAME [list]                           the servers of one
 *     upstream NAME server ADDRESS up|down|drain|weight=N|max_conns=N ...
 *     upstream NAME add ADDRESS [PARAMETER...]       as `server` in the configuration
 *     upstream NAME remove ADDRESS                   one that was added
 *
 * ADDRESS is that of a peer, or a server as it was written, for all of its addresses, also those
 * that its name will lead to. A change is kept over a reload by the group's zone, and over a
 * restart by its state file.
 */
#ifndef MODULES_UPSTREAM_UPSTREAM_CTL_H
#define MODULES_UPSTREAM_UPSTREAM_CTL_H

#include "core/process/ctl.h"
#include "modules/upstream/upstream.h"

extern const ctl_command_t upstream_ctl[]; /* ends with name NULL */

#endif
