/*
 * crew: the workers of one generation, as the master sees them.
 *
 * A crew is starting until every worker has said that it is ready, then it serves, then it leaves.
 * Only a crew that serves has dead workers replaced: at once, but with growing pauses when they
 * die as soon as they are born. Lives in the pool of its generation. Nothing suspends.
 */
#ifndef CORE_PROCESS_CREW_H
#define CORE_PROCESS_CREW_H

#include <sys/types.h>

#include "core/process/generation.h"
#include "core/process/worker.h"

enum { CREW_GRACE_MS = 1000 }; /* how long handshakes in flight may take on a retired listener */

typedef struct crew_post { /* the place of one worker or helper */
    pid_t pid;        /* 0: nobody at present */
    int channel;      /* -1: none */
    worker_counters_t *counters;
    uint64_t started; /* clock_ms() */
    uint64_t due;     /* when the next one is to be started; 0: none is */
    unsigned failures; /* of those that died young, in a row */
    bool ready;
} crew_post_t;

typedef enum crew_state { CREW_STARTING, CREW_SERVING, CREW_LEAVING } crew_state_t;

typedef struct crew {
    struct crew *next; /* the list of all crews of the master */
    generation_t *generation;
    crew_post_t *posts;
    unsigned count;    /* of posts: workers, then helpers (helper.h) */
    unsigned workers;
    crew_state_t state;
    bool failed;       /* a worker cannot be made to start */
    bool has_served;
    uint64_t started;
} crew_t;

crew_t *crew_new(generation_t *g);

/*
 * Starts a worker on the post. `all` is the list of crews, of which the child closes what is not
 * its own; also `master_fd`. False has been said in the log.
 */
bool crew_start_worker(crew_t *crew, unsigned slot, crew_t *all, int master_fd);

/* The post of the process, or NULL. */
crew_post_t *crew_find(crew_t *crew, pid_t pid);

/* The process on the post has ended with this status of waitpid: says so, and when a next one is
   due. */
void crew_buried(crew_t *crew, crew_post_t *post, int status);

/* Takes what the worker on the post has to say. */
void crew_listen(crew_post_t *post);

bool crew_ready(const crew_t *crew);    /* every worker is */
unsigned crew_alive(const crew_t *crew);

void crew_signal(const crew_t *crew, int signo);

/*
 * The crew leaves gracefully: its workers accept what is queued on listeners that `next` (NULL:
 * none) has not, for grace_ms, then end when their connections do. True when there are such
 * listeners.
 */
bool crew_dismiss(crew_t *crew, const listen_set_t *next, unsigned grace_ms);

/* Tells the module with this index in every worker and helper (module_t.told). */
void crew_tell_module(const crew_t *crew, unsigned module, uint32_t number, int fd);

/* Hands a descriptor to every worker, to be put under that number. */
void crew_hand_log(const crew_t *crew, int fd, int number);

#endif
