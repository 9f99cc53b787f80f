/*
 * store_entry: one entry of the index (store_index): what is known of an object, a pass or a count.
 * For the rooms of the store alone.
 */
#ifndef MODULES_CACHE_STORE_ENTRY_H
#define MODULES_CACHE_STORE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

enum { STORE_NO_ENTRY = UINT32_MAX };

typedef enum store_kind {
    STORE_KIND_FREE,
    STORE_KIND_OBJECT, /* a response, in a file */
    STORE_KIND_PASS,   /* answers are not storable until `until` */
    STORE_KIND_COUNT,  /* requests are counted */
} store_kind_t;

enum {
    STORE_STALE = 1,      /* softly purged */
    STORE_UNVERIFIED = 2, /* of an earlier run: the body's checksum has not been looked at */
    STORE_SECOND = 4,     /* the file's second head is the present one */
    STORE_TAGGED = 8,     /* it has tags */
};

enum { /* who has seen that it was asked for */
    STORE_HOT_QUEUE = 1,
    STORE_HOT_USED = 2,
    STORE_HOT_MEMORY = 4,
    STORE_HOT_ALL = 7,
};

typedef struct store_entry {
    uint32_t gen;      /* odd: being changed */
    uint32_t next;     /* in the chain */
    uint64_t key[2], variant;
    uint64_t id;       /* of the body: no other has had it */
    uint64_t length;   /* of the body */
    uint32_t born;     /* the purge clock (store_purge) when it was asked for */
    uint32_t stored;   /* unix seconds */
    uint32_t until;    /* of a pass: unix seconds */
    uint32_t body_at;  /* of the file: where the body begins */
    uint16_t vary;     /* number of its list of selecting fields; 0: none */
    uint8_t version;   /* grows with every new head of the same body */
    uint8_t kind, flags;
    /* From here on nothing is covered by the generation. */
    uint8_t queue, hot, spare;
    uint32_t checked;  /* no purge up to this one concerns it */
    uint32_t used;     /* unix seconds, give or take a sweep */
    uint32_t memory;   /* its place in memory (store_memory); 0: none */
    uint32_t requests; /* of a count */
    uint32_t ahead, behind; /* in the queue */
} store_entry_t;

typedef struct store_index store_index_t; /* all of them */

/* It was asked for. */
static inline void store_entry_touch(store_entry_t *e)
{
    if (__atomic_load_n(&e->hot, __ATOMIC_RELAXED) != STORE_HOT_ALL)
        __atomic_store_n(&e->hot, STORE_HOT_ALL, __ATOMIC_RELAXED);
}

/* Was it since `who` last asked? */
static inline bool store_entry_cool(store_entry_t *e, uint8_t who)
{
    if (!(__atomic_load_n(&e->hot, __ATOMIC_RELAXED) & who)) return false;
    return __atomic_fetch_and(&e->hot, (uint8_t)~who, __ATOMIC_RELAXED) & who;
}

/* The bytes that its file takes up on disk. */
static inline uint64_t store_entry_bytes(const store_entry_t *e)
{
    enum { BLOCK = 4096 };
    if (e->kind != STORE_KIND_OBJECT) return 0;
    return (e->body_at + e->length + BLOCK - 1) / BLOCK * BLOCK;
}

#endif
