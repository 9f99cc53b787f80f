#include "tests/e2e/frames.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>

#include "tests/e2e/wire.h"

enum { FRAME_HEAD = 9, ROOM = 1 << 20, STREAMS = 4096 };

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct frames {
    wire_t *wire;
    int fd;
    char *in;
    size_t n, size;
    answer_t *answers[STREAMS]; /* by id / 2 */
    nghttp2_hd_inflater *inflater;
    uint32_t heading;           /* the stream whose head is coming */
    str_t block;                /* as far as it came */
    bool heading_ends, held, settled;
    int goaway;
    uint32_t last;
    unsigned pings, pongs;
};

/* --- connections --- */

static void end_frames(void *arg)
{
    frames_t *f = arg;
    nghttp2_hd_inflate_del(f->inflater);
    f->inflater = NULL;
}

frames_t *frames_connect(const char *port_name)
{
    frames_t *f = POOL_NEW(harness_pool, frames_t);
    f->wire = wire_open(port_name);
    f->fd = wire_fd(f->wire);
    f->goaway = CODE_NONE;
    f->size = ROOM;
    f->in = pool_bytes(harness_pool, ROOM);
    cr_assert_eq(nghttp2_hd_inflate_new(&f->inflater), 0);
    harness_at_end(end_frames, f);
    return f;
}

void frames_narrow(frames_t *f, int bytes)
{
    wire_narrow(f->wire, bytes);
}

frames_t *frames_open(const char *port_name)
{
    frames_t *f = frames_connect(port_name);
    frames_bytes(f, STR(PREFACE));
    frames_send(f, FRAME_SETTINGS, 0, 0, STR(""));
    return f;
}

void frames_close(frames_t *f)
{
    wire_close(f->wire);
    f->fd = -1;
}

void frames_hold(frames_t *f)
{
    f->held = true;
}

/* --- sending --- */

bool frames_bytes(frames_t *f, str_t bytes)
{
    while (bytes.n) {
        ssize_t put = send(f->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        cr_assert(put >= 0 || errno != EAGAIN, "the peer does not read");
        if (put < 0) return false;
        bytes = str_sub(bytes, (size_t)put, bytes.n);
    }
    return true;
}

static void put_number(char *out, unsigned bytes, uint32_t v)
{
    for (unsigned i = 0; i < bytes; i++) out[i] = (char)(v >> (8 * (bytes - 1 - i)));
}

bool frames_send(frames_t *f, unsigned type, unsigned flags, uint32_t stream, str_t payload)
{
    char *out = pool_bytes(harness_pool, FRAME_HEAD + payload.n);
    put_number(out, 3, (uint32_t)payload.n);
    out[3] = (char)type;
    out[4] = (char)flags;
    put_number(out + 5, 4, stream);
    if (payload.n) memcpy(out + FRAME_HEAD, payload.p, payload.n);
    return frames_bytes(f, str_make(out, FRAME_HEAD + payload.n));
}

bool frames_number(frames_t *f, unsigned type, uint32_t stream, uint32_t value)
{
    char out[4];
    put_number(out, 4, value);
    return frames_send(f, type, 0, stream, str_make(out, 4));
}

bool frames_settings(frames_t *f, unsigned id, uint32_t value)
{
    char out[6];
    put_number(out, 2, id);
    put_number(out + 2, 4, value);
    return frames_send(f, FRAME_SETTINGS, 0, 0, str_make(out, 6));
}

/* RFC 7541 5.1 with a prefix of 7 bits, 5.2 without Huffman. */
static char *put_string(char *out, str_t s)
{
    size_t n = s.n;
    if (n < 127) {
        *out++ = (char)n;
    } else {
        *out++ = 127;
        for (n -= 127; n >= 128; n >>= 7) *out++ = (char)(n | 128);
        *out++ = (char)n;
    }
    return mempcpy(out, s.p, s.n);
}

/* RFC 7541 6.2.2: literals without indexing, new names. */
str_t frames_block(const char *fields)
{
    str_t rest = str_of(fields), line;
    char *out = pool_bytes(harness_pool, rest.n * 2 + 64), *at = out;
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 1, ':');
        str_t value = str_sub(line, colon < line.n ? colon + 1 : colon, line.n);
        if (value.n && value.p[0] == ' ') value = str_sub(value, 1, value.n);
        *at++ = 0;
        at = put_string(at, str_sub(line, 0, colon));
        at = put_string(at, value);
    }
    return str_make(out, (size_t)(at - out));
}

bool frames_head(frames_t *f, uint32_t stream, unsigned flags, const char *fields)
{
    unsigned end = flags & FRAMES_OPEN_HEAD ? 0 : FRAMES_END_HEADERS;
    return frames_send(f, FRAME_HEADERS, (flags & 0xff) | end, stream, frames_block(fields));
}

bool frames_data(frames_t *f, uint32_t stream, unsigned flags, str_t data)
{
    return frames_send(f, FRAME_DATA, flags, stream, data);
}

/* --- what comes --- */

static uint32_t number(const char *p, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes; i++) v = v << 8 | (unsigned char)p[i];
    return v;
}

/* Reads until n bytes are there; false at the end. */
static bool fill(frames_t *f, size_t n)
{
    while (f->n < n) {
        ssize_t got = recv(f->fd, f->in + f->n, f->size - f->n, 0);
        if (got < 0 && errno == EINTR) continue;
        cr_assert(got >= 0 || errno != EAGAIN, "no frame arrives any more");
        if (got <= 0) return false;
        f->n += (size_t)got;
    }
    return true;
}

answer_t *frames_sofar(frames_t *f, uint32_t stream)
{
    cr_assert(stream % 2 == 1 && stream / 2 < STREAMS, "a frame of stream %u", stream);
    answer_t **a = &f->answers[stream / 2];
    if (!*a) {
        *a = POOL_NEW(harness_pool, answer_t);
        **a = (answer_t){.head = "", .interim = "", .trailers = "", .reset = CODE_NONE};
        (*a)->body = STR("");
    }
    return *a;
}

static const char *decode(frames_t *f, str_t block)
{
    const char *out = "";
    int flags = 0;
    while (block.n || !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(f->inflater, &nv, &flags, (const uint8_t *)block.p,
                                              block.n, 1);
        cr_assert_geq(used, 0, "a header block that cannot be decoded");
        block = str_sub(block, (size_t)used, block.n);
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            out = text("%s%.*s: %.*s\n", out, (int)nv.namelen, (const char *)nv.name,
                       (int)nv.valuelen, (const char *)nv.value);
    }
    nghttp2_hd_inflate_end_headers(f->inflater);
    return out;
}

static void take_head(frames_t *f)
{
    answer_t *a = frames_sofar(f, f->heading);
    const char *fields = decode(f, f->block), *status = frames_field(fields, ":status");
    cr_assert(!a->ended, "a head behind the end of stream %u", f->heading);
    if (a->status) {
        cr_assert(!status && f->heading_ends, "trailers that are none: %s", fields);
        a->trailers = fields;
    } else if (status && status[0] == '1') {
        a->interim = text("%s%s", a->interim, fields);
    } else {
        cr_assert(status, "a head without status: %s", fields);
        a->status = atoi(status);
        a->head = fields;
    }
    a->ended = f->heading_ends;
    f->heading = 0;
}

static void take_block(frames_t *f, const frame_t *frame)
{
    if (frame->type == FRAME_HEADERS) {
        f->heading = frame->stream;
        f->heading_ends = frame->flags & FRAMES_END_STREAM;
        f->block = STR("");
        cr_assert(!(frame->flags & (FRAMES_PADDED | FRAMES_PRIORITY)));
    }
    f->block = pool_concat(harness_pool, f->block, frame->payload);
    if (frame->flags & FRAMES_END_HEADERS) take_head(f);
}

static void take_data(frames_t *f, const frame_t *frame)
{
    answer_t *a = frames_sofar(f, frame->stream);
    cr_assert(a->status && !a->ended, "DATA of stream %u out of place", frame->stream);
    if (a->size < a->body.n + frame->payload.n + 1) {
        a->size = 2 * (a->body.n + frame->payload.n) + 4096;
        char *room = pool_bytes(harness_pool, a->size);
        if (a->body.n) memcpy(room, a->body.p, a->body.n);
        a->room = room;
    }
    if (frame->payload.n) memcpy(a->room + a->body.n, frame->payload.p, frame->payload.n);
    a->body = str_make(a->room, a->body.n + frame->payload.n);
    a->room[a->body.n] = '\0';
    a->pieces++;
    a->ended = frame->flags & FRAMES_END_STREAM;
    if (f->held || !frame->payload.n) return;
    frames_number(f, FRAME_WINDOW_UPDATE, 0, (uint32_t)frame->payload.n);
    if (!a->ended) frames_number(f, FRAME_WINDOW_UPDATE, frame->stream, (uint32_t)frame->payload.n);
}

static void take_settings(frames_t *f, const frame_t *frame)
{
    f->settled = true;
    cr_assert_eq(frame->payload.n % 6, 0);
    if (!(frame->flags & FRAMES_ACK)) frames_send(f, FRAME_SETTINGS, FRAMES_ACK, 0, STR(""));
}

static void take_goaway(frames_t *f, const frame_t *frame)
{
    uint32_t last = number(frame->payload.p, 4);
    cr_assert(f->goaway == CODE_NONE || last <= f->last, "GOAWAY takes back what it has said");
    f->last = last;
    f->goaway = (int)number(frame->payload.p + 4, 4);
}

static void take(frames_t *f, const frame_t *frame)
{
    cr_assert(!f->heading || frame->type == FRAME_CONTINUATION, "a frame inside of a head");
    cr_assert(f->settled || frame->type == FRAME_SETTINGS, "the first frame is of type %u",
              frame->type);
    switch (frame->type) {
    case FRAME_HEADERS:
    case FRAME_CONTINUATION: take_block(f, frame); break;
    case FRAME_DATA: take_data(f, frame); break;
    case FRAME_RST_STREAM:
        frames_sofar(f, frame->stream)->reset = (int)number(frame->payload.p, 4);
        break;
    case FRAME_SETTINGS: take_settings(f, frame); break;
    case FRAME_GOAWAY: take_goaway(f, frame); break;
    case FRAME_PING:
        if (frame->flags & FRAMES_ACK) f->pongs++;
        else frames_send(f, FRAME_PING, FRAMES_ACK, 0, frame->payload);
        break;
    case FRAME_WINDOW_UPDATE:
        cr_assert(frame->payload.n == 4 && number(frame->payload.p, 4));
        break;
    default: cr_assert_fail("a frame of type %u", frame->type);
    }
}

bool frames_next(frames_t *f, frame_t *out)
{
    if (!fill(f, FRAME_HEAD)) return false;
    size_t n = number(f->in, 3);
    cr_assert_leq(n, 16384, "a frame of %zu bytes", n);
    if (!fill(f, FRAME_HEAD + n)) return false;
    *out = (frame_t){.type = (uint8_t)f->in[3], .flags = (uint8_t)f->in[4],
                     .stream = number(f->in + 5, 4)};
    out->payload = pool_str(harness_pool, str_make(f->in + FRAME_HEAD, n));
    f->n -= FRAME_HEAD + n;
    memmove(f->in, f->in + FRAME_HEAD + n, f->n);
    take(f, out);
    return true;
}

answer_t *frames_answer(frames_t *f, uint32_t stream)
{
    frame_t frame;
    answer_t *a = frames_sofar(f, stream);
    while (!a->ended && a->reset == CODE_NONE && frames_next(f, &frame)) continue;
    return a;
}

answer_t *frames_await(frames_t *f, uint32_t stream, size_t bytes)
{
    frame_t frame;
    answer_t *a = frames_sofar(f, stream);
    while ((!a->status || a->body.n < bytes) && !a->ended && a->reset == CODE_NONE)
        if (!frames_next(f, &frame)) break;
    return a;
}

int frames_goodbye(frames_t *f)
{
    frame_t frame;
    while (frames_next(f, &frame)) continue;
    return f->goaway;
}

int frames_goaway(const frames_t *f)
{
    return f->goaway;
}

uint32_t frames_last_stream(const frames_t *f)
{
    return f->last;
}

void frames_sync(frames_t *f)
{
    frame_t frame;
    frames_send(f, FRAME_PING, 0, 0, STR("12345678"));
    for (unsigned due = ++f->pings; f->pongs < due;)
        cr_assert(frames_next(f, &frame), "the connection has ended (GOAWAY %d)", f->goaway);
}

void frames_assert_well(frames_t *f, uint32_t stream)
{
    frames_head(f, stream, FRAMES_END_STREAM, GET);
    answer_t *a = frames_answer(f, stream);
    cr_assert(a->ended && a->status == 200, "stream %u: status %d, reset %d, goaway %d", stream,
              a->status, a->reset, f->goaway);
}

const char *frames_field(const char *fields, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = fields; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, n) != 0 || line[n] != ':') continue;
        const char *value = line + n + 2;
        return text("%.*s", (int)(strchr(value, '\n') - value), value);
    }
    return NULL;
}
