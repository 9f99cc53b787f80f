/*
 * resolver: host names to addresses without blocking: DNS with a cache by TTL, hosts file,
 * localhost.
 *
 * One resolver per `resolver` directive and worker, made at worker start. Answers are cached for
 * their TTL (a second to a day), failures for a second; concurrent questions for one name share
 * one lookup. Names in the hosts file are answered from there, localhost (RFC 6761 6.3) here. The
 * cache is bounded. Names are asked for as they stand; only one without a dot is tried in the
 * search domains of /etc/resolv.conf, and only when its servers are asked.
 */
#ifndef CORE_IO_RESOLVER_H
#define CORE_IO_RESOLVER_H

#include "core/base/pool.h"
#include "core/io/net.h"

typedef struct resolver resolver_t;

typedef struct resolver_options {
    const net_addr_t *servers; /* none: those of /etc/resolv.conf; port 0: 53 */
    unsigned server_count;
    bool ipv4, ipv6;           /* which families to ask for; at least one */
    uint64_t valid_ms;         /* overrides the TTL when not 0 */
    uint64_t timeout_ms;       /* for a whole lookup */
    const char *hosts;         /* NULL: /etc/hosts */
} resolver_options_t;

/* NULL when c-ares cannot be set up (no memory, no random bytes). Lives until resolver_free. */
resolver_t *resolver_new(const resolver_options_t *o);

/* Those who still wait get -ECANCELED. */
void resolver_free(resolver_t *r);

enum { RESOLVER_ADDRS_MAX = 64 };

typedef struct resolver_answer {
    unsigned count;    /* 1 to RESOLVER_ADDRS_MAX; IPv4 stands before IPv6 */
    uint64_t expires;  /* clock_ms() until which the answer holds */
    net_addr_t *addrs; /* in the caller's pool, port 0 */
} resolver_answer_t;

/*
 * Looks name up; addresses are copied into pool. 0, or: -ENOENT no such name (or no address, or no
 * name at all), -ETIMEDOUT, -EIO the server failed or answered nonsense, a cancellation's reason.
 * *why (may be NULL) is then a static text for the log as nginx has it, "3: Host not found", to
 * stand in "NAME could not be resolved (WHY)". When one family's answer does not come in time, that
 * of the other counts. Suspends unless the answer is known.
 */
int resolver_lookup(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out,
                    const char **why);

typedef struct resolver_services {
    unsigned count;             /* not 0 */
    uint64_t expires;           /* clock_ms() until which the answer holds */
    struct dns_service *list;   /* in the caller's pool (dns.h) */
} resolver_services_t;

/* Looks up the SRV records of a service ("_http._tcp.example.com"), as resolver_lookup; they are
   asked for anew each time. */
int resolver_lookup_services(resolver_t *r, pool_t *pool, str_t name, resolver_services_t *out,
                             const char **why);

/* Whether somebody waits for an answer. */
bool resolver_is_waited_for(const resolver_t *r);

/* Only what is known: true and *out when a fresh answer is there. Never suspends. */
bool resolver_cached(resolver_t *r, pool_t *pool, str_t name, resolver_answer_t *out);

#endif
