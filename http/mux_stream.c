#include "http/mux_stream.h"

#include <errno.h>

enum { FIELD_COST = 32 /* RFC 9113 10.5.1 */, SMALL_BUFFER = 4096, BUFFER = 16 * 1024,
       INTERIMS_MOST = 64 };

void mux_stream_wake(mux_stream_t *s)
{
    if (s->reader) fiber_wake(s->reader);
    if (s->sender) fiber_wake(s->sender);
    if (s->notice) s->notice(s);
}

void mux_stream_fail(mux_stream_t *s, int err, const char *why)
{
    if (!s->error) {
        s->error = err;
        s->why = why;
    }
    mux_stream_wake(s);
}

/* --- heads --- */

void mux_stream_begin_head(mux_stream_t *s)
{
    if (s->answered) {
        header_list_init(&s->trailers, s->pool);
        s->head_size = 0;
        return;
    }
    s->head = POOL_NEW(s->pool, parse_response_t);
    header_list_init(&s->head->headers, s->pool);
}

/* The session has made sure that it comes first, once, and is a number of three digits. */
static int set_status(mux_stream_t *s, str_t value)
{
    uint64_t status = 0;
    if (s->answered || !str_to_u64(value, &status) || status < 100 || status > 999) return -EBADMSG;
    s->head->status = (uint16_t)status;
    return 0;
}

int mux_stream_add_field(mux_stream_t *s, str_t name, str_t value)
{
    header_list_t *list = s->answered ? &s->trailers : &s->head->headers;
    s->head_size += name.n + value.n + FIELD_COST;
    if (s->head_size > s->head_max || list->n >= PARSE_FIELDS_MAX) return -EMSGSIZE;
    if (name.n && name.p[0] == ':') return set_status(s, value);
    char *copy = pool_bytes(s->pool, name.n + value.n), *at = mempcpy(copy, name.p, name.n);
    if (value.n) memcpy(at, value.p, value.n);
    header_add(list, str_make(copy, name.n), str_make(at, value.n));
    return 0;
}

static void set_framing(parse_response_t *head, bool ends)
{
    str_t length = header_value(&head->headers, HEADER_CONTENT_LENGTH);
    head->minor = 1;
    head->keep_alive = true;
    head->framing = PARSE_UNTIL_CLOSE;
    if (str_to_u64(length, &head->content_length) || ends) head->framing = PARSE_LENGTH;
}

int mux_stream_end_head(mux_stream_t *s, bool ends)
{
    if (s->answered) {
        mux_stream_end(s); /* trailers are the last there is */
        return 0;
    }
    unsigned status = s->head->status;
    if (status == 101 || s->interims.n == INTERIMS_MOST) return -EBADMSG; /* RFC 9113 8.6 */
    if (status < 200) {
        *VEC_PUSH(s->pool, &s->interims) = s->head;
    } else {
        set_framing(s->head, ends);
        s->answered = true;
        s->ended = ends;
    }
    mux_stream_wake(s);
    return 0;
}

/* --- the body --- */

void mux_stream_end(mux_stream_t *s)
{
    s->ended = true;
    mux_stream_wake(s);
}

static void add_buffer(mux_stream_t *s, size_t n)
{
    buf_t *b = buf_take(n > SMALL_BUFFER ? BUFFER : SMALL_BUFFER);
    b->next = NULL;
    if (s->last) s->last->next = b;
    else s->first = b;
    s->last = b;
}

void mux_stream_add_data(mux_stream_t *s, str_t data)
{
    while (data.n) {
        if (!s->last || !buf_room(s->last)) add_buffer(s, data.n);
        size_t room = buf_room(s->last), n = data.n < room ? data.n : room;
        buf_put(s->last, str_sub(data, 0, n));
        data = str_sub(data, n, data.n);
    }
    if (s->reader) fiber_wake(s->reader);
    if (s->notice) s->notice(s);
}

static buf_t *unread(const mux_stream_t *s)
{
    buf_t *b = s->first;
    while (b && !buf_used(b)) b = b->next;
    return b;
}

bool mux_stream_has_data(const mux_stream_t *s)
{
    return unread(s);
}

bool mux_stream_next(mux_stream_t *s, str_t *piece)
{
    buf_t *b = unread(s);
    if (!b) return false;
    *piece = buf_str(b);
    b->pos = b->last;
    s->given += piece->n;
    return true;
}

size_t mux_stream_used(mux_stream_t *s)
{
    size_t n = s->given;
    s->given = 0;
    while (s->first && !buf_used(s->first)) {
        buf_t *b = s->first;
        s->first = b->next;
        buf_return(b);
    }
    if (!s->first) s->last = NULL;
    return n;
}

void mux_stream_clear(mux_stream_t *s)
{
    for (buf_t *b = s->first, *next; b; b = next) {
        next = b->next;
        buf_return(b);
    }
    s->first = s->last = NULL;
}
