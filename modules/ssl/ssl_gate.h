/*
 * ssl_gate: how many handshakes a worker shakes at a time. Those in flight finish; who comes next
 * waits in line, so a flood of handshakes delays the next one of them, not what is being served.
 */
#ifndef MODULES_SSL_SSL_GATE_H
#define MODULES_SSL_SSL_GATE_H

#include <stdint.h>

/* Waits for a place among `most`. 0, -ETIMEDOUT, or the reason of a cancellation. Suspends. */
int ssl_gate_enter(unsigned most, uint64_t timeout_ms);

/* Gives the place to the first in line. */
void ssl_gate_leave(void);

#endif
