#include "core/config/value.h"

#include <limits.h>
#include <stdio.h>

const char *value_flag(str_t text, bool *out)
{
    bool on = str_eq(text, STR("on"));
    if (!on && !str_eq(text, STR("off"))) return "on or off";
    *out = on;
    return NULL;
}

const char *value_number(str_t text, unsigned long long *out)
{
    uint64_t v;
    if (!str_to_u64(text, &v)) return "a whole number, for example 42";
    *out = v;
    return NULL;
}

static unsigned size_shift(char unit)
{
    switch (ascii_lower(unit)) {
    case 'k': return 10;
    case 'm': return 20;
    case 'g': return 30;
    default: return 0;
    }
}

const char *value_size(str_t text, unsigned long long *out)
{
    static const char hint[] = "for example 512, 8k, 1m, 2g";
    unsigned shift = text.n ? size_shift(text.p[text.n - 1]) : 0;
    uint64_t v;
    if (!str_to_u64(shift ? str_sub(text, 0, text.n - 1) : text, &v)) return hint;
    if (v > ULLONG_MAX >> shift) return hint;
    *out = v << shift;
    return NULL;
}

typedef struct unit {
    char name[3];
    unsigned long long ms;
} unit_t;

#define SECOND 1000ull
#define DAY (86400 * SECOND)

/* From the largest down: the order in which they may follow each other. */
static const unit_t units[] = {
    {"y", 365 * DAY},     {"M", 30 * DAY},    {"w", 7 * DAY}, {"d", DAY},
    {"h", 3600 * SECOND}, {"m", 60 * SECOND}, {"s", SECOND},  {"ms", 1},
};
enum { UNITS = sizeof(units) / sizeof(units[0]), UNIT_SECOND = 6 };

/* Takes the unit at the start of *rest off; UNITS when there is none. A bare number is seconds. */
static unsigned take_unit(str_t *rest)
{
    if (rest->n == 0) return UNIT_SECOND;
    unsigned best = UNITS;
    for (unsigned i = 0; i < UNITS; i++)
        if (str_starts(*rest, str_of(units[i].name))) best = i; /* "ms" is behind "m" */
    if (best < UNITS) *rest = str_sub(*rest, strlen(units[best].name), rest->n);
    return best;
}

static bool take_number(str_t *rest, uint64_t *out)
{
    size_t n = 0;
    while (n < rest->n && ascii_digit(rest->p[n])) n++;
    if (!str_to_u64(str_sub(*rest, 0, n), out)) return false;
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

const char *value_msec(str_t text, msec_t *out)
{
    static const char hint[] = "for example 500ms, 60s, 5m";
    unsigned long long total = 0;
    unsigned next = 0; /* units before this one are used up */
    do {
        uint64_t v;
        if (!take_number(&text, &v)) return hint;
        unsigned unit = take_unit(&text);
        if (unit == UNITS || unit < next) return hint;
        if (__builtin_mul_overflow(v, units[unit].ms, &v)) return hint;
        if (__builtin_add_overflow(total, v, &total)) return hint;
        next = unit + 1;
        while (text.n && text.p[0] == ' ') text = str_sub(text, 1, text.n);
    } while (text.n);
    if (total > LLONG_MAX) return hint; /* so that a time plus a duration cannot overflow */
    *out = total;
    return NULL;
}

bool value_keyed(str_t text, const char *name, str_t *rest)
{
    str_t key = str_of(name);
    if (!str_starts(text, key) || text.n == key.n || text.p[key.n] != '=') return false;
    *rest = str_sub(text, key.n + 1, text.n);
    return true;
}

const char *value_show_number(char *out, unsigned long long v)
{
    snprintf(out, VALUE_TEXT_MAX, "%llu", v);
    return out;
}

const char *value_show_size(char *out, unsigned long long v)
{
    static const char names[] = "kmg";
    size_t unit = 0;
    while (unit < 3 && v && v % 1024 == 0) v /= 1024, unit++;
    snprintf(out, VALUE_TEXT_MAX, "%llu%.*s", v, unit ? 1 : 0, names + (unit ? unit - 1 : 0));
    return out;
}

const char *value_show_msec(char *out, unsigned long long v)
{
    unsigned unit = UNIT_SECOND;
    for (unsigned i = 0; v && i < UNITS; i++) {
        unit = i;
        if (v % units[i].ms == 0) break;
    }
    snprintf(out, VALUE_TEXT_MAX, "%llu%s", v / units[unit].ms, units[unit].name);
    return out;
}
