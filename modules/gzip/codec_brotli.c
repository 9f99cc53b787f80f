#include "modules/gzip/codec_brotli.h"

#include "config.h"

#ifdef HAVE_BROTLI

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <stdlib.h>

#include "core/base/panic.h"

/*
 * The library cannot begin anew with a state that it has, but asks for memory by a function. It
 * asks for the same sizes again and again, so blocks are kept, each for requests of just its size.
 */
enum { KEPT_BLOCKS = 128, KEPT_BYTES = 32 * 1024 * 1024, KEPT_LEAST = 4096 };

typedef struct block {
    _Alignas(max_align_t) size_t n;
    struct block *next; /* of the kept ones */
} block_t;

static struct {
    block_t *first;
    unsigned count;
    size_t bytes;
} kept;

static block_t *take_kept(size_t n)
{
    for (block_t **b = &kept.first; *b; b = &(*b)->next) {
        block_t *found = *b;
        if (found->n != n) continue;
        *b = found->next;
        kept.count--;
        kept.bytes -= n;
        return found;
    }
    return NULL;
}

static void *allocate(void *opaque, size_t n)
{
    (void)opaque;
    block_t *b = n >= KEPT_LEAST ? take_kept(n) : NULL;
    if (!b) b = malloc(sizeof(*b) + n);
    if (!b) panic("out of memory: %zu bytes for Brotli", n);
    b->n = n;
    return b + 1;
}

static void release(void *opaque, void *p)
{
    (void)opaque;
    block_t *b = p ? (block_t *)p - 1 : NULL;
    if (!b || b->n < KEPT_LEAST || kept.count == KEPT_BLOCKS || kept.bytes + b->n > KEPT_BYTES) {
        free(b);
        return;
    }
    b->next = kept.first;
    kept.first = b;
    kept.count++;
    kept.bytes += b->n;
}

static void trim(void)
{
    while (kept.first) {
        block_t *b = kept.first;
        kept.first = b->next;
        free(b);
    }
    kept.count = 0;
    kept.bytes = 0;
}

/* --- packing --- */

static void *packer(const codec_wish_t *wish)
{
    BrotliEncoderState *s = BrotliEncoderCreateInstance(allocate, release, NULL);
    unsigned window = codec_window(wish->window, wish->length);
    uint32_t hint = wish->length > 0 && wish->length < 1 << 30 ? (uint32_t)wish->length : 0;
    ASSERT(BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, wish->level));
    ASSERT(BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, window));
    ASSERT(BrotliEncoderSetParameter(s, BROTLI_PARAM_SIZE_HINT, hint));
    return s;
}

static bool pack(void *packer, str_t *in, codec_how_t how, buf_t *out)
{
    static const BrotliEncoderOperation operations[] = {[CODEC_MORE] = BROTLI_OPERATION_PROCESS,
                                                        [CODEC_FLUSH] = BROTLI_OPERATION_FLUSH,
                                                        [CODEC_END] = BROTLI_OPERATION_FINISH};
    size_t room = buf_room(out);
    const uint8_t *from = (const uint8_t *)in->p;
    uint8_t *to = (uint8_t *)out->last;
    ASSERT(BrotliEncoderCompressStream(packer, operations[how], &in->n, &from, &room, &to, NULL));
    in->p = (const char *)from;
    out->last = (char *)to;
    return in->n == 0 && !BrotliEncoderHasMoreOutput(packer) &&
           (how != CODEC_END || BrotliEncoderIsFinished(packer));
}

static void packer_end(void *packer)
{
    BrotliEncoderDestroyInstance(packer);
}

/* --- unpacking --- */

static void *unpacker(void)
{
    return BrotliDecoderCreateInstance(allocate, release, NULL);
}

static codec_got_t unpack(void *unpacker, str_t *in, buf_t *out)
{
    size_t room = buf_room(out);
    const uint8_t *from = (const uint8_t *)in->p;
    uint8_t *to = (uint8_t *)out->last;
    BrotliDecoderResult got =
        BrotliDecoderDecompressStream(unpacker, &in->n, &from, &room, &to, NULL);
    in->p = (const char *)from;
    out->last = (char *)to;
    switch (got) {
    case BROTLI_DECODER_RESULT_SUCCESS: return CODEC_WHOLE;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return CODEC_HUNGRY;
    case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return CODEC_FULL;
    case BROTLI_DECODER_RESULT_ERROR: break;
    }
    return CODEC_BROKEN;
}

static void unpacker_end(void *unpacker)
{
    BrotliDecoderDestroyInstance(unpacker);
}

const codec_t codec_brotli = {packer, pack, packer_end, unpacker, unpack, unpacker_end, NULL, trim};

#endif
