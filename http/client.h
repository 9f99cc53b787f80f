/*
 * client: one exchange with an origin over HTTP/1 (RFC 9112): request out, response in.
 *
 *     client_new -> client_send (as often as it takes) -> client_head -> client_next / client_fill
 *
 * The caller composes the request's bytes and lends a connection. A buffer is taken only when the
 * origin has something to say, so an exchange that waits holds none; head and body are read into
 * it together, and what the response holds (head.headers) are slices into it: it goes back with
 * the pool. Nothing of a response is trusted. Errors are negative errno; of our own:
 *
 *     -ENODATA   the origin closed the connection before the message was whole
 *     -EBADMSG   what it sent is no HTTP/1 response (`why` tells)
 *     -EMSGSIZE  its head is larger than head_max
 *     -ETIMEDOUT, -ECONNRESET, -EPIPE ..., a cancellation's reason
 *
 * Everything but client_new, client_next and the questions may suspend.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "core/base/buf.h"
#include "http/chunk.h"
#include "http/origin.h"
#include "http/parse.h"

typedef struct client {
    pool_t *pool;
    origin_t *origin;           /* NULL: closed, kept or given away */
    /* Set by the caller behind client_new. */
    size_t buffer_size;         /* bytes read at once */
    size_t head_max;
    uint64_t send_timeout, read_timeout; /* ms between two steps */
    bool head_request;          /* HEAD: the response has no body */
    /* An interim response (1xx but 101) has come; 0 or what ends the exchange. May be NULL. */
    int (*interim)(void *arg, const parse_response_t *head);
    void *arg;

    parse_response_t head;      /* when `answered` */
    header_list_t trailers;     /* behind a chunked body, when `ended` */
    parse_error_t why;          /* of -EBADMSG in the head */
    bool answered;              /* the final head is there */
    bool ended;                 /* the body has been read whole */
    bool sent;                  /* the request is out whole: the caller says so */
    uint64_t received_before, sent_before; /* the stream's counters when the exchange began */

    buf_t *in;                  /* [start, body_at): heads; [pos, last): unread */
    size_t head_at, body_at, scanned;
    unsigned interims;
    chunk_t chunk;
    uint64_t left;              /* of a body of known length */
    bool in_trailers, closed;
} client_t;

/* origin belongs to the exchange from now on. All else is zero: set what the caller sets. */
client_t *client_new(pool_t *pool, origin_t *origin);

/* Closes the connection if it is still held. Also done when the pool goes. */
void client_close(client_t *c);

/* The connection is the caller's again (to keep it, or for a tunnel). */
origin_t *client_take(client_t *c);

/*
 * Sends all of iov (changed by it), or file bytes. 1: the origin has given its final answer before
 * the end of the request, stop sending. 0 when all is sent.
 */
int client_send(client_t *c, struct iovec *iov, int n);
int client_send_file(client_t *c, int fd, off_t at, uint64_t n);

/* Waits for the final head. 0 or an error. */
int client_head(client_t *c);

/* The same without waiting: 1 when it is there, 0 when not yet. */
int client_poll(client_t *c);

/*
 * The next piece of the body (decoded) from what has been read: its length, 0 at the end, -EAGAIN
 * when more must be read (client_fill), which ends the life of all pieces before.
 */
ssize_t client_next(client_t *c, str_t *piece);
int client_fill(client_t *c);

/* Whether the connection is fit for another exchange: all was sent, read, framed, and no more. */
bool client_reusable(const client_t *c);

/*
 * For what outlives the exchange (a tunnel): moves the head into the pool. client_rest is what was
 * read beyond it; client_drop_buffer gives the buffer back.
 */
void client_settle(client_t *c);
str_t client_rest(const client_t *c);
void client_drop_buffer(client_t *c);

/* Bytes of this exchange. */
uint64_t client_received(const client_t *c);
uint64_t client_sent(const client_t *c);

#endif
