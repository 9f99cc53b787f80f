#include "modules/gzip/codec_zstd.h"

#include "config.h"

#ifdef HAVE_ZSTD

#include <zstd.h>

#include "core/base/panic.h"

/* Contexts kept for reuse, bounded by what they hold. */
enum { KEPT_MOST = 64, KEPT_BYTES = 32 * 1024 * 1024 };

typedef struct kept {
    void *v[KEPT_MOST];
    unsigned n;
    size_t bytes;
} kept_t;

static kept_t packers, unpackers;

static bool keep(kept_t *kept, void *state, size_t bytes)
{
    if (kept->n == KEPT_MOST || kept->bytes + bytes > KEPT_BYTES) return false;
    kept->v[kept->n++] = state;
    kept->bytes += bytes;
    return true;
}

/* `bytes` is what it holds: nothing changes that while it is kept. */
static void *take_kept(kept_t *kept, size_t (*bytes)(const void *state))
{
    if (kept->n == 0) return NULL;
    void *state = kept->v[--kept->n];
    kept->bytes -= bytes(state);
    return state;
}

static size_t packer_bytes(const void *packer)
{
    return ZSTD_sizeof_CCtx(packer);
}

static size_t unpacker_bytes(const void *unpacker)
{
    return ZSTD_sizeof_DCtx(unpacker);
}

static void trim(void)
{
    while (packers.n) ZSTD_freeCCtx(take_kept(&packers, packer_bytes));
    while (unpackers.n) ZSTD_freeDCtx(take_kept(&unpackers, unpacker_bytes));
}

/* What may fail is asking for memory alone: parameters are ours, and so is the order of calls. */
static size_t checked(size_t result)
{
    if (ZSTD_isError(result)) panic("zstd: %s", ZSTD_getErrorName(result));
    return result;
}

/* --- packing --- */

static void *packer(const codec_wish_t *wish)
{
    ZSTD_CCtx *c = take_kept(&packers, packer_bytes);
    if (!c) c = ZSTD_createCCtx();
    if (!c) panic("out of memory");
    unsigned most = wish->window < CODEC_ZSTD_WINDOW_MOST ? wish->window : CODEC_ZSTD_WINDOW_MOST;
    unsigned window = codec_window(most, wish->length);
    checked(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, (int)wish->level));
    checked(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, (int)window));
    return c;
}

static bool pack(void *packer, str_t *in, codec_how_t how, buf_t *out)
{
    static const ZSTD_EndDirective directives[] = {
        [CODEC_MORE] = ZSTD_e_continue, [CODEC_FLUSH] = ZSTD_e_flush, [CODEC_END] = ZSTD_e_end};
    ZSTD_inBuffer from = {in->p, in->n, 0};
    ZSTD_outBuffer to = {out->last, buf_room(out), 0};
    size_t left;
    do left = checked(ZSTD_compressStream2(packer, &to, &from, directives[how]));
    while (how == CODEC_MORE && from.pos < from.size && to.pos < to.size);
    *in = str_sub(*in, from.pos, in->n);
    out->last += to.pos;
    return how == CODEC_MORE ? in->n == 0 : left == 0;
}

static void packer_end(void *packer)
{
    checked(ZSTD_CCtx_reset(packer, ZSTD_reset_session_and_parameters));
    if (!keep(&packers, packer, packer_bytes(packer))) ZSTD_freeCCtx(packer);
}

/* --- unpacking --- */

static void *unpacker(void)
{
    ZSTD_DCtx *d = take_kept(&unpackers, unpacker_bytes);
    if (!d) d = ZSTD_createDCtx();
    if (!d) panic("out of memory");
    checked(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, CODEC_ZSTD_WINDOW_MOST));
    return d;
}

static codec_got_t unpack(void *unpacker, str_t *in, buf_t *out)
{
    ZSTD_inBuffer from = {in->p, in->n, 0};
    ZSTD_outBuffer to = {out->last, buf_room(out), 0};
    size_t got = ZSTD_decompressStream(unpacker, &to, &from);
    *in = str_sub(*in, from.pos, in->n);
    out->last += to.pos;
    if (ZSTD_isError(got)) return CODEC_BROKEN;
    if (got == 0) return CODEC_WHOLE;
    return to.pos == to.size ? CODEC_FULL : CODEC_HUNGRY;
}

static void unpacker_end(void *unpacker)
{
    checked(ZSTD_DCtx_reset(unpacker, ZSTD_reset_session_only));
    if (!keep(&unpackers, unpacker, unpacker_bytes(unpacker))) ZSTD_freeDCtx(unpacker);
}

/* Another frame, or a skippable one (RFC 8878 3.1): both magic numbers in little endian. */
static bool goes_on(unsigned char byte)
{
    return byte == 0x28 || (byte & 0xf0) == 0x50;
}

const codec_t codec_zstd = {packer,       pack,    packer_end, unpacker, unpack,
                            unpacker_end, goes_on, trim};

#endif
