#include "modules/gzip/codec_zlib.h"

#include "modules/gzip/zpool.h"

enum { PART_MOST = 1 << 30, MEMBER_FIRST = 0x1f }; /* fits zlib's counters */

static unsigned part_of(size_t n)
{
    return n < PART_MOST ? (unsigned)n : PART_MOST;
}

/* Lends in and out to zlib; gave takes them back. */
static void give(z_stream *z, const str_t *in, const buf_t *out)
{
    z->next_in = (Bytef *)(uintptr_t)in->p;
    z->avail_in = part_of(in->n);
    z->next_out = (Bytef *)out->last;
    z->avail_out = part_of(buf_room(out));
}

static void take(const z_stream *z, str_t *in, buf_t *out)
{
    *in = str_sub(*in, part_of(in->n) - z->avail_in, in->n);
    out->last = (char *)z->next_out;
}

/* --- packing --- */

static void *packer(const codec_wish_t *wish)
{
    return zpool_deflate((int)wish->level);
}

static bool pack(void *packer, str_t *in, codec_how_t how, buf_t *out)
{
    static const int flushes[] = {
        [CODEC_MORE] = Z_NO_FLUSH, [CODEC_FLUSH] = Z_SYNC_FLUSH, [CODEC_END] = Z_FINISH};
    z_stream *z = &((zpool_state_t *)packer)->z;
    for (;;) {
        bool all = in->n <= PART_MOST;
        if (buf_room(out) == 0) return false;
        give(z, in, out);
        int got = deflate(z, all ? flushes[how] : Z_NO_FLUSH);
        ASSERT(got != Z_STREAM_ERROR);
        take(z, in, out);
        if (got == Z_STREAM_END) return true;
        if (z->avail_out == 0) return false;
        if (all) return true;
    }
}

static void end(void *state)
{
    zpool_return(state);
}

/* --- unpacking --- */

static void *unpacker(void)
{
    return zpool_inflate();
}

static codec_got_t unpack(void *unpacker, str_t *in, buf_t *out)
{
    z_stream *z = &((zpool_state_t *)unpacker)->z;
    give(z, in, out);
    int got = inflate(z, Z_SYNC_FLUSH);
    take(z, in, out);
    if (got == Z_STREAM_END) {
        ASSERT(inflateReset(z) == Z_OK);
        return CODEC_WHOLE;
    }
    if (got != Z_OK && got != Z_BUF_ERROR) return CODEC_BROKEN;
    return buf_room(out) == 0 ? CODEC_FULL : CODEC_HUNGRY;
}

/* A head of RFC 1950 begins with its method, 8; deflate itself does so only where a stored block
   comes first and is padded with something else than zeros, which nobody does. */
static codec_got_t unpack_deflate(void *unpacker, str_t *in, buf_t *out)
{
    z_stream *z = &((zpool_state_t *)unpacker)->z;
    if (z->total_in == 0 && in->n)
        ASSERT(inflateReset2(z, (in->p[0] & 15) == Z_DEFLATED ? MAX_WBITS : -MAX_WBITS) == Z_OK);
    return unpack(unpacker, in, out);
}

static bool goes_on(unsigned char byte)
{
    return byte == MEMBER_FIRST;
}

static void trim_nothing(void)
{
}

const codec_t codec_zlib_gzip = {packer, pack, end, unpacker, unpack, end, goes_on, zpool_trim};

const codec_t codec_zlib_deflate = {
    .unpacker = unpacker,
    .unpack = unpack_deflate,
    .unpacker_end = end,
    .trim = trim_nothing,
};
