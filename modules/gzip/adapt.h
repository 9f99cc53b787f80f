/*
 * adapt: how much lower than told a level is while there is no CPU left (gzip_adaptive).
 *
 * The share of a window that was work, not waiting, decides: at SATURATED and above one level lower
 * for each window, below CALM one higher again; between them nothing changes, so that what is saved
 * by a lower level does not at once bring the higher one back. Pure; nothing suspends.
 */
#ifndef MODULES_GZIP_ADAPT_H
#define MODULES_GZIP_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ADAPT_WINDOW_US = 250 * 1000, /* at least */
    ADAPT_SATURATED = 90,         /* per cent */
    ADAPT_CALM = 70,
    ADAPT_DOWN_MOST = 8,
};

typedef struct adapt {
    uint64_t from_us, idle_us; /* when the window began */
    unsigned down;             /* levels */
    bool begun;
} adapt_t;

/* What a clock says, and how long had been waited until then. Any time may pass between two
   calls. */
void adapt_note(adapt_t *a, uint64_t now_us, uint64_t idle_us);

/* The level to take in place of this one: not less than 1, unless it was. */
unsigned adapt_level(const adapt_t *a, unsigned level);

#endif
