#include "http/client.h"

#include <errno.h>

#include "http/client_mux.h"

enum { INTERIMS_MOST = 64, FILE_PIECE = 512 * 1024 };

/* --- holding --- */

static void cleanup(void *arg)
{
    client_t *c = arg;
    client_close(c);
    buf_return(c->in);
    if (c->stream) mux_stream_clear(c->stream);
}

static client_t *make(pool_t *pool)
{
    client_t *c = POOL_NEW(pool, client_t);
    c->pool = pool;
    header_list_init(&c->head.headers, pool);
    pool_defer(pool, cleanup, c);
    return c;
}

client_t *client_new(pool_t *pool, origin_t *origin)
{
    client_t *c = make(pool);
    c->origin = origin;
    c->received_before = origin->stream.received;
    c->sent_before = origin->stream.sent;
    origin->exchanges++;
    return c;
}

client_t *client_new_shared(pool_t *pool, mux_t *mux)
{
    client_t *c = make(pool);
    c->mux = mux;
    c->stream = POOL_NEW(pool, mux_stream_t);
    c->stream->pool = pool;
    return c;
}

bool client_is_open(const client_t *c)
{
    return c->origin || (c->stream && !c->closed && !c->piped);
}

uint64_t client_received(const client_t *c)
{
    if (c->stream) return c->stream->received;
    return c->origin ? c->origin->stream.received - c->received_before : c->received_before;
}

uint64_t client_sent(const client_t *c)
{
    if (c->stream) return c->stream->sent;
    return c->origin ? c->origin->stream.sent - c->sent_before : c->sent_before;
}

origin_t *client_take(client_t *c)
{
    origin_t *o = c->origin;
    uint64_t received = client_received(c), sent = client_sent(c);
    c->origin = NULL;
    c->received_before = received; /* from now on the totals themselves */
    c->sent_before = sent;
    return o;
}

void client_close(client_t *c)
{
    if (c->stream) client_mux_close(c);
    if (c->origin) origin_close(client_take(c));
}

bool client_refused(const client_t *c)
{
    return c->stream && c->stream->refused;
}

/* --- reading --- */

static bool has_no_body(const client_t *c)
{
    unsigned status = c->head.status;
    return c->head_request || status == 101 || status == 204 || status == 304;
}

static void begin_body(client_t *c, size_t head_size)
{
    c->answered = true;
    c->head_at = (size_t)(c->in->pos - c->in->start);
    c->in->pos += head_size;
    c->body_at = (size_t)(c->in->pos - c->in->start);
    c->left = c->head.framing == PARSE_LENGTH ? c->head.content_length : 0;
    c->ended = has_no_body(c) || c->head.framing == PARSE_NO_BODY ||
               (c->head.framing == PARSE_LENGTH && c->left == 0);
}

static int take_interim(client_t *c, size_t size)
{
    if (++c->interims > INTERIMS_MOST) {
        c->why = PARSE_BAD_STATUS;
        return -EBADMSG;
    }
    int err = c->interim ? c->interim(c->arg, &c->head) : 0;
    c->in->pos += size;
    c->scanned = 0;
    return err;
}

/* Looks at what has been read: 1 the final head is there, 0 more is needed, or an error. */
static int parse_head(client_t *c)
{
    while (c->in && buf_used(c->in)) {
        size_t size = 0;
        parse_error_t e = PARSE_OK;
        if (c->scanned) e = parse_more(c->in->pos, buf_used(c->in), &c->scanned);
        if (e == PARSE_OK) e = parse_response(c->in->pos, buf_used(c->in), &c->head, &size);
        if (e == PARSE_MORE && c->scanned == 0)
            e = parse_more(c->in->pos, buf_used(c->in), &c->scanned);
        if (e == PARSE_MORE) break;
        c->why = e;
        if (e != PARSE_OK) return -EBADMSG;
        if (c->head.status >= 200 || c->head.status == 101) {
            begin_body(c, size);
            return 1;
        }
        int err = take_interim(c, size);
        if (err < 0) return err;
    }
    return 0;
}

/* How much the next read may bring. */
static size_t room_of(const client_t *c)
{
    size_t room = buf_room(c->in);
    return c->read_most && c->read_most < room ? c->read_most : room;
}

static int make_room(client_t *c)
{
    if (!c->in) c->in = buf_take(c->buffer_size);
    if (buf_room(c->in)) return 0;
    buf_compact(c->in);
    if (buf_room(c->in)) return 0;
    if (buf_capacity(c->in) >= c->head_max) return -EMSGSIZE;
    c->in = buf_grow(c->in, buf_capacity(c->in) * 2);
    return 0;
}

/* What a read has brought, in terms of this room. */
static int took(client_t *c, ssize_t got)
{
    if (got > 0) c->in->last += got;
    if (got == 0) c->closed = true;
    return got > 0 ? 0 : got == 0 ? -ENODATA : (int)got;
}

int client_poll(client_t *c)
{
    if (c->stream) return client_mux_poll(c);
    stream_t *s = &c->origin->stream;
    while (!c->answered && stream_readable(s)) {
        int err = make_room(c);
        if (err == 0) err = took(c, stream_try_read(s, c->in->last, room_of(c)));
        if (err == -EAGAIN) return 0;
        if (err == 0) err = parse_head(c);
        if (err < 0) return err;
    }
    return c->answered;
}

int client_wait(client_t *c, uint64_t timeout_ms)
{
    if (c->stream) return client_mux_wait(c, timeout_ms);
    return loop_wait(&c->origin->stream.io, LOOP_READ, timeout_ms);
}

int client_head(client_t *c)
{
    for (;;) {
        int r = client_poll(c);
        if (r != 0) return r < 0 ? r : 0;
        r = client_wait(c, c->read_timeout);
        if (r < 0) return r;
    }
}

/* --- the body --- */

static ssize_t next_of_length(client_t *c, str_t *piece)
{
    size_t have = buf_used(c->in);
    if (have > c->left) have = (size_t)c->left;
    if (have == 0) return -EAGAIN;
    *piece = str_make(c->in->pos, have);
    c->in->pos += have;
    c->left -= have;
    c->ended = c->left == 0;
    return (ssize_t)have;
}

static ssize_t next_until_close(client_t *c, str_t *piece)
{
    *piece = buf_str(c->in);
    c->in->pos = c->in->last;
    if (piece->n) return (ssize_t)piece->n;
    c->ended = c->closed;
    return c->closed ? 0 : -EAGAIN;
}

static ssize_t read_trailers(client_t *c)
{
    size_t size = 0;
    if (!c->trailers.pool) header_list_init(&c->trailers, c->pool);
    parse_error_t e = parse_trailers(c->in->pos, buf_used(c->in), &c->trailers, &size);
    if (e == PARSE_MORE) return -EAGAIN;
    if (e != PARSE_OK) return -EBADMSG;
    c->in->pos += size;
    c->ended = true;
    return 0;
}

static ssize_t next_chunked(client_t *c, str_t *piece)
{
    if (c->in_trailers) return read_trailers(c);
    str_t in = buf_str(c->in);
    chunk_result_t result = chunk_decode(&c->chunk, &in, piece);
    c->in->pos = (char *)(uintptr_t)in.p;
    switch (result) {
    case CHUNK_DATA: return (ssize_t)piece->n;
    case CHUNK_MORE: return -EAGAIN;
    case CHUNK_LAST: c->in_trailers = true; return read_trailers(c);
    case CHUNK_BAD: break;
    }
    return -EBADMSG;
}

ssize_t client_next(client_t *c, str_t *piece)
{
    if (c->ended) return 0;
    if (c->stream) return client_mux_next(c, piece);
    if (c->head.framing == PARSE_CHUNKED) return next_chunked(c, piece);
    if (c->head.framing == PARSE_LENGTH) return next_of_length(c, piece);
    return next_until_close(c, piece);
}

/* Moves what is unread (nothing, but for half of the trailers) to the front, behind the head. */
static bool make_body_room(client_t *c)
{
    buf_t *in = c->in;
    char *start = in->start + c->body_at;
    size_t used = buf_used(in);
    if (in->pos != start && used) memmove(start, in->pos, used);
    in->pos = start;
    in->last = start + used;
    return buf_room(in) > 0;
}

int client_fill(client_t *c)
{
    if (c->stream) return client_mux_fill(c);
    if (!make_body_room(c)) return -EBADMSG; /* trailers without end */
    stream_t *s = &c->origin->stream;
    int err = took(c, stream_read(s, c->in->last, room_of(c), c->read_timeout));
    bool end = c->closed && c->head.framing == PARSE_UNTIL_CLOSE; /* TLS: and not cut off */
    return end ? 0 : err;
}

void client_used(client_t *c)
{
    if (c->stream) client_mux_used(c);
}

bool client_reusable(const client_t *c)
{
    bool unframed = (c->head.status == 204 && c->head.framing == PARSE_LENGTH && c->left) ||
                    ((c->head.status == 204 || c->head.status == 304) &&
                     c->head.framing == PARSE_CHUNKED);
    return c->origin && c->answered && c->ended && c->sent && !c->closed && !unframed &&
           c->head.keep_alive && (c->head.framing != PARSE_UNTIL_CLOSE || has_no_body(c)) &&
           c->head.status != 101 && buf_used(c->in) == 0;
}

void client_settle(client_t *c)
{
    size_t n = c->body_at - c->head_at, size;
    char *copy = pool_memdup(c->pool, c->in->start + c->head_at, n);
    parse_response(copy, n, &c->head, &size);
}

void client_drop_buffer(client_t *c)
{
    buf_return(c->in);
    c->in = NULL;
}

str_t client_rest(const client_t *c)
{
    return buf_str(c->in);
}

/* --- sending --- */

/* Takes n written bytes off the front of the vector. */
static void advance(struct iovec **iov, int *count, size_t n)
{
    while (*count && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++, (*count)--;
    }
    if (!*count) return;
    (*iov)->iov_base = (char *)(*iov)->iov_base + n;
    (*iov)->iov_len -= n;
}

/* A write that failed because the origin closed: it may have said why before (an early 4xx). */
static int after_failed_write(client_t *c, int err)
{
    if (err != -EPIPE && err != -ECONNRESET) return err;
    return client_poll(c) > 0 ? 1 : err;
}

static int wait_to_send(client_t *c)
{
    return loop_wait(&c->origin->stream.io, LOOP_WRITE | LOOP_READ, c->send_timeout);
}

int client_send(client_t *c, struct iovec *iov, int n)
{
    stream_t *s = &c->origin->stream;
    advance(&iov, &n, 0);
    while (n) {
        int r = client_poll(c);
        if (r != 0) return r;
        ssize_t put = stream_try_writev(s, iov, n);
        if (put == -EAGAIN) put = wait_to_send(c);
        if (put < 0) return after_failed_write(c, (int)put);
        advance(&iov, &n, (size_t)put);
    }
    return 0;
}

static ssize_t try_sendfile(stream_t *s, int fd, off_t *at, size_t n)
{
    if (!(s->io.ready & LOOP_WRITE)) return -EAGAIN;
    ssize_t put = s->ops->sendfile(s, fd, at, n);
    if (put > 0) s->sent += (uint64_t)put;
    return put;
}

int client_send_file(client_t *c, int fd, off_t at, uint64_t n)
{
    stream_t *s = &c->origin->stream;
    while (n) {
        int r = client_poll(c);
        if (r != 0) return r;
        size_t piece = n < FILE_PIECE ? (size_t)n : FILE_PIECE;
        ssize_t put = try_sendfile(s, fd, &at, piece);
        if (put == 0) return -EIO; /* the file has become shorter */
        if (put == -EAGAIN) put = wait_to_send(c);
        if (put < 0) return after_failed_write(c, (int)put);
        n -= (uint64_t)put;
    }
    return 0;
}
