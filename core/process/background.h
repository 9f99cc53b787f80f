/*
 * background: a daemon that is ready before the command that started it returns.
 */
#ifndef CORE_PROCESS_BACKGROUND_H
#define CORE_PROCESS_BACKGROUND_H

#include <stdbool.h>

/*
 * Goes on in a new process and session. The old one waits until the new one says background_ready
 * (and exits with 0) or ends (1). Standard input and output become /dev/null, standard error
 * error_fd (-1: /dev/null). False: no process could be made, said in the log.
 */
bool background_enter(int error_fd);

/* Nothing happens in the foreground. */
void background_ready(void);

/* In a child of the new process: it has no say in this. */
void background_forget(void);

#endif
