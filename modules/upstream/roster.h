/*
 * roster: the servers of a group that come and go while it serves, in its zone.
 *
 * There are two kinds: addresses that the name of a server leads to, as one worker has resolved
 * them for all, and servers that an operator has added, each kept as the line that the
 * configuration would have for it. A worker copies what it finds into peers of its own when it
 * sees that something has changed (peers_changes). A process may be killed at any time: an answer
 * half written has no addresses, which stands for "not known". Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_ROSTER_H
#define MODULES_UPSTREAM_ROSTER_H

#include "core/io/net.h"
#include "core/shared/shm.h"
#include "core/shared/slab.h"

enum {
    ROSTER_ADDRS = 64,  /* of one name */
    ROSTER_ADDED = 32,  /* servers at once */
    ROSTER_LINE = 256,  /* bytes, with the final NUL */
};

typedef struct roster_addr {
    unsigned char bytes[16];
    uint16_t port;
    bool ipv6;
    bool backup;     /* a record of another than the first priority (SRV) */
    uint32_t weight; /* 0: the server's own */
} roster_addr_t;

typedef struct roster_answer {
    uint64_t name;       /* a hash; 0: free */
    uint64_t version;    /* moves on when the addresses change */
    uint64_t expires_ms; /* clock_ms */
    unsigned count;      /* 0: not known */
    roster_addr_t addrs[ROSTER_ADDRS];
} roster_answer_t;

typedef struct roster_line {
    uint64_t version;    /* 0: never used; moves on with each change */
    char text[ROSTER_LINE]; /* "": nobody */
} roster_line_t;

typedef struct roster {
    shm_lock_t lock;
    unsigned names;      /* how many there is room for */
    roster_answer_t *answers;
    roster_line_t lines[ROSTER_ADDED];
} roster_t;

size_t roster_bytes(unsigned names);
roster_t *roster_init(slab_t *slab, unsigned names); /* NULL: no room */

/* The answer for the name, whose version is not `seen`. False: there is none. */
bool roster_find(roster_t *r, str_t name, uint64_t seen, roster_answer_t *out);

/* Until when what is known of the name holds (clock_ms); 0: nothing is. */
uint64_t roster_expires(roster_t *r, str_t name);

/*
 * The name's addresses are these from now on (count not 0; they are put in order). True when they
 * were others before.
 */
bool roster_set(roster_t *r, str_t name, roster_answer_t *answer);

/* Asks for the name again not before then; what is known of it goes on. */
void roster_put_off(roster_t *r, str_t name, uint64_t until_ms);

/* The line of that number; false when its version is `*seen`, which is set. */
bool roster_line(roster_t *r, unsigned number, uint64_t *seen, char out[ROSTER_LINE]);

/* Takes a free line for the text, or gives one back. False: there is none, or it is too long. */
bool roster_add(roster_t *r, str_t text);
void roster_remove(roster_t *r, unsigned number);

/* The address as one to connect to. */
net_addr_t roster_address(const roster_addr_t *addr);

#endif
