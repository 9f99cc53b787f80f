/*
 * report: what a server tells of itself: names and figures, as JSON or in the text format of
 * Prometheus, written by the same calls.
 *
 *     report_open(r, "upstreams");
 *         report_item(r, "upstream", STR("app"));
 *             report_count(r, "requests", 17);
 *             report_list(r, "servers");
 *                 report_item(r, "server", STR("10.0.0.1:80"));
 *                     report_gauge(r, "active", 2);
 *
 * (each closed by report_close) gives
 *
 *     {"upstreams":{"app":{"requests":17,"servers":[{"server":"10.0.0.1:80","active":2}]}}}
 *
 *     proxyd_upstreams_requests_total{upstream="app"} 17
 *     proxyd_upstreams_servers_active{upstream="app",server="10.0.0.1:80"} 2
 *
 * A path (upstreams, app) asks for what is inside of it alone. Modules register sections, each of
 * which is one report_open of its name. Everything lives in the pool. Nothing suspends.
 */
#ifndef CORE_BASE_REPORT_H
#define CORE_BASE_REPORT_H

#include "core/base/strbuf.h"
#include "core/base/vec.h"

typedef struct report report_t;

typedef struct report_section {
    const char *name; /* of the outermost object */
    /* Writes what is inside; main_struct: the module's struct in the outermost block. */
    void (*write)(report_t *r, const void *main_struct);
} report_section_t; /* a table of these ends with name NULL */

typedef enum report_format { REPORT_JSON, REPORT_PROMETHEUS } report_format_t;

enum { REPORT_DEPTH_MAX = 8 };

/* path (n names): what is asked for; they must outlive the report. */
report_t *report_new(pool_t *pool, report_format_t format, const str_t *path, unsigned n);

/* The text; false when the path leads to nothing. */
bool report_end(report_t *r, str_t *out);

/* Whether anything of the section is asked for. */
bool report_wants(const report_t *r, const char *section);

/* An object; a list of items; one of an object's or list's items, told from the others by `key`. */
void report_open(report_t *r, const char *name);
void report_list(report_t *r, const char *name);
void report_item(report_t *r, const char *label, str_t key);
void report_close(report_t *r);

/* What only grows; what goes up and down; a time in microseconds ("latency" becomes "latency_ms",
   or "latency_seconds"). */
void report_count(report_t *r, const char *name, uint64_t v);
void report_gauge(report_t *r, const char *name, uint64_t v);
void report_ms(report_t *r, const char *name, uint64_t us);
void report_flag(report_t *r, const char *name, bool on);

/* One of a few texts ("up", "down"), and any text, which Prometheus is not bothered with. */
void report_state(report_t *r, const char *name, str_t text);
void report_text(report_t *r, const char *name, str_t text);

/* A moment in milliseconds since 1970: a text (RFC 3339), or NAME_timestamp_seconds; 0: null. */
void report_time(report_t *r, const char *name, uint64_t unix_ms);

#endif
