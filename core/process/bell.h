/*
 * bell: how one process of the family wakes the loop of another.
 *
 * The master makes a fixed number of bells before it forks; all processes inherit them. A worker
 * hears the bell of its row (rows that are BELLS apart share one, so a ring may be meant for
 * another). When a process has died the master rings all of them: whoever waits for something in
 * shared memory looks whether it was the dead one that he waits for. So a waiter puts itself down,
 * looks, and suspends; a ring tells it to look again. Nothing suspends.
 */
#ifndef CORE_PROCESS_BELL_H
#define CORE_PROCESS_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"

enum { BELLS = 16 };

/* In the master, once. False with errno. Where there are none, rings are heard in the same process.
   */
bool bell_make(void);

/* The number of this process's bell, from 0. */
unsigned bell_mine(void);

/* Rings the bells of the mask. One of this process's own is heard in the loop's next turn. */
void bell_ring(uint32_t mask);

typedef struct bell_ear {
    list_t link;
    void (*heard)(struct bell_ear *ear); /* outside any fiber; may wake fibers, closes nothing */
} bell_ear_t;

/* In a process with a loop, from its start on. 0 or negative errno. */
int bell_listen(bell_ear_t *ear);

/* Stops listening altogether (before loop_close). */
void bell_deaf(void);

#endif
