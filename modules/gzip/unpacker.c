#include "modules/gzip/unpacker.h"

enum { OUT_SIZE = 32 * 1024 };

static void begin(unpacker_t *u)
{
    if (u->state) return;
    u->codec = codec_of(u->coding);
    u->state = u->codec->unpacker();
    u->out = buf_take(OUT_SIZE);
}

/* Behind the end of a member: whether what comes is another one. */
static bool goes_on(const unpacker_t *u, str_t in)
{
    return u->codec->goes_on && u->codec->goes_on((unsigned char)in.p[0]);
}

static bool is_bomb(const unpacker_t *u)
{
    return u->ratio && u->made > UNPACKER_FREE && u->made / u->ratio > u->taken;
}

/* One call of the library. */
static codec_got_t unpack(unpacker_t *u, str_t *in)
{
    size_t before = in->n, used = buf_used(u->out);
    codec_got_t got = u->codec->unpack(u->state, in, u->out);
    u->taken += before - in->n;
    u->made += buf_used(u->out) - used;
    u->between = got == CODEC_WHOLE;
    return got;
}

unpacker_got_t unpacker_step(unpacker_t *u, str_t *in)
{
    begin(u);
    while (!u->over) {
        if (u->between && in->n && !goes_on(u, *in)) {
            if (u->strict) return UNPACKER_BROKEN;
            u->over = true;
            break;
        }
        if (u->between && !in->n) return UNPACKER_HUNGRY;
        codec_got_t got = unpack(u, in);
        if (got == CODEC_BROKEN) return UNPACKER_BROKEN;
        if (is_bomb(u)) return UNPACKER_BOMB;
        if (got == CODEC_HUNGRY) return UNPACKER_HUNGRY;
        if (buf_room(u->out) == 0) return UNPACKER_FULL;
    }
    *in = STR("");
    return UNPACKER_HUNGRY;
}

bool unpacker_is_whole(const unpacker_t *u)
{
    return u->between || u->over || u->taken == 0;
}

void unpacker_end(unpacker_t *u)
{
    if (u->state) u->codec->unpacker_end(u->state);
    buf_return(u->out);
    u->state = NULL;
    u->out = NULL;
}
