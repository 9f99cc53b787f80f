#include "core/process/affinity.h"

const char *affinity_mask(str_t text, cpu_set_t *out)
{
    if (text.n == 0 || text.n > CPU_SETSIZE) return "a mask has 1 to 1024 digits";
    CPU_ZERO(out);
    for (size_t cpu = 0; cpu < text.n; cpu++) {
        char c = text.p[text.n - 1 - cpu];
        if (c == '1')
            CPU_SET(cpu, out);
        else if (c != '0')
            return "a mask is written in 0 and 1, the rightmost is CPU 0: 0101";
    }
    return CPU_COUNT(out) ? NULL : "a mask names at least one CPU";
}

/* The n-th CPU of the set, counted around. */
static void choose(const cpu_set_t *from, unsigned n, cpu_set_t *out)
{
    n %= (unsigned)CPU_COUNT(from);
    CPU_ZERO(out);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, from) || n-- > 0) continue;
        CPU_SET(cpu, out);
        return;
    }
}

bool affinity_of(const affinity_t *a, unsigned slot, cpu_set_t *out)
{
    if (a->masks.n == 0) return false;
    if (a->automatic)
        choose(&a->masks.v[0], slot, out);
    else
        *out = a->masks.v[slot < a->masks.n ? slot : a->masks.n - 1];
    return true;
}

unsigned affinity_cpus(cpu_set_t *out)
{
    cpu_set_t set;
    if (!out) out = &set;
    if (sched_getaffinity(0, sizeof(*out), out) == 0 && CPU_COUNT(out) > 0)
        return (unsigned)CPU_COUNT(out);
    CPU_ZERO(out);
    CPU_SET(0, out);
    return 1;
}
