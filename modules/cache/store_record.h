/*
 * store_record: what is known of a stored response, as bytes: in front of its body on disk and in
 * memory.
 *
 * A file holds room for two records, then the body: a new head is written into the room that is not
 * in use, so that one is whole at any time. Each carries magic and version, lengths, the key, and
 * checksums of itself and of the body; what is not whole in every respect is no record. Numbers are
 * in the machine's order (a cache does not travel). Pure.
 */
#ifndef MODULES_CACHE_STORE_RECORD_H
#define MODULES_CACHE_STORE_RECORD_H

#include "core/base/str.h"

enum {
    STORE_RECORD_FIXED = 88,       /* bytes before the texts */
    STORE_RECORD_ROUND = 512,      /* rooms are multiples of it */
    STORE_RECORD_MOST = 128 * 1024, /* bytes of one */
};

typedef struct store_record {
    uint64_t id, variant;
    uint64_t length;    /* of the body; 0 unless it is complete */
    uint32_t body_check; /* CRC-32C of the body */
    uint32_t born, stored; /* purge clock; unix seconds */
    uint32_t room;      /* bytes of each of the two rooms */
    uint32_t size;      /* of the record; set by store_record_size */
    uint8_t version;    /* grows with every new head */
    bool complete;      /* the body is whole */
    bool stale;         /* softly purged since */
    str_t key, vary, head;
    str_t tags;         /* hashes, 8 bytes each, perhaps not aligned */
} store_record_t;

/* The bytes the record takes; 0 when it is larger than a record may be. */
uint32_t store_record_size(const store_record_t *r);

/* A room for the record with some to spare for later heads. */
uint32_t store_record_room(uint32_t size);

/* Writes the record to out, which has store_record_size bytes. */
void store_record_put(char *out, const store_record_t *r);

/* What the bytes begin with: slices of them. False: it is no record. */
bool store_record_get(str_t bytes, store_record_t *out);

/* The same without its checksum, for bytes that were verified when they came here. */
bool store_record_peek(str_t bytes, store_record_t *out);

/*
 * The later one of the two records at the beginning of a file, of which `bytes` are the first (all
 * of both rooms, if they are to be found). *second tells in which room it is. False: there is none.
 */
bool store_record_find(str_t bytes, store_record_t *out, bool *second);

static inline unsigned store_record_tags(const store_record_t *r)
{
    return (unsigned)(r->tags.n / sizeof(uint64_t));
}

static inline uint64_t store_record_tag(const store_record_t *r, unsigned i)
{
    uint64_t tag;
    memcpy(&tag, r->tags.p + i * sizeof(tag), sizeof(tag));
    return tag;
}

#endif
