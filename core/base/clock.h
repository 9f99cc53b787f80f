/*
 * clock: the time as the process sees it, read once per turn of the event loop.
 *
 * clock_update() reads the system's clocks; everything else returns what it read, so that asking
 * for the time costs a load. Formatted times are made at most once per second. Nothing suspends.
 */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <time.h>

#include "core/base/str.h"

void clock_update(void);

/* Sets what the calls below return until the next clock_update: the time of a test. */
void clock_set(uint64_t monotonic_ms, uint64_t unix_ms);

uint64_t clock_ms(void);      /* monotonic milliseconds, as of the last update */
uint64_t clock_us_now(void);  /* monotonic microseconds, read now (vDSO) */
time_t clock_unix(void);      /* seconds since the epoch */
uint64_t clock_unix_ms(void); /* milliseconds since the epoch */

/* Texts valid until the next clock_update. */
str_t clock_http_date(void);  /* Sun, 06 Nov 1994 08:49:37 GMT */
str_t clock_log_time(void);   /* 06/Nov/1994:08:49:37 +0000, local */
str_t clock_iso8601(void);    /* 1994-11-06T08:49:37+00:00, local */
str_t clock_syslog_time(void); /* Nov  6 08:49:37, local */
str_t clock_error_time(void); /* 1994/11/06 08:49:37, local */

enum { CLOCK_HTTP_DATE_LEN = 29 };

/* Writes the IMF-fixdate of t (RFC 9110 5.6.7), CLOCK_HTTP_DATE_LEN bytes, no NUL. */
void clock_put_http_date(char *out, time_t t);

/*
 * Parses any of the three forms of RFC 9110 5.6.7, names in any case; -1 when it is none.
 * A two-digit year more than 50 years ahead is taken as past.
 */
time_t clock_parse_http_date(str_t s);

#endif
