/*
 * channel: messages between the master and one worker, with descriptors where they matter.
 *
 * A pair of SOCK_SEQPACKET sockets, both non-blocking: a message is whole or not there. The end of
 * the stream tells a worker that its master has gone. Nothing suspends.
 */
#ifndef CORE_PROCESS_CHANNEL_H
#define CORE_PROCESS_CHANNEL_H

#include <stdint.h>

typedef enum channel_type {
    CHANNEL_READY = 1, /* worker: I serve */
    CHANNEL_LOG,       /* master: put this descriptor under the number `value` */
    CHANNEL_RETIRE,    /* master: nobody serves listener number `value` after you */
    CHANNEL_QUIT,      /* master: stop gracefully; accept on what is retired for `value` ms more */
    CHANNEL_ERRAND,    /* master: module number type - CHANNEL_ERRAND is told this. The last type */
} channel_type_t;

typedef struct channel_message {
    uint32_t type, value;
} channel_message_t;

/* ends[0] is the master's. 0 or negative errno. */
int channel_open(int ends[2]);

/* fd -1: none. 0 or negative errno. */
int channel_send(int channel, channel_type_t type, uint32_t value, int fd);

/*
 * 1 and *out (and *fd: a new descriptor or -1); 0: nothing there at present; negative: the other
 * side has gone (-ECONNRESET) or another errno.
 */
int channel_receive(int channel, channel_message_t *out, int *fd);

#endif
