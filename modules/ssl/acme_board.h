/*
 * acme_board: what the processes know of certificates that are asked for: in shared memory.
 *
 * The agent alone writes; workers read. For each issuer there is the challenge in work, of which
 * there is one at a time; for each certificate how it fares. A process that is killed while it
 * holds the board's lock leaves texts that may be mixed, never longer than they are. Nothing
 * suspends.
 */
#ifndef MODULES_SSL_ACME_BOARD_H
#define MODULES_SSL_ACME_BOARD_H

#include "core/base/pool.h"
#include "core/shared/slab.h"

typedef struct acme_board acme_board_t;

enum {
    ACME_BOARD_TOKEN = 255,      /* the longest token that is taken */
    ACME_BOARD_NAME = 253,       /* of RFC 1035's names */
    ACME_BOARD_THUMBPRINT = 43,  /* of a SHA-256 digest in base64url */
    ACME_BOARD_ERROR = 255,
};

typedef struct acme_board_size {
    unsigned issuers, certificates;
} acme_board_size_t;

/* zone_t.init; arg: an acme_board_size_t. */
void *acme_board_init(slab_t *slab, void *arg);

/* A zone of this many bytes has room for it. */
size_t acme_board_bytes(acme_board_size_t size);

/* --- challenges --- */

/* The issuer's challenge in work from now on; all within their bounds. */
void acme_board_challenge(acme_board_t *b, unsigned issuer, bool tls, str_t name, str_t token,
                          str_t thumbprint);
void acme_board_unchallenge(acme_board_t *b, unsigned issuer);

/* Whether there is any: costs a load. */
bool acme_board_is_challenged(const acme_board_t *b);

/*
 * The key authorization (RFC 8555 8.1) to answer with: by token, of a challenge over HTTP; or by
 * name, over TLS. In the pool; false: there is none.
 */
bool acme_board_by_token(acme_board_t *b, str_t token, pool_t *pool, str_t *out);
bool acme_board_by_name(acme_board_t *b, str_t name, pool_t *pool, str_t *out);

/* --- certificates --- */

typedef enum acme_board_state {
    ACME_BOARD_WAITING, /* for its turn; nothing has failed */
    ACME_BOARD_ASKING,
    ACME_BOARD_ISSUED,
    ACME_BOARD_FAILED,  /* and will be tried again */
} acme_board_state_t;

typedef struct acme_board_row {
    acme_board_state_t state;
    unsigned failures;          /* in a row */
    unsigned version;           /* of what is in the file: another number, another certificate */
    uint64_t next_ms;           /* when it will be asked for, since 1970; 0: not known yet */
    char error[ACME_BOARD_ERROR + 1]; /* of the last failure; empty: none */
} acme_board_row_t;

void acme_board_read(acme_board_t *b, unsigned certificate, acme_board_row_t *out);
void acme_board_write(acme_board_t *b, unsigned certificate, const acme_board_row_t *row);

/* Sets the row's text; a long one is cut between two characters of UTF-8. */
void acme_board_set_error(acme_board_row_t *row, const char *text);

/* The row's version alone: costs a load. */
unsigned acme_board_version(const acme_board_t *b, unsigned certificate);

/* Somebody wants what has failed to be tried again now; how often somebody did. */
void acme_board_hurry(acme_board_t *b);
unsigned acme_board_hurries(const acme_board_t *b);

#endif
