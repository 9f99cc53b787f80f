/*
 * dns: single questions to name servers: c-ares on the loop.
 *
 * While questions are under way a fiber drives c-ares, woken by its sockets and its timeouts; at
 * rest nothing is held. A truncated answer is asked for again over TCP, a server that fails or is
 * silent is followed by the next one. Nothing here suspends but that fiber, in which answers are
 * told.
 */
#ifndef CORE_IO_DNS_H
#define CORE_IO_DNS_H

#include "core/io/net.h"

typedef struct dns dns_t;

enum { DNS_ADDRS_MAX = 64 };

typedef struct dns_service { /* an SRV record (RFC 2782) */
    unsigned priority, weight;
    uint16_t port;
    char target[256];
} dns_service_t;

/*
 * A question for the addresses of a name in one family, or for the servers of a service, and what
 * became of it.
 */
typedef struct dns_question {
    int family;                 /* AF_INET, AF_INET6; AF_UNSPEC: SRV */
    void (*done)(struct dns_question *q);
    int err;                    /* 0, -ENOENT, -ETIMEDOUT, -EIO, -ECANCELED (dns_close) */
    const char *why;            /* of err: static text with the code, as nginx has it */
    unsigned count;
    uint32_t ttl;               /* seconds; the least of all addresses and CNAMEs */
    unsigned char (*bytes)[16]; /* count addresses of 4 or 16 bytes; freed with dns_forget */
    dns_service_t *services;    /* count of them, likewise */
} dns_question_t;

/*
 * The servers' addresses are copied (port 0: 53); none: those of /etc/resolv.conf, and then names
 * without a dot are tried in its search domains. timeout_ms is what all repetitions of a question
 * should be done in, roughly. NULL when c-ares cannot be set up.
 */
dns_t *dns_open(const net_addr_t *servers, unsigned count, uint64_t timeout_ms);

/* Every question under way is told -ECANCELED. The memory goes with the driving fiber, if any. */
void dns_close(dns_t *dns);

/* Asks; q->family and q->done are set, the rest is zero. done may be called before this returns. */
void dns_ask(dns_t *dns, dns_question_t *q, const char *name);

/* Makes sure of the fiber; false when there is none to be had, and answers will not be heard. */
bool dns_drive(dns_t *dns);

/* Frees what the answer holds; q is as before dns_ask. */
void dns_forget(dns_question_t *q);

/* The error and the text of a name that cannot be, or of a wait that was too long. */
int dns_no_name(const char **why);
int dns_timed_out(const char **why);

#endif
