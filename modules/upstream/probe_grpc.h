/*
 * probe_grpc: the health protocol of gRPC (grpc.health.v1): what is asked and what the answer
 * means.
 *
 *     POST /grpc.health.v1.Health/Check      HealthCheckRequest { string service = 1; }
 *     HealthCheckResponse { status = 1: SERVING is 1 }, and in the trailers grpc-status: 0
 *
 * Messages stand in frames: a byte (0: not compressed), four of length, the highest first. Pure.
 */
#ifndef MODULES_UPSTREAM_PROBE_GRPC_H
#define MODULES_UPSTREAM_PROBE_GRPC_H

#include "core/base/pool.h"
#include "http/client.h"
#include "modules/upstream/fault.h"

enum { PROBE_GRPC_SERVICE_MAX = 120 };

/* The request's body: one frame. The name has at most PROBE_GRPC_SERVICE_MAX bytes. */
str_t probe_grpc_body(pool_t *pool, str_t service);

/*
 * 0: it serves. c has been read to its end, body is what came. An origin without that service that
 * answers with the status `accepted` is as good.
 */
fault_t probe_grpc_judge(const client_t *c, str_t body, unsigned accepted);

#endif
