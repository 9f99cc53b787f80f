/*
 * resolver: host names to addresses without blocking: c-ares on the loop, with a cache by TTL.
 *
 * One resolver per `resolver` directive and worker, made at worker start. Answers are cached for
 * their TTL (bounded), failures for a few seconds; concurrent questions for one name share one
 * lookup. Names in /etc/hosts are answered from there. The cache is bounded.
 */
#ifndef CORE_IO_RESOLVER_H
#define CORE_IO_RESOLVER_H

#include "core/base/pool.h"
#include "core/io/net.h"

typedef struct resolver resolver_t;

typedef struct resolver_options {
    const net_addr_t *servers; /* none: those of /etc/resolv.conf */
    unsigned server_count;
    bool ipv4, ipv6;           /* which families to ask for */
    uint64_t valid_ms;         /* overrides the TTL when not 0 */
    uint64_t timeout_ms;       /* for a whole lookup */
} resolver_options_t;

/* NULL when c-ares cannot be set up. Lives until resolver_free. */
resolver_t *resolver_new(const resolver_options_t *o);
void resolver_free(resolver_t *r);

enum { RESOLVER_ADDRS_MAX = 64 };

typedef struct resolver_answer {
    unsigned count;
    uint64_t expires;  /* clock_ms() until which the answer holds */
    net_addr_t *addrs; /* in the caller's pool, port 0 */
} resolver_answer_t;

/*
 * Looks name up; addresses are copied into pool. 0, or: -ENOENT no such name (or no address),
 * -ETIMEDOUT, -EIO the server failed or answered nonsense, a cancellation's reason. *why (may be NULL) is set to
 * a text for the log. Suspends unless the cache answers.
 */
int resolver_lookup(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out,
                    const char **why);

/* Only from the cache: true and *out when a fresh answer is there. */
bool resolver_cached(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out);

#endif
