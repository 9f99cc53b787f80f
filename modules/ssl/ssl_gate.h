/*
 * ssl_gate: how many handshakes a worker shakes at a time. Those in flight finish; who comes next
 * waits in line, so a flood of handshakes delays the next one of them, not what is being served.
 *
 * A handshake costs nothing while its client takes its time: one that has had its place for
 * SSL_GATE_SLOW_MS goes on, but gives the place to the first in line. Otherwise a few clients that
 * send a byte and no more would keep all others out.
 */
#ifndef MODULES_SSL_SSL_GATE_H
#define MODULES_SSL_SSL_GATE_H

#include <stdint.h>

#include "core/base/list.h"

enum { SSL_GATE_SLOW_MS = 500 };

/* The caller's, from ssl_gate_enter to ssl_gate_leave. */
typedef struct ssl_gate_place {
    list_t link; /* in the order of coming in; unlinked: it has been given to another */
    uint64_t since;
} ssl_gate_place_t;

/* Waits for a place among `most`. 0, -ETIMEDOUT, or the reason of a cancellation. Suspends. */
int ssl_gate_enter(ssl_gate_place_t *place, unsigned most, uint64_t timeout_ms);

/* After an ssl_gate_enter that returned 0: the place goes to the first in line. */
void ssl_gate_leave(ssl_gate_place_t *place);

#endif
