/*
 * accept: clients' connections from the accepted socket to the close: idle, busy, idle again.
 *
 * An idle connection waits in the loop; its first readable byte starts a fiber that serves it (h1).
 * When the worker stops, an idle connection is still served for a moment, since a request may be on
 * its way, and told to close with the answer.
 */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/conn.h"

/* Takes over an accepted socket (listen_t.serve). */
void accept_connection(listen_t *l, int fd, const net_addr_t *peer);

/* The worker begins to stop: idle connections end soon. */
void accept_stop_idle(void);

/* The time for stopping is over: idle connections close, every request is cancelled. */
void accept_cancel_all(void);

/* Connections run short: closes some of those that idle, the longest idle first. How many. */
unsigned accept_reclaim(void);

#endif
