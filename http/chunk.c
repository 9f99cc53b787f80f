#include "http/chunk.h"

enum { DIGITS_MAX = 16 };

/* What the next byte must be. AT_SIZE is zero: the state of a fresh chunk_t. */
enum state {
    AT_SIZE = 0,
    AT_EXT,
    AT_QUOTED,
    AT_ESCAPED,
    AT_SIZE_LF,
    AT_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_END,
    AT_BAD,
};

static bool take_digit(chunk_t *c, int digit)
{
    if (c->digits == DIGITS_MAX) return false;
    c->left = c->left << 4 | (unsigned)digit;
    c->digits++;
    return true;
}

/* Behind at least one digit only an extension or the line's end may follow (no BWS). */
static bool at_size(chunk_t *c, char byte)
{
    int digit = ascii_hex(byte);
    if (digit >= 0) return take_digit(c, digit);
    if (c->digits == 0 || c->left > INT64_MAX) return false;
    c->state = byte == ';' ? AT_EXT : AT_SIZE_LF;
    return byte == ';' || byte == '\r';
}

/* Counts a byte of an extension; `next` is what the byte leads to. */
static bool take_ext(chunk_t *c, char byte, enum state next)
{
    unsigned char u = (unsigned char)byte;
    bool control = (u < 0x20 && u != '\t') || u == 0x7f;
    c->state = (uint8_t)next;
    return !control && ++c->ext <= CHUNK_EXT_MAX;
}

/* Quotes are followed because a line end inside them would be one to some parsers only. */
static bool at_ext(chunk_t *c, char byte)
{
    if (byte != '\r') return take_ext(c, byte, byte == '"' ? AT_QUOTED : AT_EXT);
    c->state = AT_SIZE_LF;
    return true;
}

static bool at_quoted(chunk_t *c, char byte)
{
    return take_ext(c, byte, byte == '"' ? AT_EXT : byte == '\\' ? AT_ESCAPED : AT_QUOTED);
}

static bool at_size_lf(chunk_t *c, char byte)
{
    c->state = c->left ? AT_DATA : AT_END;
    c->digits = 0;
    c->ext = 0;
    return byte == '\n';
}

static bool expect(chunk_t *c, char byte, char wanted, enum state next)
{
    c->state = (uint8_t)next;
    return byte == wanted;
}

static bool step(chunk_t *c, char byte)
{
    switch ((enum state)c->state) {
    case AT_SIZE: return at_size(c, byte);
    case AT_EXT: return at_ext(c, byte);
    case AT_QUOTED: return at_quoted(c, byte);
    case AT_ESCAPED: return take_ext(c, byte, AT_QUOTED);
    case AT_SIZE_LF: return at_size_lf(c, byte);
    case AT_DATA_CR: return expect(c, byte, '\r', AT_DATA_LF);
    case AT_DATA_LF: return expect(c, byte, '\n', AT_SIZE);
    case AT_DATA:
    case AT_END:
    case AT_BAD: break;
    }
    return false;
}

static void take_data(chunk_t *c, str_t *in, str_t *data)
{
    size_t n = in->n < c->left ? in->n : (size_t)c->left;
    *data = str_sub(*in, 0, n);
    *in = str_sub(*in, n, in->n);
    c->left -= n;
    if (c->left == 0) c->state = AT_DATA_CR;
}

chunk_result_t chunk_decode(chunk_t *c, str_t *in, str_t *data)
{
    while (c->state != AT_END) {
        if (in->n == 0) return CHUNK_MORE;
        if (c->state == AT_DATA) {
            take_data(c, in, data);
            return CHUNK_DATA;
        }
        if (!step(c, in->p[0])) {
            c->state = AT_BAD;
            return CHUNK_BAD;
        }
        *in = str_sub(*in, 1, in->n);
    }
    return CHUNK_LAST;
}

size_t chunk_put_head(char *out, uint64_t size)
{
    int shift = 60;
    size_t n = 0;
    while (shift > 0 && size >> shift == 0) shift -= 4;
    for (; shift >= 0; shift -= 4) out[n++] = "0123456789abcdef"[size >> shift & 15];
    out[n++] = '\r';
    out[n++] = '\n';
    return n;
}
