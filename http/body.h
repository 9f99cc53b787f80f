/*
 * body: the request's body: read as it comes, or gathered whole first.
 *
 * client_max_body_size holds in every way of reading. Errors: -EFBIG (413), -EBADMSG (400: bad
 * framing), -ETIMEDOUT (408), -ECONNRESET (the client left). body_verdict turns one into a refusal.
 *
 * A module may put a source of its own between the connection and all who read (body_push), which
 * hands on something else than what it reads: unpacked, say. Nobody else sees a difference, but
 * that the length is unknown; client_max_body_size then counts what the last source hands on, too.
 * Of sources come -EILSEQ (400: not what its head says it is) and -EOVERFLOW (413: grows beyond
 * measure).
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "http/hooks.h"

typedef struct body_source body_source_t;

struct body_source {
    body_source_t *next; /* where it reads; NULL: the connection */
    /* As body_next and body_readable. */
    ssize_t (*read)(body_source_t *s, request_t *r, str_t *piece);
    bool (*readable)(const body_source_t *s, const request_t *r);
    void *state;
};

typedef struct body {
    body_source_t *source; /* the last one pushed; NULL: the connection */
    buf_t *memory;   /* gathered bytes, while they fit client_body_buffer_size */
    int fd;          /* else all of them stand in this unlinked file; -1: none */
    uint64_t size;   /* bytes gathered, or seen so far */
    bool gathered;   /* body_gather has run */
    bool ended;      /* the last byte has been read */
} body_t;

/* Whether the request has a body at all (of whatever length). */
bool body_present(const request_t *r);

/* Declared length, or -1 when unknown (chunked, or it comes from a source). */
int64_t body_length(const request_t *r);

/* Whether its declared length is more than client_max_body_size allows. */
bool body_declared_too_large(const request_t *r);

/*
 * The next piece, a slice valid until the next call: its length, 0 at the end, or an error. Sends
 * 100 Continue when the client waits for it. Suspends.
 */
ssize_t body_next(request_t *r, str_t *piece);

/* Whether body_next has something to look at already: what it says is not to be waited for. */
bool body_readable(const request_t *r);

/* Whether all that is left has come and is small enough to be held: body_gather need not wait. */
bool body_at_hand(const request_t *r);

/* Reads all of it into r->body (memory, then a temporary file). 0 or an error. Suspends. */
int body_gather(request_t *r);

/* Reads and drops what is left, up to a bound; false when the connection cannot be used again. */
bool body_drain(request_t *r);

/* Puts a source (in the request's pool) before all others; nothing may have been read yet. */
void body_push(request_t *r, const body_source_t *source);

/* For a source: the next piece of what stands behind it; valid until the next call. `room` (n
   bytes) may be read into. */
ssize_t body_pull(body_source_t *next, request_t *r, char *room, size_t n, str_t *piece);
bool body_pullable(const body_source_t *next, const request_t *r);

/* What has been gathered, in memory, gives way to `b`, which is the request's from now on. */
void body_replace(request_t *r, buf_t *b);

/* Gives `in`, which has none, a copy of what has been gathered of r's. 0 or negative errno. */
int body_share(const request_t *r, request_t *in);

/* What to refuse a request with whose body could not be read because of err (of the calls
   above). */
verdict_t body_verdict(request_t *r, int err);

#endif
