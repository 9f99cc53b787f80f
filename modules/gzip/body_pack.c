#include "modules/gzip/body_pack.h"

#include <errno.h>

#include "http/http.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/whole.h"

enum { IN_SIZE = 16 * 1024, OUT_SIZE = 16 * 1024 };

typedef struct body_pack {
    const codec_t *codec;
    void *packer; /* NULL: it has ended */
    buf_t *room, *out;
    str_t in;
    uint64_t taken;
    bool ended;   /* the client's body */
} body_pack_t;

static void release(void *arg)
{
    body_pack_t *b = arg;
    if (b->packer) b->codec->packer_end(b->packer);
    buf_return(b->room);
    buf_return(b->out);
    b->packer = NULL;
    b->room = b->out = NULL;
}

static ssize_t read_more(body_source_t *s, request_t *r)
{
    body_pack_t *b = s->state;
    uint64_t limit = http_conf(r->conf)->client_max_body_size;
    ssize_t got = body_pull(s->next, r, b->room->start, buf_capacity(b->room), &b->in);
    if (got <= 0) return got;
    b->taken += (uint64_t)got;
    return limit && b->taken > limit ? -EFBIG : got;
}

static ssize_t read_packed(body_source_t *s, request_t *r, str_t *piece)
{
    body_pack_t *b = s->state;
    if (b->out) buf_clear(b->out);
    while (b->packer) {
        ssize_t got = b->in.n || b->ended ? 1 : read_more(s, r);
        if (got < 0) return got;
        b->ended |= got == 0;
        codec_how_t how = b->ended                        ? CODEC_END
                          : body_pullable(s->next, r) ? CODEC_MORE
                                                          : CODEC_FLUSH;
        bool done = b->codec->pack(b->packer, &b->in, how, b->out);
        if (done && b->ended) {
            b->codec->packer_end(b->packer);
            b->packer = NULL;
        }
        *piece = buf_str(b->out);
        if (piece->n) return (ssize_t)piece->n;
    }
    release(b);
    return 0;
}

static bool readable(const body_source_t *s, const request_t *r)
{
    const body_pack_t *b = s->state;
    return b->in.n || b->ended || body_pullable(s->next, r);
}

static void pack_gathered(request_t *r, coding_t coding, unsigned level, unsigned window)
{
    if (r->body.fd >= 0 || !r->body.memory) return;
    recode_fields(&r->head.headers, coding);
    body_replace(r, whole_pack(coding, level, window, buf_str(r->body.memory)));
}

void body_pack_start(request_t *r, coding_t coding, unsigned level, unsigned window)
{
    if (!body_present(r) || header_get(&r->head.headers, HEADER_CONTENT_ENCODING)) return;
    if (r->body.gathered) {
        pack_gathered(r, coding, level, window);
        return;
    }
    if (r->body.size) return;
    codec_wish_t wish = {.level = level, .window = window, .length = body_length(r)};
    body_pack_t *b = POOL_NEW(r->pool, body_pack_t);
    b->codec = codec_of(coding);
    b->packer = b->codec->packer(&wish);
    b->room = buf_take(IN_SIZE);
    b->out = buf_take(OUT_SIZE);
    pool_defer(r->pool, release, b);
    recode_fields(&r->head.headers, coding);
    body_push(r, &(body_source_t){.read = read_packed, .readable = readable, .state = b});
}
