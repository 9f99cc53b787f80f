/*
 * client: one exchange with an origin: request out, response in; over HTTP/1 (RFC 9112):
 *
 *     client_new -> client_send (as often as it takes) -> client_head -> client_next / client_fill
 *
 * or over a stream of a shared HTTP/2 connection (RFC 9113, mux.h), where one fiber may send the
 * body while another reads:
 *
 *     client_new_shared -> client_begin -> client_send_body -> client_head -> client_next ...
 *
 * The caller composes the request's bytes and lends a connection. A buffer is taken only when the
 * origin has something to say, so an exchange that waits holds none; head and body are read into
 * it together, and what the response holds (head.headers) are slices into it: it goes back with
 * the pool. Nothing of a response is trusted. Errors are negative errno; of our own:
 *
 *     -ENODATA   the origin closed the connection before the message was whole
 *     -EBADMSG   what it sent is no response (`why` tells, or `fault`)
 *     -EMSGSIZE  its head is larger than head_max
 *     -ETIMEDOUT, -ECONNRESET, -EPIPE ..., a cancellation's reason
 *
 * Everything but client_new, client_next and the questions may suspend.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "core/base/buf.h"
#include "core/io/stream.h"
#include "http/chunk.h"
#include "http/origin.h"
#include "http/mux.h"
#include "http/parse.h"

typedef struct client {
    pool_t *pool;
    origin_t *origin;           /* NULL: closed, kept or given away; or shared */
    mux_t *mux;                 /* shared: until client_begin */
    mux_stream_t *stream;       /* NULL: not shared */
    /* Set by the caller behind client_new. */
    size_t buffer_size;         /* bytes read at once */
    size_t read_most;           /* fewer, when whoever gets them takes no more now; 0: no matter */
    size_t head_max;
    uint64_t send_timeout, read_timeout; /* ms between two steps */
    bool head_request;          /* HEAD: the response has no body */
    /* An interim response (1xx but 101) has come; 0 or what ends the exchange. May be NULL. */
    int (*interim)(void *arg, const parse_response_t *head);
    void *arg;

    parse_response_t head;      /* when `answered` */
    header_list_t trailers;     /* behind a chunked body, when `ended` */
    parse_error_t why;          /* of -EBADMSG in the head */
    const char *fault;          /* the same of a shared one */
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
    bool piped;                 /* the stream is a tunnel's */
} client_t;

/* origin belongs to the exchange from now on. All else is zero: set what the caller sets. */
client_t *client_new(pool_t *pool, origin_t *origin);

/* The same on a connection that has room; nothing may suspend until client_begin. */
client_t *client_new_shared(pool_t *pool, mux_t *mux);

/* Closes the connection if it is still held, or the stream. Also done when the pool goes. */
void client_close(client_t *c);
bool client_is_open(const client_t *c);

/*
 * Shared: sends the head (RFC 9112's form, made by us; changed by it). ends: no body follows. 0, or
 * -ECONNRESET: this connection takes no more (client_refused).
 */
int client_begin(client_t *c, str_t head, bool https, bool ends);

/* The same for a tunnel (RFC 8441), where mux_session_takes_tunnels. */
int client_begin_tunnel(client_t *c, str_t head, bool https, str_t protocol);

/*
 * Shared: sends a piece of the body; 1 when the origin wants no more of it, else 0 or an error.
 * client_credit bytes would go without waiting.
 */
int client_send_body(client_t *c, str_t piece, bool last);
size_t client_credit(const client_t *c);

/* Shared: fields behind the last piece; before it is sent. */
void client_set_trailers(client_t *c, const header_list_t *list);

/* Shared: the exchange is over with this error, whoever waits for it. */
void client_fail(client_t *c, int err);

/* The origin has not begun to serve the request: another may be asked whatever it was. */
bool client_refused(const client_t *c);

/*
 * Shared, for a tunnel that the origin has begun: its bytes, which the caller sees to from now on.
 * client_pipe_close ends it: in order (err 0) when what was written is on its way.
 */
stream_t *client_pipe(client_t *c);
void client_pipe_close(client_t *c, int err);

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

/* Waits until it is worth to poll again: 0, also when the fiber was woken; or an error. */
int client_wait(client_t *c, uint64_t timeout_ms);

/*
 * The next piece of the body (decoded) from what has been read: its length, 0 at the end, -EAGAIN
 * when more must be read (client_fill), which ends the life of all pieces before.
 */
ssize_t client_next(client_t *c, str_t *piece);
int client_fill(client_t *c);

/* The pieces so far are not needed any more: a shared connection's origin may send as much
   again. */
void client_used(client_t *c);

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
