/*
 * The chunked coding: decoding in one piece and decoding cut at a place that the first two bytes
 * choose, and byte by byte, must give the same body, the same end and the same verdict.
 */
#include <stdlib.h>

#include "core/base/pool.h"
#include "http/chunk.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

typedef struct decoded {
    chunk_t state;
    chunk_result_t result;
    size_t taken, n;
    char *body;
} decoded_t;

static void feed(decoded_t *d, str_t in)
{
    const char *start = in.p, *end = in.p + in.n;
    str_t data;
    if (d->result == CHUNK_LAST || d->result == CHUNK_BAD) return;
    while ((d->result = chunk_decode(&d->state, &in, &data)) == CHUNK_DATA) {
        REQUIRE(data.n > 0 && data.p + data.n <= end);
        memcpy(d->body + d->n, data.p, data.n);
        d->n += data.n;
    }
    REQUIRE(in.p + in.n == end && (d->result != CHUNK_MORE || in.n == 0));
    d->taken += (size_t)(in.p - start);
}

/* Cut into a piece of `first` bytes and then pieces of `step` (0: the rest). */
static decoded_t decode(pool_t *pool, str_t in, size_t first, size_t step)
{
    decoded_t d = {.result = CHUNK_MORE, .body = pool_bytes(pool, in.n + 1)};
    for (; in.n; first = step) {
        size_t n = first && first < in.n ? first : in.n;
        feed(&d, str_sub(in, 0, n));
        in = str_sub(in, n, in.n);
    }
    return d;
}

static void require_same(const decoded_t *x, const decoded_t *y)
{
    REQUIRE(x->result == y->result && x->n == y->n);
    REQUIRE(x->n == 0 || memcmp(x->body, y->body, x->n) == 0);
    REQUIRE(x->taken == y->taken);
}

/* The body coded anew by chunk_put_head decodes to itself. */
static void require_round_trip(pool_t *pool, const decoded_t *d)
{
    char head[CHUNK_HEAD_MAX];
    str_t out = STR("");
    if (d->n) {
        out = str_make(head, chunk_put_head(head, d->n));
        out = pool_concat(pool, out, str_make(d->body, d->n));
        out = pool_concat(pool, out, STR("\r\n"));
    }
    out = pool_concat(pool, out, STR("0\r\n"));
    decoded_t again = decode(pool, out, 0, 0);
    REQUIRE(again.result == CHUNK_LAST && again.n == d->n && again.taken == out.n);
    REQUIRE(d->n == 0 || memcmp(again.body, d->body, d->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t cut = (size_t)data[0] << 8 | data[1];
    str_t in = str_make((const char *)data + 2, size - 2);
    pool_t *pool = pool_create();
    decoded_t whole = decode(pool, in, 0, 0);
    decoded_t halves = decode(pool, in, in.n ? cut % (in.n + 1) : 0, 0);
    decoded_t bytes = decode(pool, in, 1, 1);
    require_same(&whole, &halves);
    require_same(&whole, &bytes);
    require_round_trip(pool, &whole);
    pool_destroy(pool);
    return 0;
}
