/*
 * subject: the program under test ($PROXYD), started the way an operator would.
 *
 * It runs in the foreground with the test's directory as prefix, its configuration in proxyd.conf,
 * its error log in error.log, standard error in stderr.txt and its process id in proxyd.pid. When
 * the test ends it is asked to quit, must end with status 0, and must have logged nothing of the
 * levels alert, emerg and crit that was not announced with subject_tolerate.
 */
#ifndef TESTS_E2E_SUBJECT_H
#define TESTS_E2E_SUBJECT_H

#include "tests/e2e/harness.h"

/* Starts with this as the whole configuration; "daemon off" and the pid file are added. */
void subject_start(const char *configuration);

/* Starts with this inside of http {}; main_level (may be "") stands before it. */
void subject_http(const char *main_level, const char *http);

/* What subject_http makes the configuration from, for a reload. */
const char *subject_configuration(const char *main_level, const char *http);

/* Without waiting until it serves. */
void subject_launch(const char *configuration);
void subject_await(void);

pid_t subject_pid(void);
void subject_signal(int signo);

/* Waits for its end and returns the exit status (a signal: 128 + number). */
int subject_wait(void);

/* Both of these. */
int subject_stop(int signo);

/* Writes the new configuration and sends HUP. The switch can be seen in the log. */
void subject_reload(const char *configuration);

/* Running workers: their number and process ids (at most `most`). */
unsigned subject_workers(pid_t *pids, unsigned most);

/* How many descriptors a process of it has open for what `is` (a path, "socket:[...]" and the like)
   holds of; NULL: for anything. */
unsigned subject_descriptors(pid_t pid, bool (*is)(const char *what));

/* The error log, and waiting for something in it. */
const char *subject_log(void);
void subject_log_await(const char *part);
unsigned subject_log_count(const char *part);

/* A line of a high level that holds `part` is all right. */
void subject_tolerate(const char *part);

/* Called at the end of a test. NULL, or what was wrong; with passed false: all that helps to see
 * why. */
const char *subject_end(bool passed);

/* The program with a command line of its own: arguments are separated by single spaces, "%20" is
 * one. */
typedef struct ran {
    int status;
    const char *output; /* of both kinds */
} ran_t;

ran_t subject_run(const char *arguments);

/* `proxyd ctl WORDS` for the running program. */
ran_t subject_ctl(const char *words);
const char *subject_program(void);

#endif
