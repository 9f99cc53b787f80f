#include "modules/upstream/proxy_pace.h"

#include "core/base/clock.h"

typedef struct pace {
    uint64_t rate, sent, began_ms;
} pace_t;

/* How much may go now; waits until it is something worth a write. Negative: cancelled. */
static int64_t allowance(pace_t *p)
{
    enum { STEP_MS = 100 };
    for (;;) {
        uint64_t elapsed = clock_ms() - p->began_ms + STEP_MS;
        uint64_t due = elapsed * p->rate / 1000;
        if (due > p->sent) return (int64_t)(due - p->sent);
        int err = fiber_sleep((p->sent - due) * 1000 / p->rate + STEP_MS);
        if (err < 0) return err;
    }
}

static int pace_piece(filter_t *f, request_t *r, piece_t piece)
{
    pace_t *p = f->state;
    while (piece.n) {
        int64_t most = allowance(p);
        if (most < 0) return (int)most;
        piece_t part = piece;
        if (part.n > (uint64_t)most) part.n = (size_t)most;
        int err = filter_pass(f, r, &part, 1, BODY_FLUSH);
        if (err < 0) return err;
        p->sent += part.n;
        piece.p += piece.fd < 0 ? part.n : 0;
        piece.at += (off_t)part.n;
        piece.n -= part.n;
    }
    return 0;
}

static int pace_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, unsigned flags)
{
    for (unsigned i = 0; i < n; i++) {
        int err = pace_piece(f, r, pieces[i]);
        if (err < 0) return err;
    }
    return flags & BODY_LAST ? filter_pass(f, r, NULL, 0, BODY_LAST) : 0;
}

void proxy_pace_push(request_t *r, uint64_t bytes_per_second)
{
    enum { RATE_MOST = 1 << 30 };
    pace_t *p = POOL_NEW(r->pool, pace_t);
    p->rate = bytes_per_second < RATE_MOST ? bytes_per_second : RATE_MOST;
    p->began_ms = clock_ms();
    filter_push(r, pace_body, p);
}
