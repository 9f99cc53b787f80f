#include "http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/http.h"
#include "http/request.h"

enum { STREAM_BUFFER = 32 * 1024, DRAIN_MOST = 256 * 1024 };

bool body_present(const request_t *r)
{
    return r->head.framing == PARSE_CHUNKED ||
           (r->head.framing == PARSE_LENGTH && r->head.content_length > 0);
}

int64_t body_length(const request_t *r)
{
    if (r->head.framing == PARSE_CHUNKED || r->body.source) return -1;
    return r->head.framing == PARSE_LENGTH ? (int64_t)r->head.content_length : 0;
}

/* Counts a piece against client_max_body_size. */
static ssize_t count(request_t *r, ssize_t got)
{
    if (got == 0) r->body.ended = true;
    if (got <= 0) return got;
    uint64_t limit = http_conf(r->conf)->client_max_body_size;
    r->body.size += (uint64_t)got;
    return limit && r->body.size > limit ? -EFBIG : got;
}

bool body_declared_too_large(const request_t *r)
{
    uint64_t limit = http_conf(r->conf)->client_max_body_size;
    return limit && r->head.framing == PARSE_LENGTH && r->head.content_length > limit;
}

static void return_memory(void *arg)
{
    buf_return(arg);
}

/* The buffer that bodies are read into; goes back with the request. */
static buf_t *memory_of(request_t *r, size_t capacity)
{
    if (r->body.memory) return r->body.memory;
    r->body.memory = buf_take(capacity);
    pool_defer(r->pool, return_memory, r->body.memory);
    return r->body.memory;
}

ssize_t body_pull(body_source_t *next, request_t *r, char *room, size_t n, str_t *piece)
{
    return next ? next->read(next, r, piece) : r->sink->read(r, room, n, piece);
}

bool body_pullable(const body_source_t *next, const request_t *r)
{
    return next ? next->readable(next, r) : r->sink->readable(r);
}

void body_push(request_t *r, const body_source_t *source)
{
    body_source_t *s = pool_memdup(r->pool, source, sizeof(*source));
    s->next = r->body.source;
    r->body.source = s;
}

ssize_t body_next(request_t *r, str_t *piece)
{
    if (r->body.ended || !body_present(r)) return 0;
    if (body_declared_too_large(r)) return -EFBIG;
    if (r->body.source) return count(r, body_pull(r->body.source, r, NULL, 0, piece));
    buf_t *b = memory_of(r, STREAM_BUFFER);
    return count(r, body_pull(NULL, r, b->start, buf_capacity(b), piece));
}

bool body_readable(const request_t *r)
{
    return r->body.ended || body_pullable(r->body.source, r);
}

void body_replace(request_t *r, buf_t *b)
{
    ASSERT(r->body.gathered && r->body.fd < 0);
    r->body.memory = b;
    r->body.size = buf_used(b);
    pool_defer(r->pool, return_memory, b);
}

bool body_at_hand(const request_t *r)
{
    if (r->body.source || !r->sink->rest) return false;
    return r->sink->rest(r) <= http_conf(r->conf)->client_body_buffer_size;
}

/* --- gathering --- */

static void close_file(void *arg)
{
    close(((body_t *)arg)->fd);
}

static int open_unlinked(request_t *r)
{
    str_t dir = http_conf(r->conf)->client_body_temp_path;
    char *path = pool_cstr(r->pool, dir);
    int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
    path = pool_cstr(r->pool, pool_concat(r->pool, dir, STR("/XXXXXX")));
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

static int write_file(request_t *r, str_t data)
{
    while (data.n) {
        ssize_t put = write(r->body.fd, data.p, data.n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            int err = errno;
            LOG(&r->log, LOG_CRIT, err, "write() of a client's request body failed");
            return -err;
        }
        data = str_sub(data, (size_t)put, data.n);
    }
    return 0;
}

/* Moves what has been gathered in memory into a temporary file. */
static int spill(request_t *r)
{
    str_t path = http_conf(r->conf)->client_body_temp_path;
    r->body.fd = open_unlinked(r);
    if (r->body.fd < 0) {
        int err = errno;
        LOG(&r->log, LOG_CRIT, err, "open() of a temporary file in \"" STR_FMT "\" failed",
            STR_ARG(path));
        return -err;
    }
    pool_defer(r->pool, close_file, &r->body);
    LOG(&r->log, LOG_WARNING, 0,
        "a client request body is buffered to a temporary file in " STR_FMT, STR_ARG(path));
    int err = write_file(r, buf_str(r->body.memory));
    buf_clear(r->body.memory);
    return err;
}

static int keep(request_t *r, str_t piece)
{
    buf_t *b = r->body.memory;
    if (r->body.fd < 0 && piece.n <= buf_room(b)) {
        if (piece.p == b->last)
            b->last += piece.n; /* read in place */
        else
            buf_put(b, piece);
        return 0;
    }
    int err = r->body.fd < 0 ? spill(r) : 0;
    return err < 0 ? err : write_file(r, piece);
}

/* Where the next piece may be read to: behind what is in memory, or over it once a file has it
   all. */
static str_t room_of(const request_t *r)
{
    const buf_t *b = r->body.memory;
    if (r->body.fd >= 0) return str_make(b->start, buf_capacity(b));
    return str_make(b->last, buf_room(b));
}

/* More of a body of known length is to come than memory holds; a chunked one is not read in
   place. */
static bool is_full(const request_t *r)
{
    return r->body.fd < 0 && !buf_room(r->body.memory) && body_length(r) > (int64_t)r->body.size;
}

static size_t gather_capacity(const request_t *r)
{
    size_t most = http_conf(r->conf)->client_body_buffer_size;
    int64_t length = body_length(r);
    return length >= 0 && (uint64_t)length < most ? (size_t)length : most;
}

int body_gather(request_t *r)
{
    if (r->body.gathered) return 0;
    if (body_declared_too_large(r)) return -EFBIG;
    if (body_present(r)) memory_of(r, gather_capacity(r));
    while (!r->body.ended && body_present(r)) {
        if (is_full(r)) {
            int full = spill(r);
            if (full < 0) return full;
        }
        str_t piece, room = room_of(r);
        ssize_t got =
            count(r, body_pull(r->body.source, r, (char *)(uintptr_t)room.p, room.n, &piece));
        if (got < 0) return (int)got;
        int err = got ? keep(r, piece) : 0;
        if (err < 0) return err;
    }
    r->body.gathered = true;
    return 0;
}

int body_share(const request_t *r, request_t *in)
{
    const body_t *from = &r->body;
    ASSERT(from->gathered && !in->body.memory);
    in->head.framing = PARSE_LENGTH;
    in->head.content_length = from->size;
    in->body = (body_t){.fd = -1, .size = from->size, .gathered = true, .ended = true};
    if (from->fd >= 0) {
        in->body.fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
        if (in->body.fd < 0) return -errno;
        pool_defer(in->pool, close_file, &in->body);
    } else if (from->memory) {
        buf_put(memory_of(in, buf_used(from->memory)), buf_str(from->memory));
    }
    return 0;
}

bool body_drain(request_t *r)
{
    str_t piece;
    char *room = NULL;
    if (r->body.ended || !body_present(r)) return true;
    room = memory_of(r, STREAM_BUFFER)->start;
    for (size_t dropped = 0; dropped <= DRAIN_MOST;) {
        ssize_t got = r->sink->read(r, room, buf_capacity(r->body.memory), &piece);
        if (got == 0) return r->body.ended = true;
        if (got < 0) return false;
        dropped += (size_t)got;
    }
    return false;
}

static const char *too_large(const request_t *r)
{
    bool chunked = r->head.framing == PARSE_CHUNKED;
    uint64_t n = body_declared_too_large(r) ? r->head.content_length : r->body.size;
    return pool_printf(r->pool, "client intended to send too large %sbody: %llu bytes",
                       chunked ? "chunked " : "", (unsigned long long)n).p;
}

verdict_t body_verdict(request_t *r, int err)
{
    r->reply.close = true;
    switch (err) {
    case -EFBIG:
        return verdict_refuse(413, LOG_ERR, too_large(r));
    case -EOVERFLOW:
        return verdict_refuse(413, LOG_ERR, "client sent a body that grows beyond measure");
    case -EBADMSG:
        return verdict_refuse(400, LOG_INFO, "client sent invalid chunked body");
    case -EILSEQ:
        return verdict_refuse(400, LOG_INFO,
                              "client sent a body that is not in its content coding");
    case -ETIMEDOUT:
        return verdict_refuse(408, LOG_INFO, "client timed out (110: Connection timed out) while "
                                             "reading client request body");
    default: /* not the client's fault: no place to keep it, which has been logged */
        return verdict_refuse(500, LOG_ERR, NULL);
    case -ECONNRESET:
    case -ECONNABORTED:
    case -ECANCELED:
        return verdict_refuse(499, LOG_INFO, "client prematurely closed connection while reading "
                                             "client request body");
    }
}
