/*
 * unpacker: packed data read to its end: member after member, never more than a bound says.
 *
 * Data that packs extremely well is a weapon: a few KiB may stand for GiB. What is made may not
 * exceed `ratio` times what was taken (small amounts are free). The owner ends it. Nothing
 * suspends.
 */
#ifndef MODULES_GZIP_UNPACKER_H
#define MODULES_GZIP_UNPACKER_H

#include "modules/gzip/codec.h"

enum { UNPACKER_FREE = 1024 * 1024 }; /* bytes that the ratio does not bound */

typedef struct unpacker {
    coding_t coding;       /* one that there is a codec for */
    const codec_t *codec;  /* from the first call on */
    void *state;           /* NULL: not begun, or ended */
    buf_t *out;            /* what has been made and the owner has not taken; NULL as state is */
    uint64_t taken, made;  /* bytes */
    unsigned ratio;        /* 0: no bound */
    bool strict;           /* nothing may follow the packed data; else it is left out */
    bool between;          /* behind the end of the data (or a member of it) */
    bool over;             /* what follows is left out */
} unpacker_t;

typedef enum unpacker_got {
    UNPACKER_HUNGRY, /* all that was given is used */
    UNPACKER_FULL,   /* take what is in `out`, clear it, call again */
    UNPACKER_BROKEN,
    UNPACKER_BOMB,
} unpacker_got_t;

/* Takes from *in, writes to u->out, which exists from the first call on. */
unpacker_got_t unpacker_step(unpacker_t *u, str_t *in);

/* Whether the data may end here: it has ended, or there was none at all. */
bool unpacker_is_whole(const unpacker_t *u);

/* Gives back what it holds; what it has counted stays. May be called again. */
void unpacker_end(unpacker_t *u);

#endif
