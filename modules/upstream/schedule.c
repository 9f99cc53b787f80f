#include "modules/upstream/schedule.h"

/* How many steps making a schedule may take, and how many turns it may have. */
enum { STEPS_MOST = 4 * 1000 * 1000, TURNS_MOST = 16384 };

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* How much weight one turn stands for. */
static unsigned unit_of(const schedule_t *s)
{
    unsigned unit = 0;
    uint64_t sum = 0, most = STEPS_MOST / s->members.n;
    if (most > TURNS_MOST) most = TURNS_MOST;
    if (most < 1) most = 1;
    VEC_EACH(const schedule_member_t, m, &s->members)
    {
        unit = common_divisor(unit, m->weight);
        sum += m->weight;
    }
    if (sum / unit <= most) return unit;
    return (unsigned)(sum / most + 1);
}

static schedule_member_t *next_turn(schedule_t *s, unsigned total)
{
    schedule_member_t *best = NULL;
    VEC_EACH(schedule_member_t, m, &s->members)
    {
        m->current += m->share;
        if (!best || m->current > best->current) best = m;
    }
    best->current -= total;
    return best;
}

void schedule_make(schedule_t *s, pool_t *pool)
{
    unsigned total = 0;
    s->turns.n = 0;
    if (s->members.n == 0) return;
    unsigned unit = unit_of(s);
    VEC_EACH(schedule_member_t, m, &s->members)
    {
        m->share = (m->weight - 1) / unit + 1;
        m->cost = m->share * unit;
        m->current = 0;
        total += m->share;
    }
    for (unsigned i = 0; i < total; i++) *VEC_PUSH(pool, &s->turns) = next_turn(s, total)->id;
}
