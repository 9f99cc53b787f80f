#include "modules/gzip/gunzip.h"

#include <errno.h>

#include "http/pieces.h"
#include "modules/gzip/recode.h"
#include "modules/gzip/unpacker.h"

static void release(void *unpacker)
{
    unpacker_end(unpacker);
}

static int broken(const filter_t *f, request_t *r, const char *what)
{
    str_t coding = negotiate_name(((const unpacker_t *)f->state)->coding);
    LOG(&r->log, LOG_ERR, 0, STR_FMT " data %s while decompressing a response", STR_ARG(coding),
        what);
    return -EBADMSG;
}

static int pass(filter_t *f, request_t *r, unsigned flags)
{
    unpacker_t *u = f->state;
    piece_t piece = u->out ? PIECE_MEMORY(buf_str(u->out)) : (piece_t){.fd = -1};
    int err = filter_pass(f, r, &piece, piece.n ? 1 : 0, flags);
    if (u->out) buf_clear(u->out);
    return err;
}

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    str_t in = str_make(p, n);
    for (;;) {
        switch (unpacker_step(f->state, &in)) {
        case UNPACKER_HUNGRY: return 0;
        case UNPACKER_BROKEN: return broken(f, r, "is invalid");
        case UNPACKER_BOMB: return broken(f, r, "exceeded gunzip_ratio");
        case UNPACKER_FULL: break;
        }
        int err = pass(f, r, 0);
        if (err < 0) return err;
    }
}

static int finish(filter_t *f, request_t *r, unsigned flags)
{
    if (!unpacker_is_whole(f->state)) return broken(f, r, "ended too early");
    recode_trailers(&r->reply.trailers);
    int err = pass(f, r, flags);
    release(f->state);
    return err;
}

static int gunzip_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    int err = pieces_each(f, r, pieces, n, take);
    if (err < 0) return err;
    if (flags & BODY_LAST) return finish(f, r, flags);
    return flags & BODY_FLUSH ? pass(f, r, flags) : 0;
}

void gunzip_start(request_t *r, coding_t coding, unsigned ratio)
{
    unpacker_t *u = POOL_NEW(r->pool, unpacker_t);
    *u = (unpacker_t){.coding = coding, .ratio = ratio};
    recode_head(&r->reply, CODING_IDENTITY);
    if (r->reply.head_only) return;
    pool_defer(r->pool, release, u);
    filter_push_early(r, gunzip_body, u);
}
