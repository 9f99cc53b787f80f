#include "modules/gzip/gunzip.h"

#include <errno.h>

#include "modules/gzip/pieces.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/zpool.h"

enum { OUT_SIZE = 32 * 1024, MEMBER_FIRST = 0x1f };

typedef struct gunzip {
    zpool_state_t *state;
    buf_t *out;
    bool between; /* members: at the start, and behind the end of one (RFC 1952 2.2) */
    bool over;    /* what follows is no gzip and is left out, as gzip(1) does */
} gunzip_t;

static void release(void *arg)
{
    gunzip_t *g = arg;
    zpool_return(g->state);
    buf_return(g->out);
    g->state = NULL;
    g->out = NULL;
}

static int broken(request_t *r, const char *what)
{
    LOG(&r->log, LOG_ERR, 0, "%s while decompressing a response", what);
    return -EBADMSG;
}

static int pass(filter_t *f, request_t *r, unsigned flags)
{
    gunzip_t *g = f->state;
    piece_t piece = PIECE_MEMORY(buf_str(g->out));
    int err = filter_pass(f, r, &piece, piece.n ? 1 : 0, flags);
    buf_clear(g->out);
    return err;
}

/* One step; 0 or an error. */
static int step(gunzip_t *g, request_t *r)
{
    z_stream *z = &g->state->z;
    z->next_out = (Bytef *)g->out->last;
    z->avail_out = (uInt)buf_room(g->out);
    int got = inflate(z, Z_SYNC_FLUSH);
    g->out->last = (char *)z->next_out;
    g->between = got == Z_STREAM_END;
    if (g->between) ASSERT(inflateReset(z) == Z_OK);
    bool fine = got == Z_OK || got == Z_STREAM_END || got == Z_BUF_ERROR;
    return fine ? 0 : broken(r, "invalid gzip data");
}

/* All of what zlib was given. */
static int run(filter_t *f, request_t *r, bool first)
{
    gunzip_t *g = f->state;
    z_stream *z = &g->state->z;
    for (;;) {
        if (g->between && !z->avail_in) return 0;
        if (g->between && !first && z->next_in[0] != MEMBER_FIRST) {
            g->over = true;
            return 0;
        }
        first = false;
        int err = step(g, r);
        bool full = buf_room(g->out) == 0;
        if (err == 0 && full) err = pass(f, r, 0);
        if (err < 0) return err;
        if (!full && !z->avail_in) return 0;
    }
}

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    gunzip_t *g = f->state;
    bool first = !g->state;
    if (g->over) return 0;
    if (first) {
        g->state = zpool_inflate();
        g->out = buf_take(OUT_SIZE);
    }
    g->state->z.next_in = (Bytef *)(uintptr_t)p;
    g->state->z.avail_in = (uInt)n;
    return run(f, r, first);
}

static int finish(filter_t *f, request_t *r, unsigned flags)
{
    gunzip_t *g = f->state;
    if (!g->state) return filter_pass(f, r, NULL, 0, flags); /* there was no body */
    if (!g->between) return broken(r, "gzip data ended too early");
    int err = pass(f, r, flags);
    release(g);
    return err;
}

static int gunzip_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    gunzip_t *g = f->state;
    int err = pieces_each(f, r, pieces, n, take);
    if (err < 0) return err;
    if (flags & BODY_LAST) return finish(f, r, flags);
    if (!(flags & BODY_FLUSH)) return 0;
    return g->out ? pass(f, r, flags) : filter_pass(f, r, NULL, 0, flags);
}

void gunzip_start(request_t *r)
{
    gunzip_t *g = POOL_NEW(r->pool, gunzip_t);
    g->between = true;
    recode_head(&r->reply, (str_t){NULL, 0});
    if (r->reply.head_only) return;
    pool_defer(r->pool, release, g);
    filter_push(r, gunzip_body, g);
}
