#include "modules/gzip/body_unpack.h"

#include <errno.h>

#include "http/http.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/unpacker.h"

enum { IN_SIZE = 16 * 1024 };

typedef struct body_unpack {
    unpacker_t unpacker;
    buf_t *room; /* for what the connection reads */
    str_t in;    /* what has been read and not yet unpacked */
    bool full;   /* there is more to come of what was given */
} body_unpack_t;

static void release(void *arg)
{
    body_unpack_t *b = arg;
    unpacker_end(&b->unpacker);
    buf_return(b->room);
    b->room = NULL;
}

static ssize_t read_more(body_source_t *s, request_t *r)
{
    body_unpack_t *b = s->state;
    if (!b->room) b->room = buf_take(IN_SIZE);
    return body_pull(s->next, r, b->room->start, buf_capacity(b->room), &b->in);
}

static ssize_t finish(body_unpack_t *b)
{
    bool whole = unpacker_is_whole(&b->unpacker);
    release(b);
    return whole ? 0 : -EILSEQ;
}

static ssize_t read_unpacked(body_source_t *s, request_t *r, str_t *piece)
{
    body_unpack_t *b = s->state;
    if (b->unpacker.out) buf_clear(b->unpacker.out);
    for (;;) {
        ssize_t got = b->full || b->in.n ? 1 : read_more(s, r);
        if (got <= 0) return got < 0 ? got : finish(b);
        unpacker_got_t step = unpacker_step(&b->unpacker, &b->in);
        if (step == UNPACKER_BROKEN) return -EILSEQ;
        if (step == UNPACKER_BOMB) return -EOVERFLOW;
        b->full = step == UNPACKER_FULL;
        *piece = buf_str(b->unpacker.out);
        if (piece->n) return (ssize_t)piece->n;
    }
}

static bool readable(const body_source_t *s, const request_t *r)
{
    const body_unpack_t *b = s->state;
    return b->full || b->in.n || body_pullable(s->next, r);
}

static str_t taken_codings(pool_t *pool)
{
    str_t list = STR("");
    for (coding_t c = CODING_IDENTITY + 1; c < CODING_COUNT; c++)
        if (codec_of(c))
            list = pool_printf(pool, STR_FMT "%s" STR_FMT, STR_ARG(list), list.n ? ", " : "",
                               STR_ARG(negotiate_name(c)));
    return list;
}

static verdict_t refuse_coding(request_t *r)
{
    if (http_error_page(http_conf(r->conf), 415)) return verdict_refuse(415, LOG_INFO, NULL);
    reply_reset(r, 415);
    header_add_id(&r->reply.headers, HEADER_ACCEPT_ENCODING, taken_codings(r->pool));
    return reply_own_page(r);
}

verdict_t body_unpack_start(request_t *r, unsigned ratio)
{
    coding_t coding = recode_coding(&r->head.headers);
    bool late = r->body.size || r->body.gathered || r->reply.error_page;
    if (coding == CODING_IDENTITY || !body_present(r) || late) return VERDICT(NEXT);
    if (!codec_of(coding)) return refuse_coding(r);
    body_unpack_t *b = POOL_NEW(r->pool, body_unpack_t);
    b->unpacker = (unpacker_t){.coding = coding, .ratio = ratio, .strict = true};
    pool_defer(r->pool, release, b);
    recode_fields(&r->head.headers, CODING_IDENTITY);
    body_push(r, &(body_source_t){.read = read_unpacked, .readable = readable, .state = b});
    return VERDICT(NEXT);
}
