/*
 * ctl: what an operator tells a running server: a unix socket, a line in, a text out.
 *
 *     proxyd ctl upstream app list
 *
 * sends the words on one line, each in quotes, as a directive of the configuration would be written
 * (without the semicolon). The answer is a digit (one of ctl_status) on a line of its own and a
 * text up to the end of the connection. Whichever worker accepts serves it in a fiber, so a command
 * takes effect by way of shared memory. Modules register commands in a table (module.h). Who may
 * connect is a matter of the socket's mode.
 */
#ifndef CORE_PROCESS_CTL_H
#define CORE_PROCESS_CTL_H

#include "core/base/log.h"
#include "core/base/strbuf.h"
#include "core/io/net.h"
#include "core/process/listen.h"

struct generation;

enum ctl_status {
    CTL_DONE = 0,
    CTL_REFUSED = 1, /* the text says why */
    CTL_UNHEARD = 2, /* the server could not be asked (said by the client alone) */
};

enum { CTL_LINE_MAX = 8192, CTL_WORDS_MAX = 64, CTL_TIMEOUT_MS = 10000 };

typedef struct ctl_call {
    pool_t *pool;                        /* of the call */
    const struct generation *generation; /* this worker's */
    unsigned n;                          /* words; each is followed by a NUL */
    str_t words[CTL_WORDS_MAX];          /* the command's name is the first */
    strbuf_t text;                       /* the answer */
} ctl_call_t;

typedef struct ctl_command {
    const char *name;      /* the first word: "upstream" */
    const char *arguments; /* what follows it: "NAME list"; "" for none */
    unsigned min_args, max_args;
    const char *help;      /* one line */
    /*
     * In a fiber of the worker; may suspend. True: done; false: refused, ctl_fail has been called.
     * main_struct: the module's struct in the outermost block, as for worker_start.
     */
    bool (*run)(ctl_call_t *call, const void *main_struct);
} ctl_command_t; /* a table of these ends with name NULL */

/* Adds to the answer; a line of it ends with "\n". */
void ctl_say(ctl_call_t *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The answer is this reason (with a way out), on a line of its own. Returns false. */
bool ctl_fail(ctl_call_t *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* listen_t.serve of the control socket; its data is the generation. */
void ctl_serve(listen_t *l, int fd, const net_addr_t *peer);

#endif
