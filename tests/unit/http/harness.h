/*
 * harness: a configuration read from text and requests run through it, without sockets or fibers.
 *
 * The module list is http's, those of modules/site that rewrite, and modules/upstream; what a reply
 * sends is gathered in the harness. Every test makes one harness and ends it.
 */
#ifndef TESTS_UNIT_HTTP_HARNESS_H
#define TESTS_UNIT_HTTP_HARNESS_H

#include "core/process/generation.h"
#include "http/http.h"
#include "http/request.h"

typedef struct harness {
    generation_t generation;
    conf_t cf;
    conf_scope_t *scope;
    conn_t conn;
    request_t *r;       /* the last request, until the next one or the end */
    pool_t *pool;
    str_t body;         /* what the reply to it sent */
    bool aborted;
} harness_t;

/* Reads `text` as the children of http{}. Errors are in harness_errors. */
harness_t *harness_new(const char *text);
void harness_end(harness_t *h);

/* The errors of reading the configuration, as diag prints them; "" for none. */
str_t harness_errors(harness_t *h);

/* Ends *h unless it is NULL, and reads the text into a new one: its errors, until that one ends. */
const char *harness_renew(harness_t **h, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Goes back into the first server's block, with no errors, as if it were still being read. */
void harness_enter(harness_t *h);

/* A request with this head, parsed and ready, but not run. */
request_t *harness_request(harness_t *h, const char *head);

/* The same on a connection from this address (net_parse; port 4711). */
request_t *harness_request_from(harness_t *h, const char *client, const char *head);

/* Runs "GET target" with "Host: host" through the flow: "STATUS BODY", or "STATUS LOCATION" of a
   redirect, or "aborted". */
const char *harness_get(harness_t *h, const char *host, const char *target);

#endif
