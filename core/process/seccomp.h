/* seccomp: the system calls a worker may make, as a filter of the kernel. For priv.c only. */
#ifndef CORE_PROCESS_SECCOMP_H
#define CORE_PROCESS_SECCOMP_H

#include <stdbool.h>

/* Confines the calling process for good. 0 or negative errno. */
int seccomp_install(void);

/* Whether the filter lets the system call of this number pass (tests). */
bool seccomp_allows(long number);

#endif
