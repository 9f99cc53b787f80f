/*
 * cidr: IPv4 and IPv6 prefixes to values, by the longest match.
 *
 * A tree lives in a pool and is only added to while a configuration is read. Looking up costs at
 * most one step per bit that tells prefixes apart, however many prefixes there are. Addresses are
 * raw bytes in network order, 4 of IPv4 or 16 of IPv6; the families are kept apart. Nothing
 * suspends.
 */
#ifndef CORE_BASE_CIDR_H
#define CORE_BASE_CIDR_H

#include "core/base/pool.h"

/* A prefix; the bits of the address behind it are zero. */
typedef struct cidr {
    unsigned char bytes[16];
    uint8_t size; /* of the address: 4 or 16 bytes */
    uint8_t bits; /* of the prefix: at most 8 * size */
} cidr_t;

/*
 * Parses "10.0.0.0/8", "2001:db8::/32", or an address alone, which is a prefix of all its bits.
 * Bits set behind the prefix are cleared; *exact (may be NULL) tells whether there were none. False
 * when s is none of these.
 */
bool cidr_parse(str_t s, cidr_t *out, bool *exact);

/* Whether the address (4 or 16 bytes) lies within. */
bool cidr_contains(const cidr_t *c, str_t address);

typedef struct cidr_tree cidr_tree_t;

cidr_tree_t *cidr_new(pool_t *pool);

/* Stores value (not NULL) under the prefix. Returns the value that was there before (replaced), or
   NULL. */
void *cidr_add(cidr_tree_t *tree, const cidr_t *prefix, void *value);

/* The value of the longest prefix that contains the address, or NULL (also for other sizes). */
void *cidr_find(const cidr_tree_t *tree, str_t address);

#endif
