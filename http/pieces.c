#include "http/pieces.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/io/fiber.h"

enum { FILE_BLOCK = 32 * 1024 };

static size_t taken; /* bytes since a fiber last gave way */

static int take_part(filter_t *f, request_t *r, const char *p, size_t n, pieces_take_fn take)
{
    int err = take(f, r, p, n);
    if (err < 0 || (taken += n) < PIECES_TURN_MOST) return err;
    taken = 0;
    fiber_yield();
    return 0;
}

static int take_memory(filter_t *f, request_t *r, str_t s, pieces_take_fn take)
{
    int err = 0;
    while (s.n && err == 0) {
        size_t n = s.n < PIECES_PART_MOST ? s.n : PIECES_PART_MOST;
        err = take_part(f, r, s.p, n, take);
        s = str_sub(s, n, s.n);
    }
    return err;
}

static ssize_t read_block(buf_t *b, const piece_t *piece, size_t at)
{
    size_t n = piece->n - at < FILE_BLOCK ? piece->n - at : FILE_BLOCK;
    ssize_t got;
    do got = pread(piece->fd, b->start, n, piece->at + (off_t)at);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got > 0 ? got : -EIO;
}

static int take_file(filter_t *f, request_t *r, const piece_t *piece, pieces_take_fn take)
{
    buf_t *b = buf_take(FILE_BLOCK);
    int err = 0;
    for (size_t at = 0; at < piece->n && err == 0;) {
        ssize_t got = read_block(b, piece, at);
        err = got < 0 ? (int)got : take_part(f, r, b->start, (size_t)got, take);
        if (err == 0) at += (size_t)got;
    }
    buf_return(b);
    return err;
}

int pieces_each(filter_t *f, request_t *r, const piece_t *pieces, unsigned n, pieces_take_fn take)
{
    int err = 0;
    for (unsigned i = 0; i < n && err == 0; i++)
        err = pieces[i].fd < 0 ? take_memory(f, r, str_make(pieces[i].p, pieces[i].n), take)
                               : take_file(f, r, &pieces[i], take);
    return err;
}
