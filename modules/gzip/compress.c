#include "modules/gzip/compress.h"

#include "http/pieces.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/whole.h"

enum { OUT_SIZE = 16 * 1024 };

typedef struct compress {
    compress_how_t how;
    int64_t length;       /* that the reply had announced, or REPLY_LENGTH_UNKNOWN */
    const codec_t *codec;
    void *packer;         /* NULL: no stream was begun, or it has ended */
    buf_t *held;          /* what has been gathered */
    buf_t *out;
    uint64_t taken, made; /* bytes */
    bool unflushed;       /* something was taken since the last flush */
} compress_t;

static void end_packer(compress_t *c)
{
    if (c->packer) c->codec->packer_end(c->packer);
    c->packer = NULL;
}

static void release(void *arg)
{
    compress_t *c = arg;
    end_packer(c);
    buf_return(c->held);
    buf_return(c->out);
    c->held = NULL;
    c->out = NULL;
}

static int pass(filter_t *f, request_t *r, unsigned flags)
{
    compress_t *c = f->state;
    piece_t piece = PIECE_MEMORY(buf_str(c->out));
    c->made += piece.n;
    int err = filter_pass(f, r, &piece, piece.n ? 1 : 0, flags);
    buf_clear(c->out);
    return err;
}

/* --- as a stream --- */

static void begin(compress_t *c)
{
    if (c->packer) return;
    codec_wish_t wish = {.level = c->how.level, .window = c->how.window, .length = c->length};
    c->packer = c->codec->packer(&wish);
    c->out = buf_take(OUT_SIZE);
}

static int run(filter_t *f, request_t *r, str_t in, codec_how_t how)
{
    compress_t *c = f->state;
    begin(c);
    while (!c->codec->pack(c->packer, &in, how, c->out)) {
        int err = pass(f, r, 0);
        if (err < 0) return err;
    }
    return 0;
}

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    compress_t *c = f->state;
    c->taken += n;
    c->unflushed = true;
    return run(f, r, str_make(p, n), CODEC_MORE);
}

/* The codec's state goes back before a slow client makes us wait. */
static int finish(filter_t *f, request_t *r, unsigned flags)
{
    int err = run(f, r, STR(""), CODEC_END);
    end_packer(f->state);
    recode_trailers(&r->reply.trailers);
    if (err == 0) err = pass(f, r, flags);
    release(f->state);
    return err;
}

static int flush(filter_t *f, request_t *r)
{
    compress_t *c = f->state;
    if (!c->unflushed) return filter_pass(f, r, NULL, 0, BODY_FLUSH);
    c->unflushed = false;
    int err = run(f, r, STR(""), CODEC_FLUSH);
    return err < 0 ? err : pass(f, r, BODY_FLUSH);
}

/* What has been gathered comes first: it is not all, or must not wait for the rest. */
static int take_held(filter_t *f, request_t *r)
{
    compress_t *c = f->state;
    buf_t *held = c->held;
    if (!held) return 0;
    int err = take(f, r, held->pos, buf_used(held));
    c->held = NULL;
    buf_return(held);
    return err;
}

static int stream(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    int err = take_held(f, r);
    if (err == 0) err = pieces_each(f, r, pieces, n, take);
    if (err < 0) return err;
    if (flags & BODY_LAST) return finish(f, r, flags);
    return flags & BODY_FLUSH ? flush(f, r) : 0;
}

/* --- whole --- */

/* How large the body is or will be; UINT64_MAX when nobody knows. */
static uint64_t size_of(const compress_t *c, const piece_t *pieces, unsigned n, unsigned flags)
{
    uint64_t size = c->held ? buf_used(c->held) : 0;
    for (unsigned i = 0; i < n; i++) size += pieces[i].n;
    if (flags & BODY_LAST) return size;
    return c->length < (int64_t)size ? UINT64_MAX : (uint64_t)c->length;
}

static int hold(filter_t *f, request_t *r, const char *p, size_t n)
{
    (void)r;
    buf_put(((compress_t *)f->state)->held, str_make(p, n));
    return 0;
}

static int pack_whole(filter_t *f, request_t *r, str_t content, unsigned flags)
{
    compress_t *c = f->state;
    c->taken = content.n;
    c->out = whole_pack(c->how.coding, c->how.level, c->how.window, content);
    buf_return(c->held);
    c->held = NULL;
    recode_trailers(&r->reply.trailers);
    int err = pass(f, r, flags);
    release(c);
    return err;
}

static int gather(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags,
                  size_t size)
{
    compress_t *c = f->state;
    bool last = flags & BODY_LAST;
    if (last && !c->held && n == 1 && pieces->fd < 0)
        return pack_whole(f, r, str_make(pieces->p, pieces->n), flags);
    if (!c->held) c->held = buf_take(size);
    int err = pieces_each(f, r, pieces, n, hold);
    return err < 0 || !last ? err : pack_whole(f, r, buf_str(c->held), flags);
}

static int compress_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n,
                         unsigned flags)
{
    compress_t *c = f->state;
    uint64_t size = size_of(c, pieces, n, flags);
    bool must_go = (flags & BODY_FLUSH) && !(flags & BODY_LAST);
    bool fits = size <= (c->held ? buf_capacity(c->held) : c->how.whole_most);
    if (c->packer || must_go || !fits) return stream(f, r, pieces, n, flags);
    return gather(f, r, pieces, n, flags, (size_t)size);
}

void compress_start(request_t *r, const compress_how_t *how)
{
    compress_t *c = POOL_NEW(r->pool, compress_t);
    *c = (compress_t){.how = *how, .length = r->reply.length, .codec = codec_of(how->coding)};
    recode_head(&r->reply, how->coding);
    if (r->reply.head_only) return;
    pool_defer(r->pool, release, c);
    filter_push(r, compress_body, c);
}

bool compress_counts(const request_t *r, coding_t coding, uint64_t *taken, uint64_t *made)
{
    for (const filter_t *f = r->reply.filters; f; f = f->next) {
        const compress_t *c = f->state;
        if (f->body != compress_body || c->how.coding != coding) continue;
        *taken = c->taken;
        *made = c->made;
        return true;
    }
    return false;
}
