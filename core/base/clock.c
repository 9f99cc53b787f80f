#include "core/base/clock.h"

#include <stdio.h>

static struct {
    uint64_t mono_ms;
    uint64_t unix_ms;
    time_t formatted; /* the second the texts below were made for */
    char http[32], log[40], iso[40], error[32], syslog[32];
} now = {.formatted = -1};

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void clock_update(void)
{
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    now.mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000;
    now.unix_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
}

void clock_set(uint64_t monotonic_ms, uint64_t unix_ms)
{
    now.mono_ms = monotonic_ms;
    now.unix_ms = unix_ms;
}

uint64_t clock_ms(void)
{
    if (!now.mono_ms) clock_update();
    return now.mono_ms;
}

uint64_t clock_us_now(void)
{
    struct timespec mono;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000;
}

time_t clock_unix(void)
{
    return (time_t)(clock_unix_ms() / 1000);
}

uint64_t clock_unix_ms(void)
{
    if (!now.unix_ms) clock_update();
    return now.unix_ms;
}

static void put2(char *out, int v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

static void put4(char *out, int v)
{
    put2(out, v / 100);
    put2(out + 2, v % 100);
}

/*
 * "01 Jan 1970" of a number of days since then. Years are counted from March, so that the odd day
 * comes last, in periods of 400 of them (a tenth of what gmtime costs, which looks for the zone).
 */
static void put_day(char *out, int64_t day)
{
    enum { PERIOD = 146097, CENTURY = 36524, FOUR_YEARS = 1461, TO_MARCH_0 = 719468 };
    int64_t since = day + TO_MARCH_0, period = since / PERIOD - (since % PERIOD < 0);
    int in = (int)(since - period * PERIOD);
    int year = (in - in / (FOUR_YEARS - 1) + in / CENTURY - in / (PERIOD - 1)) / 365;
    int of_year = in - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* from March; five of them have 153 days */
    bool next = month >= 10;
    put2(out, of_year - (153 * month + 2) / 5 + 1);
    memcpy(out + 3, months[next ? month - 10 : month + 2], 3);
    put4(out + 7, (int)((period * 400 + year + next) % 10000));
}

void clock_put_http_date(char *out, time_t t)
{
    enum { DAY = 86400 };
    int64_t day = t / DAY - (t % DAY < 0);
    int second = (int)(t - day * DAY);
    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", CLOCK_HTTP_DATE_LEN);
    memcpy(out, days[(day % 7 + 4 + 7) % 7], 3);
    put_day(out + 5, day);
    put2(out + 17, second / 3600);
    put2(out + 20, second / 60 % 60);
    put2(out + 23, second % 60);
}

static void format_local(time_t t)
{
    struct tm tm;
    localtime_r(&t, &tm);
    long off = tm.tm_gmtoff / 60;
    char sign = off < 0 ? '-' : '+';
    unsigned oh = (unsigned)(off < 0 ? -off : off) / 60 % 100;
    unsigned om = (unsigned)(off < 0 ? -off : off) % 60;
    unsigned year = (unsigned)(tm.tm_year + 1900) % 10000;
    unsigned mon = (unsigned)tm.tm_mon % 12, day = (unsigned)tm.tm_mday % 100;
    unsigned h = (unsigned)tm.tm_hour % 100, m = (unsigned)tm.tm_min % 100;
    unsigned s = (unsigned)tm.tm_sec % 100;
    snprintf(now.log, sizeof(now.log), "%02u/%s/%04u:%02u:%02u:%02u %c%02u%02u", day, months[mon],
             year, h, m, s, sign, oh, om);
    snprintf(now.iso, sizeof(now.iso), "%04u-%02u-%02uT%02u:%02u:%02u%c%02u:%02u", year, mon + 1,
             day, h, m, s, sign, oh, om);
    snprintf(now.syslog, sizeof(now.syslog), "%s %2u %02u:%02u:%02u", months[mon], day, h, m, s);
    snprintf(now.error, sizeof(now.error), "%04u/%02u/%02u %02u:%02u:%02u", year, mon + 1, day, h,
             m, s);
}

static void format(void)
{
    time_t t = clock_unix();
    if (t == now.formatted) return;
    now.formatted = t;
    clock_put_http_date(now.http, t);
    format_local(t);
}

str_t clock_http_date(void)
{
    format();
    return str_make(now.http, CLOCK_HTTP_DATE_LEN);
}

str_t clock_log_time(void)
{
    format();
    return str_of(now.log);
}

str_t clock_iso8601(void)
{
    format();
    return str_of(now.iso);
}

str_t clock_syslog_time(void)
{
    format();
    return str_of(now.syslog);
}

str_t clock_error_time(void)
{
    format();
    return str_of(now.error);
}

/* --- parsing --- */

static bool take_number(str_t *s, size_t digits, int *out)
{
    int v = 0;
    if (s->n < digits) return false;
    for (size_t i = 0; i < digits; i++) {
        if (!ascii_digit(s->p[i])) return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_sub(*s, digits, s->n);
    *out = v;
    return true;
}

static bool take_text(str_t *s, str_t text)
{
    if (!str_istarts(*s, text)) return false;
    *s = str_sub(*s, text.n, s->n);
    return true;
}

static bool take_month(str_t *s, int *out)
{
    for (int i = 0; i < 12; i++)
        if (take_text(s, str_make(months[i], 3))) return *out = i, true;
    return false;
}

static bool take_time(str_t *s, struct tm *tm)
{
    return take_number(s, 2, &tm->tm_hour) && take_text(s, STR(":")) &&
           take_number(s, 2, &tm->tm_min) && take_text(s, STR(":")) &&
           take_number(s, 2, &tm->tm_sec) && tm->tm_hour < 24 && tm->tm_min < 60 &&
           tm->tm_sec <= 60;
}

static bool take_day_name(str_t *s, bool full)
{
    static const char *const rest[] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};
    for (int i = 0; i < 7; i++)
        if (take_text(s, str_make(days[i], 3))) return !full || take_text(s, str_of(rest[i]));
    return false;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool parse_imf(str_t s, struct tm *tm)
{
    return take_day_name(&s, false) && take_text(&s, STR(", ")) &&
           take_number(&s, 2, &tm->tm_mday) && take_text(&s, STR(" ")) &&
           take_month(&s, &tm->tm_mon) && take_text(&s, STR(" ")) &&
           take_number(&s, 4, &tm->tm_year) && take_text(&s, STR(" ")) && take_time(&s, tm) &&
           take_text(&s, STR(" GMT")) && s.n == 0;
}

static int full_year(int two_digits)
{
    struct tm tm;
    time_t t = clock_unix();
    gmtime_r(&t, &tm);
    int this_year = tm.tm_year + 1900;
    int year = this_year - this_year % 100 + two_digits;
    return year > this_year + 50 ? year - 100 : year;
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool parse_rfc850(str_t s, struct tm *tm)
{
    bool ok = take_day_name(&s, true) && take_text(&s, STR(", ")) &&
              take_number(&s, 2, &tm->tm_mday) && take_text(&s, STR("-")) &&
              take_month(&s, &tm->tm_mon) && take_text(&s, STR("-")) &&
              take_number(&s, 2, &tm->tm_year) && take_text(&s, STR(" ")) && take_time(&s, tm) &&
              take_text(&s, STR(" GMT")) && s.n == 0;
    if (ok) tm->tm_year = full_year(tm->tm_year);
    return ok;
}

/* Sun Nov  6 08:49:37 1994 */
static bool parse_asctime(str_t s, struct tm *tm)
{
    return take_day_name(&s, false) && take_text(&s, STR(" ")) && take_month(&s, &tm->tm_mon) &&
           take_text(&s, STR(" ")) &&
           (take_text(&s, STR(" ")) ? take_number(&s, 1, &tm->tm_mday)
                                    : take_number(&s, 2, &tm->tm_mday)) &&
           take_text(&s, STR(" ")) && take_time(&s, tm) && take_text(&s, STR(" ")) &&
           take_number(&s, 4, &tm->tm_year) && s.n == 0;
}

static bool day_exists(const struct tm *tm)
{
    static const char length[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = tm->tm_year;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (tm->tm_mday < 1 || tm->tm_mday > length[tm->tm_mon]) return false;
    return tm->tm_mon != 1 || tm->tm_mday < 29 || leap;
}

time_t clock_parse_http_date(str_t s)
{
    struct tm tm = {0};
    s = str_trim(s);
    if (!parse_imf(s, &tm) && !parse_rfc850(s, &tm) && !parse_asctime(s, &tm)) return -1;
    if (!day_exists(&tm)) return -1;
    tm.tm_year -= 1900;
    return timegm(&tm);
}
