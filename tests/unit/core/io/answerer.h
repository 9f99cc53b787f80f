/*
 * answerer: a name server in a child process, after RFC 1035: what it answers depends on the first
 * label of the name (answerer.c says how). One at a time.
 */
#ifndef TESTS_UNIT_IO_ANSWERER_H
#define TESTS_UNIT_IO_ANSWERER_H

#include "core/io/net.h"

typedef struct answerer_served {
    unsigned udp, tcp; /* queries */
} answerer_served_t;

extern answerer_served_t *answerer_served;
extern net_addr_t answerer_addr;

void answerer_start(void);
void answerer_stop(void);

#endif
