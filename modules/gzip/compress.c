#include "modules/gzip/compress.h"

#include "modules/gzip/pieces.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/zpool.h"

enum { OUT_SIZE = 16 * 1024 };

typedef struct compress {
    zpool_state_t *state; /* NULL: not begun, or ended */
    buf_t *out;
    uint64_t taken, made; /* bytes */
    int level;
    bool unflushed; /* something was taken since the last flush */
} compress_t;

static void release(void *arg)
{
    compress_t *c = arg;
    zpool_return(c->state);
    buf_return(c->out);
    c->state = NULL;
    c->out = NULL;
}

static void begin(compress_t *c)
{
    if (c->state) return;
    c->state = zpool_deflate(c->level);
    c->out = buf_take(OUT_SIZE);
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

/* Until zlib has taken all it was given, and has written what `how` asks for. */
static int run(filter_t *f, request_t *r, int how)
{
    compress_t *c = f->state;
    z_stream *z = &c->state->z;
    for (;;) {
        z->next_out = (Bytef *)c->out->last;
        z->avail_out = (uInt)buf_room(c->out);
        int got = deflate(z, how);
        ASSERT(got != Z_STREAM_ERROR);
        c->out->last = (char *)z->next_out;
        if (z->avail_out || got == Z_STREAM_END) return 0;
        int err = pass(f, r, 0);
        if (err < 0) return err;
    }
}

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    compress_t *c = f->state;
    begin(c);
    c->state->z.next_in = (Bytef *)(uintptr_t)p;
    c->state->z.avail_in = (uInt)n;
    c->taken += n;
    c->unflushed = true;
    return run(f, r, Z_NO_FLUSH);
}

/* zlib's state goes back before a slow client makes us wait. */
static int finish(filter_t *f, request_t *r, unsigned flags)
{
    compress_t *c = f->state;
    begin(c);
    int err = run(f, r, Z_FINISH);
    zpool_return(c->state);
    c->state = NULL;
    if (err == 0) err = pass(f, r, flags);
    release(c);
    return err;
}

static int flush(filter_t *f, request_t *r)
{
    compress_t *c = f->state;
    if (!c->unflushed) return filter_pass(f, r, NULL, 0, BODY_FLUSH);
    c->unflushed = false;
    int err = run(f, r, Z_SYNC_FLUSH);
    return err < 0 ? err : pass(f, r, BODY_FLUSH);
}

static int compress_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n,
                         unsigned flags)
{
    int err = pieces_each(f, r, pieces, n, take);
    if (err < 0) return err;
    if (flags & BODY_LAST) return finish(f, r, flags);
    return flags & BODY_FLUSH ? flush(f, r) : 0;
}

void compress_start(request_t *r, unsigned level)
{
    compress_t *c = POOL_NEW(r->pool, compress_t);
    c->level = (int)level;
    recode_head(&r->reply, STR("gzip"));
    if (r->reply.head_only) return;
    pool_defer(r->pool, release, c);
    filter_push(r, compress_body, c);
}

bool compress_counts(const request_t *r, uint64_t *taken, uint64_t *made)
{
    for (const filter_t *f = r->reply.filters; f; f = f->next) {
        if (f->body != compress_body) continue;
        const compress_t *c = f->state;
        *taken = c->taken;
        *made = c->made;
        return true;
    }
    return false;
}
