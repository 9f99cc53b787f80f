/*
 * affinity: which CPUs a worker may run on, after worker_cpu_affinity. Pure but for affinity_cpus.
 *
 * A mask is a text of 0 and 1, the rightmost character is CPU 0. Worker n takes the n-th mask,
 * workers beyond the last take the last. With "auto" worker n takes one CPU, the n-th (modulo
 * their number) of those allowed.
 */
#ifndef CORE_PROCESS_AFFINITY_H
#define CORE_PROCESS_AFFINITY_H

#include <sched.h>

#include "core/base/vec.h"

typedef struct affinity {
    bool automatic;
    VEC(cpu_set_t) masks; /* automatic: one, of the CPUs to choose from */
} affinity_t;

/* NULL when good and *out is set, else what is wrong. */
const char *affinity_mask(str_t text, cpu_set_t *out);

/* The set of the worker in slot (from 0). False when nothing is to be set. */
bool affinity_of(const affinity_t *a, unsigned slot, cpu_set_t *out);

/* The number of CPUs this process may use, at least 1, and which these are (may be NULL). */
unsigned affinity_cpus(cpu_set_t *out);

#endif
