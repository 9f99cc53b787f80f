#include <criterion/criterion.h>

#include "http/chunk.h"

typedef struct decoded {
    chunk_result_t result;
    size_t left; /* bytes not taken */
    size_t n;
    char body[512];
} decoded_t;

static void run(chunk_t *c, str_t in, decoded_t *d)
{
    str_t data;
    while ((d->result = chunk_decode(c, &in, &data)) == CHUNK_DATA) {
        cr_assert(data.n > 0 && d->n + data.n <= sizeof(d->body));
        memcpy(d->body + d->n, data.p, data.n);
        d->n += data.n;
    }
    d->left = in.n;
}

static decoded_t decode(str_t in)
{
    chunk_t c = {0};
    decoded_t d = {.result = CHUNK_MORE};
    run(&c, in, &d);
    return d;
}

static const struct {
    str_t in, body;
    size_t left;
    const char *why;
} good[] = {
    {STR_INIT("0\r\n"), STR_INIT(""), 0, "RFC 9112 7.1: last-chunk"},
    {STR_INIT("5\r\nhello\r\n0\r\n\r\n"), STR_INIT("hello"), 2, "7.1: trailers are left"},
    {STR_INIT("5\r\nhello\r\n1\r\n!\r\n000\r\nX: y\r\n\r\n"), STR_INIT("hello!"), 8,
     "7.1: 1*(\"0\")"},
    {STR_INIT("A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n"), STR_INIT("0123456789abcdefghij"), 0,
     "7.1: HEXDIG in either case"},
    {STR_INIT("000000000000000F\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nX\r\n0\r\n"),
     STR_INIT("\r\n\r\n\r\n\r\n\r\n\r\n\r\nX"), 0, "7.1: leading zeros, line ends are data"},
    {STR_INIT("3;name\r\nabc\r\n0;last\r\n"), STR_INIT("abc"), 0, "7.1.1: name"},
    {STR_INIT("3;n=v;m=\"quo;ted\\\" \t\xe9\"\r\nabc\r\n0\r\n"), STR_INIT("abc"), 0,
     "7.1.1: quoted"},
    {STR_INIT("2\r\nab\r\n0\r\nGET / HTTP/1.1\r\n"), STR_INIT("ab"), 16, "what follows stays"},
};

static const struct {
    str_t in;
    const char *why;
} bad[] = {
    {STR_INIT("\r\n"), "RFC 9112 7.1: at least one digit"},
    {STR_INIT(";x\r\n"), "7.1: at least one digit"},
    {STR_INIT("G\r\n"), "7.1: HEXDIG"},
    {STR_INIT("-1\r\n"), "7.1: no sign"},
    {STR_INIT("+1\r\n"), "7.1: no sign"},
    {STR_INIT("0x1\r\n"), "7.1: no prefix"},
    {STR_INIT(" 5\r\n"), "7.1: no whitespace in front"},
    {STR_INIT("5 \r\n"), "7.1: no whitespace behind"},
    {STR_INIT("5\t;x\r\n"), "7.1.1: no BWS"},
    {STR_INIT("5 ;x\r\n"), "7.1.1: no BWS"},
    {STR_INIT("5\n"), "2.2: bare LF"},
    {STR_INIT("5\rX"), "2.2: bare CR"},
    {STR_INIT("5\r\r"), "2.2: bare CR"},
    {STR_INIT("5;x\n"), "2.2: bare LF in an extension"},
    {STR_INIT("5;x\rX"), "2.2: bare CR in an extension"},
    {STR_INIT("5;x=\"a\nb\"\r\n"), "7.1.1: LF in a quoted string"},
    {STR_INIT("2;x=\"a\r\nb\"\r\n"), "7.1.1: CRLF in a quoted string"},
    {STR_INIT("2;x=\"a\\\r\n"), "7.1.1: an escaped CR"},
    {STR_INIT("2;x=\"a\\\"\r\n"), "7.1.1: a quoted string that does not end"},
    {STR_INIT("5;x\0\r\n"), "5.5: NUL"},
    {STR_INIT("5;x\x7f\r\n"), "5.5: DEL"},
    {STR_INIT("5\0\r\n"), "5.5: NUL"},
    {STR_INIT("3\r\nabcd"), "7.1: CRLF behind the data"},
    {STR_INIT("3\r\nabc\n"), "7.1: CRLF behind the data"},
    {STR_INIT("3\r\nabc\r0"), "7.1: CRLF behind the data"},
    {STR_INIT("3\r\nabc0\r\n"), "7.1: CRLF behind the data"},
    {STR_INIT("00000000000000001\r\n"), "7.1: overflow; 17 digits"},
    {STR_INIT("10000000000000000\r\n"), "7.1: overflow; 17 digits"},
    {STR_INIT("8000000000000000\r\n"), "7.1: overflow; beyond INT64_MAX"},
    {STR_INIT("ffffffffffffffff\r\n"), "7.1: overflow; beyond INT64_MAX"},
};

Test(chunk, decodes)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        decoded_t d = decode(good[i].in);
        cr_expect_eq(d.result, CHUNK_LAST, "%s", good[i].why);
        cr_expect(str_eq(str_make(d.body, d.n), good[i].body), "%s", good[i].why);
        cr_expect_eq(d.left, good[i].left, "%s", good[i].why);
    }
}

Test(chunk, decodes_whatever_the_pieces)
{
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t whole = good[i].in.n - good[i].left;
        for (size_t at = 0; at <= whole; at++) {
            chunk_t c = {0};
            decoded_t d = {.result = CHUNK_MORE};
            run(&c, str_sub(good[i].in, 0, at), &d);
            cr_expect_eq(d.result, at < whole ? CHUNK_MORE : CHUNK_LAST, "%s", good[i].why);
            cr_expect_eq(d.left, 0, "%s", good[i].why);
            run(&c, str_sub(good[i].in, at, good[i].in.n), &d);
            cr_expect_eq(d.result, CHUNK_LAST, "%s", good[i].why);
            cr_expect_eq(d.left, good[i].left, "%s at %zu", good[i].why, at);
            cr_expect(str_eq(str_make(d.body, d.n), good[i].body), "%s at %zu", good[i].why, at);
        }
    }
}

Test(chunk, refuses)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(decode(bad[i].in).result, CHUNK_BAD, "%s", bad[i].why);
        chunk_t c = {0};
        decoded_t d = {.result = CHUNK_MORE};
        for (size_t at = 0; at < bad[i].in.n && d.result == CHUNK_MORE; at++)
            run(&c, str_sub(bad[i].in, at, at + 1), &d);
        cr_expect_eq(d.result, CHUNK_BAD, "%s, byte by byte", bad[i].why);
    }
}

Test(chunk, stays_bad)
{
    chunk_t c = {0};
    str_t in = STR("3\r\nabcX"), rest = STR("\n0\r\n"), data;
    cr_expect_eq(chunk_decode(&c, &in, &data), CHUNK_DATA);
    cr_expect_eq(chunk_decode(&c, &in, &data), CHUNK_BAD);
    cr_expect_eq(chunk_decode(&c, &rest, &data), CHUNK_BAD);
}

Test(chunk, stays_at_the_end)
{
    chunk_t c = {0};
    str_t in = STR("0\r\nX: y\r\n\r\n"), data;
    cr_expect_eq(chunk_decode(&c, &in, &data), CHUNK_LAST);
    cr_expect_eq(chunk_decode(&c, &in, &data), CHUNK_LAST);
    cr_expect(str_eq(in, STR("X: y\r\n\r\n")));
}

Test(chunk, takes_the_largest_size)
{
    chunk_t c = {0};
    str_t in = STR("7fffffffffffffff\r\nabc"), data;
    cr_expect_eq(chunk_decode(&c, &in, &data), CHUNK_DATA);
    cr_expect(str_eq(data, STR("abc")));
    cr_expect_eq(c.left, (uint64_t)INT64_MAX - 3);
}

/* The bound is per chunk: a second extension of full length is fine, one byte more is not. */
Test(chunk, bounds_extensions)
{
    char text[2 * CHUNK_EXT_MAX + 32];
    for (size_t n = CHUNK_EXT_MAX; n <= CHUNK_EXT_MAX + 1; n++) {
        size_t at = 0;
        memcpy(text, "1;", 2);
        memset(text + 2, 'x', CHUNK_EXT_MAX);
        at = 2 + CHUNK_EXT_MAX;
        memcpy(text + at, "\r\na\r\n0;", 7);
        at += 7;
        memset(text + at, 'x', n);
        at += n;
        memcpy(text + at, "\r\n", 2);
        decoded_t d = decode(str_make(text, at + 2));
        cr_expect_eq(d.result, n == CHUNK_EXT_MAX ? CHUNK_LAST : CHUNK_BAD);
    }
}

Test(chunk, puts_heads)
{
    static const struct {
        uint64_t size;
        const char *head;
    } rows[] = {
        {0, "0\r\n"},       {1, "1\r\n"},         {15, "f\r\n"},
        {16, "10\r\n"},     {0x1a2b, "1a2b\r\n"}, {0x100000000, "100000000\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[CHUNK_HEAD_MAX];
        size_t n = chunk_put_head(out, rows[i].size);
        cr_expect(str_eq(str_make(out, n), str_of(rows[i].head)), "%s", rows[i].head);
    }
}
