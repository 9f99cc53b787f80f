/*
 * proxy_ssl: https origins: the proxy_ssl_ and grpc_ssl_ directives and the handshake.
 *
 * A context is made per block that sets one of the directives, and only where a proxy_pass may lead
 * to an https origin. Sessions are kept by each worker, per address and name.
 */
#ifndef MODULES_UPSTREAM_PROXY_SSL_H
#define MODULES_UPSTREAM_PROXY_SSL_H

#include "core/config/conf.h"
#include "core/io/tls.h"
#include "http/origin.h"

typedef struct proxy proxy_t;
typedef struct proxy_pass proxy_pass_t;
typedef struct proxy_ssl_conf proxy_ssl_conf_t;

extern const module_t proxy_ssl_module, grpc_ssl_module;

/*
 * The http block has been read: what the pass needs to reach https origins. Warns of one that will
 * not be verified. False: said.
 */
bool proxy_ssl_prepare(conf_t *cf, const proxy_pass_t *pass);

/*
 * Before an attempt, its peer being known: p->tls; its ctx is NULL for a plain origin. False: the
 * certificate that the request has chosen cannot be shown (logged).
 */
bool proxy_ssl_describe(proxy_t *p);

/* The same without a request (health checks): a name that depends on one is the pass's host. */
void proxy_ssl_describe_pass(const proxy_pass_t *pass, str_t peer, tls_client_t *tls);

/*
 * Shakes hands on a fresh connection. The connection, or NULL with *err: it is closed, and why is
 * logged but for -ETIMEDOUT and a cancellation. Suspends.
 */
origin_t *proxy_ssl_start(proxy_t *p, origin_t *o, int *err);

#endif
