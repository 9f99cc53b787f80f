/*
 * negotiate: which content coding a client would like best: Accept-Encoding (RFC 9110 12.5.3).
 *
 * Pure; nothing suspends.
 */
#ifndef HTTP_NEGOTIATE_H
#define HTTP_NEGOTIATE_H

#include "http/header.h"

typedef enum coding {
    CODING_IDENTITY, /* none */
    CODING_GZIP,     /* also by its old name x-gzip (RFC 9110 8.4.1.3) */
    CODING_BR,
    CODING_ZSTD,
    CODING_DEFLATE,  /* zlib's (RFC 1950), and what browsers have sent by that name */
    CODING_COUNT
} coding_t;

/* How much each coding is liked, in thousandths; 0: it must not be used. */
typedef struct negotiate {
    uint16_t weight[CODING_COUNT];
} negotiate_t;

/*
 * What the fields of a request say. A client without the field may take anything, but has not said
 * that it can: only identity counts as liked. Of a coding that is listed twice the first counts; a
 * member whose weight is malformed is as good as q=0.
 */
negotiate_t negotiate_read(const header_list_t *request);

/*
 * The coding with the highest weight of those offered, which stand in the order of our own
 * preference and so decide between equal weights. CODING_IDENTITY need not be offered: it is there
 * always, comes last among equals, and is what a client gets that refuses all, identity too.
 */
coding_t negotiate_choose(const negotiate_t *n, const coding_t *offered, unsigned count);

/* The coding of that name in any case; CODING_COUNT: none that is known here. */
coding_t negotiate_coding(str_t name);

/* Its name as it stands in Content-Encoding; of CODING_IDENTITY p is NULL. */
str_t negotiate_name(coding_t coding);

#endif
