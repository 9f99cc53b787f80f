/*
 * latency: how long peers take to answer, as far as is known: a moving average that believes a peak
 * at once and better times only when they come again and again, and that fades with age, so that
 * a peer that was slow is asked again one day. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_LATENCY_H
#define MODULES_UPSTREAM_LATENCY_H

#include "modules/upstream/peers.h"

/* At present, in microseconds; 0: nothing is known. */
uint64_t latency_of(const peer_state_t *state);

/* An answer took so long. */
void latency_note(peer_state_t *state, uint64_t us);

#endif
