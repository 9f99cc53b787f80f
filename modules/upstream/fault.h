/*
 * fault: what a check of an origin failed of, and its text.
 */
#ifndef MODULES_UPSTREAM_FAULT_H
#define MODULES_UPSTREAM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t fault_t; /* kind << 16 | detail; 0: nothing */

enum fault_kind {
    FAULT_NONE,
    FAULT_ERRNO,   /* detail: the errno */
    FAULT_TIMEOUT,
    FAULT_TLS,
    FAULT_CLOSED,  /* it closed the connection */
    FAULT_INVALID, /* no HTTP, or no gRPC */
    FAULT_STATUS,  /* detail: the status */
    FAULT_HEADER, FAULT_BODY, /* not as it should be */
    FAULT_GRPC,    /* detail: grpc-status */
    FAULT_NOT_SERVING,
};

static inline fault_t fault_make(enum fault_kind kind, unsigned detail)
{
    return (uint32_t)kind << 16 | (detail & 0xffff);
}

/* Of a negative errno as client.h, origin.h and tls.h give them; 0: none. */
fault_t fault_of(int err);

/* It was we who lacked something (descriptors, memory, ports): nothing is said of the origin. */
bool fault_is_ours(fault_t f);

enum { FAULT_TEXT = 80 };

/* "111: Connection refused", "it answers 503"; out is returned. */
const char *fault_text(fault_t f, char out[FAULT_TEXT]);

#endif
