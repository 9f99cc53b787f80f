/*
 * keeper: the process between a test and all that the test starts.
 *
 * It starts programs for the test, tells how they ended, and when the test stops it, or dies in
 * whatever way, kills everything that came from it (also daemons, which become its children) and
 * removes the test's directory. One per test.
 */
#ifndef TESTS_E2E_KEEPER_H
#define TESTS_E2E_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

/* Starts the keeper of this process; directory will be removed in the end. */
void keeper_start(const char *directory);

/* Kills and removes. Returns when nothing is left. */
void keeper_stop(void);

/*
 * Runs argv in `directory` with standard input from /dev/null, output and errors appended to the
 * file `output`. Returns its process id, or -errno.
 */
pid_t keeper_run(const char *const argv[], const char *directory, const char *output);

/* Waits until pid (of keeper_run) has ended; false when it has not within ms. status as waitpid's.
 */
bool keeper_wait(pid_t pid, int ms, int *status);

#endif
