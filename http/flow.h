/* flow: the table of contents of a request: route, phases, reply, log. hooks.h tells it in
   prose. */
#ifndef HTTP_FLOW_H
#define HTTP_FLOW_H

#include "http/request.h"

/* Runs the request to its end, log line included. Never fails: errors end in the reply.
   Suspends. */
void flow_run(request_t *r);

/* The content phase of an inner request (fetch.h). Suspends. */
verdict_t flow_content(request_t *r);

/* An inner request for a URI of its own: from its server's rewrite to its content. Who may come in
   is not asked: that was, or is being, found out for the outer request. Suspends. */
verdict_t flow_elsewhere(request_t *r);

/* The log phase, once; a detached request's tunnel calls it when it ends. */
void flow_log(request_t *r);

/* A request that could not be parsed: answers with the status, logs once, and closes. */
void flow_refuse(request_t *r, int status, int level, const char *reason);

#endif
