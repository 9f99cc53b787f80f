#include "tests/e2e/visit_frames.h"

enum { HEAD = 9, PREFACE = 24, BLOCK = 16000 };

static bool read_all(visit_t *v, char *out, size_t n)
{
    while (n) {
        size_t got = visit_read(v, out, n);
        if (got == 0) return false;
        out += got;
        n -= got;
    }
    return true;
}

static uint32_t number(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void put_number(char *p, uint32_t n)
{
    for (int i = 0; i < 4; i++) p[i] = (char)(n >> (24 - 8 * i));
}

bool visit_frames_put(visit_t *v, unsigned type, unsigned flags, uint32_t stream, str_t payload)
{
    char head[HEAD];
    put_number(head, (uint32_t)payload.n << 8);
    head[3] = (char)type;
    head[4] = (char)flags;
    put_number(head + 5, stream);
    return visit_send_n(v, head, HEAD) && visit_send_n(v, payload.p, payload.n);
}

bool visit_frames_preface(visit_t *v, str_t settings)
{
    char preface[PREFACE];
    return read_all(v, preface, PREFACE) && memcmp(preface, "PRI * HTTP/2.0", 14) == 0 &&
           visit_frames_put(v, FRAME_SETTINGS, 0, 0, settings);
}

bool visit_frames_next(visit_t *v, visit_frame_t *out)
{
    char head[HEAD];
    if (!read_all(v, head, HEAD)) return false;
    out->n = number(head) >> 8;
    out->type = (uint8_t)head[3];
    out->flags = (uint8_t)head[4];
    out->stream = number(head + 5);
    if (out->n > sizeof(out->payload) || !read_all(v, out->payload, out->n)) return false;
    if (out->type == FRAME_SETTINGS && !(out->flags & FRAMES_ACK))
        visit_frames_put(v, FRAME_SETTINGS, FRAMES_ACK, 0, STR(""));
    return true;
}

bool visit_frames_await_frame(visit_t *v, unsigned type, visit_frame_t *out)
{
    while (visit_frames_next(v, out))
        if (out->type == type) return true;
    return false;
}

uint32_t visit_frames_await_head(visit_t *v)
{
    visit_frame_t f;
    return visit_frames_await_frame(v, FRAME_HEADERS, &f) ? f.stream : 0;
}

/* A literal of less than 127 + 128 bytes, or of up to 16k with two more bytes of length. */
static char *put_literal(char *at, const char *p, size_t n)
{
    if (n < 127) {
        *at++ = (char)n;
    } else {
        *at++ = 127;
        *at++ = (char)(((n - 127) & 127) | 128);
        *at++ = (char)((n - 127) >> 7);
    }
    return mempcpy(at, p, n);
}

bool visit_frames_fields(visit_t *v, unsigned flags, uint32_t stream, const char *fields)
{
    char block[BLOCK], *at = block;
    while (*fields) {
        const char *end = strchr(fields, '\n'), *colon = strstr(fields + 1, ": ");
        *at++ = 0;
        at = put_literal(at, fields, (size_t)(colon - fields));
        at = put_literal(at, colon + 2, (size_t)(end - colon - 2));
        fields = end + 1;
    }
    unsigned on_wire = (flags & FRAMES_OPEN_HEAD ? 0 : FRAMES_END_HEADERS) | (flags & 0xff);
    return visit_frames_put(v, FRAME_HEADERS, on_wire, stream,
                            str_make(block, (size_t)(at - block)));
}

bool visit_frames_number(visit_t *v, unsigned type, uint32_t stream, uint32_t value)
{
    char payload[4];
    put_number(payload, value);
    return visit_frames_put(v, type, 0, stream, str_make(payload, 4));
}

bool visit_frames_goaway(visit_t *v, uint32_t last, uint32_t code)
{
    char payload[8];
    put_number(payload, last);
    put_number(payload + 4, code);
    return visit_frames_put(v, FRAME_GOAWAY, 0, 0, str_make(payload, 8));
}

void visit_frames_well(visit_t *v, uint32_t stream)
{
    visit_frames_fields(v, 0, stream, ":status: 200\n");
    visit_frames_put(v, FRAME_DATA, FRAMES_END_STREAM, stream, STR("well"));
}
