/*
 * entry: what is stored of a response beside its body: what it is decided by, its status and
 * fields.
 *
 * It is kept as bytes, in shared memory and in files that may be of another version of proxyd or
 * damaged: reading checks every length. Pure.
 */
#ifndef MODULES_CACHE_ENTRY_H
#define MODULES_CACHE_ENTRY_H

#include "modules/cache/reuse.h"

enum { ENTRY_STATUS_MAX = 999 };

typedef struct entry {
    reuse_stored_t decide;
    str_t reason;          /* of the status line; may be empty */
    str_t content_type;    /* p NULL: none */
    str_t date;            /* decide's, as a text; made when it is written */
    header_list_t headers; /* without Content-Type, Content-Length, Date, Age */
    uint64_t base;         /* the body that this one is another coding of; 0: none, it is that */
    uint64_t tail;         /* of a 206: the last so many bytes were asked for; 0: others were */
    str_t no_cache_fields; /* of Cache-Control: not to be sent without asking; "a, b" */
} entry_t;

/* The bytes, in the pool. */
str_t entry_write(pool_t *pool, const entry_t *e);

/* The list lies in the pool, all texts in `bytes`. False: they are no entry of this version. */
bool entry_read(pool_t *pool, str_t bytes, entry_t *e);

#endif
