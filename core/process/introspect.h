/*
 * introspect: what the server tells of itself: the sections that modules registered, as one report.
 *
 *     /status, `proxyd ctl status`: {"server":{...},"zones":{...},...}
 *
 * In a worker; what it tells comes from memory shared by all workers. Nothing suspends.
 */
#ifndef CORE_PROCESS_INTROSPECT_H
#define CORE_PROCESS_INTROSPECT_H

#include "core/base/report.h"

/* Of the path (n names; none: of everything). False: there is nothing there. */
bool introspect(pool_t *pool, report_format_t format, const str_t *path, unsigned n, str_t *out);

enum { INTROSPECT_PATH_MAX = 4 };

/* Cuts "upstreams/app" into the names of a path; empty ones are left out. False: too many. */
bool introspect_path(str_t text, str_t path[INTROSPECT_PATH_MAX], unsigned *n);

/* The core's own sections: the server and its processes, the zones. */
extern const report_section_t introspect_sections[];

#endif
