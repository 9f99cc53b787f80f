/*
 * store_fill: who fetches what at present: one for each key, over all processes.
 *
 * A table in the zone, cut into shards with a lock each. Who fills owns a row of it; who waits puts
 * the number of its process's bell there, looks once more, and suspends. An owner that died is
 * found out by those who wait, who are rung awake when a process dies. For the rooms of the store
 * alone.
 */
#ifndef MODULES_CACHE_STORE_FILL_H
#define MODULES_CACHE_STORE_FILL_H

#include "modules/cache/store_zone.h"

typedef struct store_fills store_fills_t;

typedef enum store_row_state {
    STORE_ROW_FREE,
    STORE_ROW_ASKING,  /* the origin has not answered yet */
    STORE_ROW_HEADED,  /* it has, but there is no file yet */
    STORE_ROW_FILLING, /* the file can be read along */
} store_row_state_t;

typedef struct store_row {
    uint32_t turn;     /* grows when the row is taken and when its fill ends */
    uint32_t state;
    uint32_t waiting;  /* bells of those who wait for a change */
    uint32_t born;     /* the purge clock when it was taken */
    uint64_t owner;    /* store_lane */
    uint64_t key[2];
    uint64_t asked;    /* the variant that was asked for */
    uint64_t since;    /* clock_ms when it was taken, or the origin said something last */
    /* From HEADED on. */
    uint64_t variant;  /* what it turned out to be */
    uint64_t id;
    int64_t length;    /* -1: not known */
    uint64_t bytes;    /* of the body, in the file */
    uint32_t room;     /* of its record */
    uint16_t vary;
    bool late;         /* for too long: it is no reason to wait any more */
    bool doomed;       /* what comes is not stored (store_fills_doom) */
} store_row_t;

/* NULL: no room. zone: bytes of all of it, for the size of the table. */
store_fills_t *store_fills_init(slab_t *slab, size_t zone);

/* In each process: hears the bell. show: makes what others wait for be seen, of all that this
   process fills. 0 or negative errno. */
int store_fills_enter(void (*show)(void));

/* The selecting fields of what is being filled under the key, when its head is known; 0: none. */
uint16_t store_fills_vary(store_t *s, const uint64_t key[2]);

/* Whether a living process fills the temporary file with that id. */
bool store_fills_id(store_t *s, uint64_t id);

/* The purge clock when the oldest fetch that goes on was begun, or `now` when that is earlier. */
uint32_t store_fills_oldest(store_t *s, uint32_t now);

/* What was begun before that time of the purge clock will not be stored: it may have been purged
   by what is about to be forgotten. */
void store_fills_doom(store_t *s, uint32_t before);

/*
 * store_read of an object that is being filled: the bytes there are, more than `at` of them; 0: the
 * fill has ended; or an error. Suspends.
 */
int64_t store_fills_follow(const store_object_t *o, uint64_t at, uint64_t timeout_ms);

/* Takes a row for the caller if nobody has one for it that has brought something in age_ms; else
   *as is what the row looked like. */
typedef enum store_look { STORE_LOOK_TAKEN, STORE_LOOK_NONE, STORE_LOOK_SOMEBODY } store_look_t;
store_look_t store_fills_look(store_t *s, const uint64_t key[2], uint64_t variant,
                              uint64_t age_ms, store_row_t **row, store_row_t *as);

/* Waits until the row is another than *as. 0, -ETIMEDOUT, or the reason of a cancellation.
   Suspends. */
int store_fills_wait(store_row_t *row, const store_row_t *as, uint64_t timeout_ms);

/* Whether the fill that *as was seen of is over. */
bool store_fills_ended(const store_row_t *row, const store_row_t *as);

/* The row's number, from 1. */
uint32_t store_fills_number(const store_t *s, const store_row_t *row);

/* For its owner: says what the row is from now on (from next all but owner, key, asked, turn, born
   counts), and tells those who wait. */
void store_fills_change(store_t *s, store_row_t *row, const store_row_t *next);
void store_fills_more(store_row_t *row, uint64_t bytes);
void store_fills_alive(store_row_t *row); /* the origin has said something */
void store_fills_end(store_t *s, store_row_t *row);

#endif
