#include <criterion/criterion.h>

#include "http/parse.h"
#include "http/scan.h"
#include "tests/unit/http/guarded.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define HOST "Host: a\r\n"
#define END "\r\n"

static pool_t *pool;
static parse_request_t req;
static parse_response_t res;
static size_t used;

static void setup(void)
{
    pool = pool_create();
    header_list_init(&req.headers, pool);
    header_list_init(&res.headers, pool);
}

static void teardown(void)
{
    scan_use(scan_best());
    pool_destroy(pool);
}

TestSuite(parse, .init = setup, .fini = teardown);

/* Parses text that ends where readable memory ends. */
static parse_error_t guarded(str_t text, bool response)
{
    str_t copy = guarded_copy(text);
    if (response) return parse_response(copy.p, copy.n, &res, &used);
    return parse_request(copy.p, copy.n, &req, &used);
}

/* One row: the head and what it must give; checked with every form of the scanner. */
typedef struct row {
    str_t head;
    parse_error_t error;
    const char *why; /* RFC 9112 unless named */
} row_t;

static void check(const row_t *rows, size_t count, bool response)
{
    for (scan_kind_t kind = SCAN_PLAIN; kind <= scan_best(); kind++) {
        cr_assert(scan_use(kind));
        for (size_t i = 0; i < count; i++) {
            parse_error_t e = guarded(rows[i].head, response);
            cr_expect_eq(e, rows[i].error, "row %zu gave %d, not %d: %s (scan %d)", i, (int)e,
                         (int)rows[i].error, rows[i].why, (int)kind);
            if (rows[i].error == PARSE_OK)
                cr_expect_eq(used, rows[i].head.n, "row %zu: %s", i, rows[i].why);
        }
    }
}

#define ROW(head, error, why) {STR_INIT(head), PARSE_##error, why}

static const row_t request_lines[] = {
    ROW("GET / HTTP/1.1\r\n" HOST END, OK, "3"),
    ROW("GET / HTTP/1.0\r\n" END, OK, "3.2: HTTP/1.0 needs no Host"),
    ROW("GET / HTTP/1.7\r\n" HOST END, OK, "2.5: a higher minor version"),
    ROW("\r\nGET / HTTP/1.1\r\n" HOST END, OK, "2.2: an empty line in front"),
    ROW("\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST END, OK, "2.2: empty lines in front"),
    ROW("\nGET / HTTP/1.1\r\n" HOST END, BAD_LINE_END, "2.2: bare LF in front"),
    ROW("\rGET / HTTP/1.1\r\n" HOST END, BAD_LINE_END, "2.2: bare CR in front"),
    ROW(" GET / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3: space in front"),
    ROW("GET / HTTP/1.1\n" HOST END, BAD_LINE_END, "2.2: bare LF"),
    ROW("GET / HTTP/1.1\rX\n" HOST END, BAD_LINE_END, "2.2: bare CR"),
    ROW("GET / HTTP/1.1\r\r\n" HOST END, BAD_LINE_END, "2.2: CR CR LF"),
    ROW("GET / HTTP/1.1\r\n" HOST "\n", BAD_LINE_END, "2.2: bare LF ends the head"),
    ROW("GET / HTTP/1.1\r\nHost: a\n\r\n", BAD_LINE_END, "2.2: bare LF ends a field"),
    ROW("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", BAD_LINE_END, "2.2: bare CR in a field"),
    ROW("M-SEARCH * HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.4: * is for OPTIONS alone"),
    ROW("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" HOST END, OK, "3.1: any token is a method"),
    ROW("get / HTTP/1.1\r\n" HOST END, OK, "3.1: another method, but a method"),
    ROW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST END, OK, "3.1: 32 bytes"),
    ROW("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3.1: 33 bytes"),
    ROW("G@T / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3.1: not a token"),
    ROW("GET: / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3.1: not a token"),
    ROW("G\xc9T / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3.1: not a token"),
    ROW("G\0T / HTTP/1.1\r\n" HOST END, BAD_METHOD, "3.1: NUL"),
    ROW("GET\t/ HTTP/1.1\r\n" HOST END, BAD_METHOD, "3: a tab is no SP"),
    ROW("\x16\x03\x01\x02", BAD_METHOD, "a TLS hello, at its first byte"),
    ROW("GET\r\n\r\n", BAD_METHOD, "3: no target"),
    ROW("GET /\r\n\r\n", BAD_VERSION, "3: HTTP/0.9"),
    ROW("GET HTTP/1.1\r\n" HOST END, BAD_VERSION, "3: no target"),
    ROW("GET  HTTP/1.1\r\n" HOST END, BAD_TARGET, "3: an empty target"),
    ROW("GET  / HTTP/1.1\r\n" HOST END, BAD_TARGET, "3: two spaces"),
    ROW("GET /  HTTP/1.1\r\n" HOST END, BAD_TARGET, "3: two spaces"),
    ROW("GET / HTTP/1.1 \r\n" HOST END, BAD_VERSION, "3: trailing space"),
    ROW("GET /\tHTTP/1.1\r\n" HOST END, BAD_VERSION, "3: a tab is no SP"),
    ROW("GET / http/1.1\r\n" HOST END, BAD_VERSION, "2.3: case matters"),
    ROW("GET / HTTP/1.\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("GET / HTTP/1.10\r\n" HOST END, BAD_VERSION, "2.3: one digit"),
    ROW("GET / HTTP/11.1\r\n" HOST END, BAD_VERSION, "2.3: one digit"),
    ROW("GET / HTTP/1,1\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("GET / HTTP/1.x\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("GET / HTTP/-.1\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("GET / HTTPS/1.1\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("GET / HTTP/0.9\r\n" HOST END, BAD_VERSION, "2.3"),
    ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", UNSUPPORTED_VERSION, "RFC 9113 3.4"),
    ROW("GET / HTTP/3.0\r\n" HOST END, UNSUPPORTED_VERSION, "2.3"),
};

Test(parse, request_lines)
{
    check(request_lines, COUNT(request_lines), false);
}

static const row_t targets[] = {
    ROW("GET /%41?a=b&c=/?\"<>[]{}|\\^` HTTP/1.1\r\n" HOST END, OK, "3.2.1: as browsers send them"),
    ROW("GET /\xc3\xa9 HTTP/1.1\r\n" HOST END, OK, "3.2: raw bytes, as nginx accepts"),
    ROW("GET //x HTTP/1.1\r\n" HOST END, OK, "3.2.1"),
    ROW("GET /a b HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: space"),
    ROW("GET /a\tb HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: tab"),
    ROW("GET /a\0b HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: NUL"),
    ROW("GET /a\x0b HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: VT"),
    ROW("GET /a\x7f HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: DEL"),
    ROW("GET /a#b HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: a fragment"),
    ROW("GET a HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: in no form"),
    ROW("GET ?a HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2: in no form"),
    ROW("GET a:80 HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3: authority-form is for CONNECT"),
    ROW("GET http://b/ HTTP/1.1\r\n" HOST END, OK, "3.2.2"),
    ROW("GET HTTPS://b:443?x HTTP/1.1\r\n" HOST END, OK, "3.2.2"),
    ROW("GET http://[::1]:80/ HTTP/1.1\r\n" HOST END, OK, "3.2.2"),
    ROW("GET ftp://b/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.2: another scheme"),
    ROW("GET http:/b/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.2"),
    ROW("GET http:///b HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 4.2.1: empty host"),
    ROW("GET http://:80/b HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 4.2.1: empty host"),
    ROW("GET http://u@b/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 4.2.4: userinfo"),
    ROW("GET http://u:p@b/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 4.2.4: userinfo"),
    ROW("GET http://b:x/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 3986 3.2.3"),
    ROW("GET http://b\\c/ HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 3986 3.2.2"),
    ROW("OPTIONS * HTTP/1.1\r\n" HOST END, OK, "3.2.4"),
    ROW("OPTIONS /x HTTP/1.1\r\n" HOST END, OK, "3.2.1"),
    ROW("GET * HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.4: * is for OPTIONS alone"),
    ROW("OPTIONS *x HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.4"),
    ROW("CONNECT b:443 HTTP/1.1\r\n" HOST END, OK, "3.2.3"),
    ROW("CONNECT [::1]:443 HTTP/1.1\r\n" HOST END, OK, "3.2.3"),
    ROW("CONNECT b HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3: no port"),
    ROW("CONNECT 192.0.2.1 HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3: no port"),
    ROW("CONNECT [::1] HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3: no port"),
    ROW("CONNECT b: HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 9.3.6: empty port"),
    ROW("CONNECT u@b:443 HTTP/1.1\r\n" HOST END, BAD_TARGET, "RFC 9110 4.2.4: userinfo"),
    ROW("CONNECT / HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3"),
    ROW("CONNECT http://b:80 HTTP/1.1\r\n" HOST END, BAD_TARGET, "3.2.3"),
};

Test(parse, targets)
{
    check(targets, COUNT(targets), false);
}

#define FIELD(field, error, why) ROW("GET / HTTP/1.1\r\n" HOST field "\r\n\r\n", error, why)

static const row_t fields[] = {
    FIELD("X-A: b", OK, "5"),
    FIELD("X-A:b", OK, "5: OWS is optional"),
    FIELD("X-A: \t b \t", OK, "5: OWS around the value"),
    FIELD("X-A:", OK, "RFC 9110 5.5: an empty value"),
    FIELD("X-A: \t ", OK, "RFC 9110 5.5: an empty value"),
    FIELD("X-A: a\tb \x80\xff", OK, "RFC 9110 5.5: HTAB inside, obs-text"),
    FIELD("!#$%&'*+-.^_`|~09: x", OK, "RFC 9110 5.6.2: all of tchar"),
    FIELD("X-A-Name-That-Is-Longer-Than-A-Vector-Of-Thirty-Two-Bytes: x", OK, "5"),
    FIELD("X-A : b", BAD_NAME, "5.1: whitespace before the colon"),
    FIELD("X-A\t: b", BAD_NAME, "5.1: whitespace before the colon"),
    FIELD("Content-Length : 5", BAD_NAME, "5.1: whitespace before the colon"),
    FIELD(": b", BAD_NAME, "5: an empty name"),
    FIELD("X-A", BAD_NAME, "5: no colon"),
    FIELD("X A: b", BAD_NAME, "RFC 9110 5.1"),
    FIELD("X(A): b", BAD_NAME, "RFC 9110 5.1"),
    FIELD("X\xc3\xa9: b", BAD_NAME, "RFC 9110 5.1"),
    FIELD("X\x7f: b", BAD_NAME, "RFC 9110 5.1: DEL"),
    FIELD("X\0: b", BAD_NAME, "RFC 9110 5.1: NUL"),
    FIELD("X\0", BAD_NAME, "RFC 9110 5.1: NUL"),
    FIELD("X-A: a\0b", BAD_VALUE, "RFC 9110 5.5: NUL"),
    FIELD("X-A: a\x01", BAD_VALUE, "RFC 9110 5.5: a control"),
    FIELD("X-A: a\x0b", BAD_VALUE, "RFC 9110 5.5: VT"),
    FIELD("X-A: \x0c", BAD_VALUE, "RFC 9110 5.5: FF"),
    FIELD("X-A: a\x1b[0m", BAD_VALUE, "RFC 9110 5.5: ESC"),
    FIELD("X-A: \x7f", BAD_VALUE, "RFC 9110 5.5: DEL"),
    FIELD("X-A: a\r\n b", OBS_FOLD, "5.2"),
    FIELD("X-A: a\r\n\tb", OBS_FOLD, "5.2"),
    FIELD("X-A: a\r\n ", OBS_FOLD, "5.2"),
    FIELD(" X-A: a", OBS_FOLD, "5.2"),
    ROW("GET / HTTP/1.1\r\n " HOST END, BAD_NAME, "2.2: whitespace in front of the first field"),
    ROW("GET / HTTP/1.1\r\n\t\r\n" HOST END, BAD_NAME, "2.2: whitespace in front"),
};

Test(parse, fields)
{
    check(fields, COUNT(fields), false);
}

#define WITH_HOST(field, error, why) ROW("GET / HTTP/1.1\r\n" field "\r\n\r\n", error, why)

static const row_t hosts[] = {
    WITH_HOST("Host: example.com", OK, "3.2"),
    WITH_HOST("hOST: example.com:8080", OK, "3.2"),
    WITH_HOST("Host:", OK, "3.2: may be empty"),
    WITH_HOST("Host: example.com:", OK, "RFC 3986 3.2.3: an empty port"),
    WITH_HOST("Host: [2001:db8::1]:80", OK, "3.2"),
    WITH_HOST("X-Host: a", NO_HOST, "3.2: missing"),
    WITH_HOST("Host: a\r\nHost: a", BAD_HOST, "3.2: more than one"),
    WITH_HOST("Host: a\r\nX: y\r\nhost: b", BAD_HOST, "3.2: more than one"),
    WITH_HOST("Host:\r\nHost:", BAD_HOST, "3.2: more than one"),
    WITH_HOST("Host: a b", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: a, b", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: a,b", BAD_HOST, "two joined on the way"),
    WITH_HOST("Host: a/b", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: u@a", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: a:b", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: a:65536", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: :80", BAD_HOST, "RFC 9110 4.2.1: empty host"),
    WITH_HOST("Host: [::1", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: \x80", BAD_HOST, "3.2: invalid"),
    WITH_HOST("Host: http://a", BAD_HOST, "3.2: invalid"),
    ROW("GET http://b/ HTTP/1.1\r\nX: y\r\n\r\n", NO_HOST, "3.2.2: needed there, too"),
    ROW("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", BAD_HOST, "3.2.2: is judged all the same"),
    ROW("GET http://b/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n", BAD_HOST, "3.2"),
    ROW("CONNECT b:1 HTTP/1.1\r\n\r\n", NO_HOST, "3.2"),
    ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", BAD_HOST, "3.2: in HTTP/1.0, too"),
    ROW("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", BAD_HOST, "3.2: in HTTP/1.0, too"),
};

Test(parse, hosts)
{
    check(hosts, COUNT(hosts), false);
}

#define CL "Content-Length: "
#define CODED "Transfer-Encoding: "

static const row_t request_framing[] = {
    FIELD(CL "0", OK, "6.2"),
    FIELD(CL "9223372036854775807", OK, "6.2"),
    FIELD(CL "0005", OK, "6.2: 1*DIGIT"),
    FIELD(CL "9223372036854775808", BAD_LENGTH, "6.2: overflow"),
    FIELD(CL "18446744073709551621", BAD_LENGTH, "6.2: overflow"),
    FIELD(CL, BAD_LENGTH, "6.2: empty"),
    FIELD(CL "+5", BAD_LENGTH, "6.2: sign"),
    FIELD(CL "-5", BAD_LENGTH, "6.2: sign"),
    FIELD(CL "5 5", BAD_LENGTH, "6.2: space"),
    FIELD(CL "0x5", BAD_LENGTH, "6.2"),
    FIELD(CL "5.0", BAD_LENGTH, "6.2"),
    FIELD(CL "1e3", BAD_LENGTH, "6.2"),
    FIELD(CL "5,", BAD_LENGTH, "6.2"),
    FIELD(CL "5, 5", BAD_LENGTH, "6.3: a list"),
    FIELD(CL "5, 6", BAD_LENGTH, "6.3: a list"),
    FIELD(CL "5\r\n" CL "5", BAD_LENGTH, "6.3: several"),
    FIELD(CL "5\r\nX: y\r\ncontent-length: 6", BAD_LENGTH, "6.3: several"),
    FIELD(CL "5\r\n" CODED "chunked", LENGTH_AND_CODING, "6.1"),
    FIELD(CODED "chunked\r\n" CL "0", LENGTH_AND_CODING, "6.1"),
    FIELD(CODED "gzip\r\n" CL "5", LENGTH_AND_CODING, "6.1"),
    FIELD(CODED "chunked", OK, "7.1"),
    FIELD(CODED "\tCHUNKED ", OK, "7: case does not matter"),
    FIELD(CODED "chunked, chunked", BAD_CODING, "7: twice"),
    FIELD(CODED "chunked\r\n" CODED "chunked", BAD_CODING, "7: twice"),
    FIELD(CODED "chunked, gzip", BAD_CODING, "6.1: not last"),
    FIELD(CODED "chunked\r\n" CODED "identity", BAD_CODING, "6.1: not last"),
    FIELD(CODED "gzip, chunked", UNKNOWN_CODING, "6.1"),
    FIELD(CODED "gzip\r\n" CODED "chunked", UNKNOWN_CODING, "6.1"),
    FIELD(CODED "gzip", UNKNOWN_CODING, "6.1"),
    FIELD(CODED "identity", UNKNOWN_CODING, "7: not a coding any more"),
    FIELD(CODED "xchunked", UNKNOWN_CODING, "6.1"),
    FIELD(CODED "chunke", UNKNOWN_CODING, "6.1"),
    FIELD(CODED "\"chunked\"", UNKNOWN_CODING, "7: a token, not a string"),
    FIELD(CODED "chunked;q=1", UNKNOWN_CODING, "7.1: chunked has no parameters"),
    FIELD(CODED, BAD_CODING, "7: empty"),
    FIELD(CODED ",", BAD_CODING, "7: empty"),
    FIELD(CODED "chunked,", BAD_CODING, "an odd spelling"),
    FIELD(CODED ", chunked", BAD_CODING, "an odd spelling"),
    FIELD(CODED "\r\n" CODED "chunked", BAD_CODING, "an odd spelling"),
    ROW("POST / HTTP/1.0\r\n" CODED "chunked\r\n\r\n", BAD_CODING, "6.1: HTTP/1.0 has no codings"),
};

Test(parse, request_framing)
{
    check(request_framing, COUNT(request_framing), false);
}

#define OK_200 "HTTP/1.1 200 OK\r\n"
#define ANSWER(fields, error, why) ROW(OK_200 fields "\r\n\r\n", error, why)

static const row_t responses[] = {
    ROW(OK_200 END, OK, "4"),
    ROW("HTTP/1.0 200 OK\r\n" END, OK, "4"),
    ROW("HTTP/1.1 200 \r\n" END, OK, "4: no reason"),
    ROW("HTTP/1.1 200\r\n" END, OK, "4: without the space, as common origins send it"),
    ROW("HTTP/1.1 999 \tA b\xc3\xa9\r\n" END, OK, "4: HTAB, SP, VCHAR, obs-text"),
    ROW("HTTP/1.1 099 x\r\n" END, BAD_STATUS, "RFC 9110 15"),
    ROW("HTTP/1.1 000 x\r\n" END, BAD_STATUS, "RFC 9110 15"),
    ROW("HTTP/1.1 20 x\r\n" END, BAD_STATUS, "4: three digits"),
    ROW("HTTP/1.1 2000 x\r\n" END, BAD_STATUS, "4: three digits"),
    ROW("HTTP/1.1 2x0 x\r\n" END, BAD_STATUS, "4: three digits"),
    ROW("HTTP/1.1  200 x\r\n" END, BAD_STATUS, "4: one space"),
    ROW("HTTP/1.1\t200 x\r\n" END, BAD_STATUS, "4: SP"),
    ROW("HTTP/1.1 200\tx\r\n" END, BAD_STATUS, "4: SP"),
    ROW("HTTP/1.1 200OK\r\n" END, BAD_STATUS, "4: SP"),
    ROW("HTTP/1.1 200 a\0b\r\n" END, BAD_STATUS, "4: NUL in the reason"),
    ROW("HTTP/1.1 200 \x1b\r\n" END, BAD_STATUS, "4: a control in the reason"),
    ROW("HTTP/1.1 200 \x7f\r\n" END, BAD_STATUS, "4: DEL in the reason"),
    ROW("HTTP/1.1 200 a\rb\r\n" END, BAD_LINE_END, "2.2: bare CR"),
    ROW("HTTP/1.1 200 OK\n\n", BAD_LINE_END, "2.2: bare LF"),
    ROW("HTTP/1.1\r\n" END, BAD_STATUS, "4"),
    ROW("HTTP/1.1 \r\n" END, BAD_STATUS, "4"),
    ROW("HTTP/2.0 200 OK\r\n" END, BAD_VERSION, "2.3"),
    ROW("HTTP/2 200 OK\r\n" END, BAD_VERSION, "2.3"),
    ROW("http/1.1 200 OK\r\n" END, BAD_VERSION, "2.3"),
    ROW("HTTP/1.x 200 OK\r\n" END, BAD_VERSION, "2.3"),
    ROW("HTTP/1.10 200 OK\r\n" END, BAD_STATUS, "2.3"),
    ROW("ICY 200 OK\r\n" END, BAD_VERSION, "2.3"),
    ROW("<html>", BAD_VERSION, "4: HTTP/0.9"),
    ROW("\r\n" OK_200 END, BAD_VERSION, "4: nothing in front"),
    ANSWER("X-A : b", BAD_NAME, "5.1: whitespace before the colon"),
    ANSWER("X-A: b\r\n c", OBS_FOLD, "5.2"),
    ANSWER(" X-A: b", BAD_NAME, "5.2"),
    ANSWER(CL "5", OK, "6.2"),
    ANSWER(CL "5, 5", OK, "RFC 9110 8.6"),
    ANSWER(CL "5 ,5\r\n" CL "005", OK, "RFC 9110 8.6"),
    ANSWER(CL "5\r\n" CL "5", OK, "RFC 9110 8.6"),
    ANSWER(CL "5, 6", BAD_LENGTH, "6.3"),
    ANSWER(CL "5\r\n" CL "6", BAD_LENGTH, "6.3"),
    ANSWER(CL "5\r\n" CL, BAD_LENGTH, "6.3"),
    ANSWER(CL "\r\n" CL "5", BAD_LENGTH, "6.3"),
    ANSWER(CL "5,", BAD_LENGTH, "6.3"),
    ANSWER(CL ",5", BAD_LENGTH, "6.3"),
    ANSWER(CL "5,,5", BAD_LENGTH, "6.3"),
    ANSWER(CL "5, x", BAD_LENGTH, "6.3"),
    ANSWER(CL "5\r\n" CL "x", BAD_LENGTH, "6.3"),
    ANSWER(CL "-1", BAD_LENGTH, "6.2"),
    ANSWER(CODED "chunked", OK, "7.1"),
    ANSWER(CODED "chunked\r\n" CL "5", LENGTH_AND_CODING, "6.1"),
    ANSWER(CODED "gzip, chunked", UNKNOWN_CODING, "6.1"),
    ANSWER(CODED "chunked, chunked", BAD_CODING, "7"),
    ROW("HTTP/1.0 200 OK\r\n" CODED "chunked\r\n" END, BAD_CODING, "6.1: HTTP/1.0 has no codings"),
};

Test(parse, responses)
{
    check(responses, COUNT(responses), true);
}

/* ---- heads in pieces ---- */

/* Every proper prefix of a valid head is incomplete, for the parsers and for parse_more. */
static void split(str_t head, bool is_response)
{
    for (size_t at = 0; at <= head.n; at++) {
        parse_error_t want = at < head.n ? PARSE_MORE : PARSE_OK;
        cr_expect_eq(guarded(str_sub(head, 0, at), is_response), want, "%zu of " STR_FMT, at,
                     STR_ARG(head));
        size_t from = 0;
        cr_expect_eq(parse_more(head.p, at, &from), want, "%zu of " STR_FMT, at, STR_ARG(head));
        cr_expect_eq(parse_more(head.p, head.n, &from), PARSE_OK, "%zu of " STR_FMT, at,
                     STR_ARG(head));
    }
    size_t from = 0;
    for (size_t at = 0; at < head.n; at++)
        cr_expect_eq(parse_more(head.p, at, &from), PARSE_MORE, "%zu", at);
    cr_expect_eq(parse_more(head.p, head.n, &from), PARSE_OK, STR_FMT, STR_ARG(head));
}

static void split_all(const row_t *rows, size_t count, bool is_response)
{
    for (scan_kind_t kind = SCAN_PLAIN; kind <= scan_best(); kind++) {
        cr_assert(scan_use(kind));
        for (size_t i = 0; i < count; i++)
            if (rows[i].error == PARSE_OK) split(rows[i].head, is_response);
    }
}

Test(parse, takes_valid_heads_in_pieces)
{
    split_all(request_lines, COUNT(request_lines), false);
    split_all(targets, COUNT(targets), false);
    split_all(fields, COUNT(fields), false);
    split_all(hosts, COUNT(hosts), false);
    split_all(request_framing, COUNT(request_framing), false);
    split_all(responses, COUNT(responses), true);
}

Test(parse, more_sees_what_is_plainly_wrong)
{
    static const row_t rows[] = {
        ROW("GET / HTTP/1.1\n", BAD_LINE_END, "2.2: bare LF"),
        ROW("GET / HTTP/1.1\r\nA: b\rc", BAD_LINE_END, "2.2: bare CR"),
        ROW("GET / HTTP/1.1\r\nA: b\r\n\n", BAD_LINE_END, "2.2: bare LF"),
        ROW("GET / HTTP/1.1\r\nA: b\r\n\rX", BAD_LINE_END, "2.2: bare CR"),
        ROW("\n", BAD_LINE_END, "2.2: bare LF"),
        ROW("GET /\0", BAD_VALUE, "5.5: NUL"),
        ROW("\x16\x03", BAD_VALUE, "5.5: controls"),
        ROW("\r\n\r\n", MORE, "2.2: empty lines in front"),
        ROW("\r\n\r\nG", MORE, "2.2: empty lines in front"),
        ROW("G\r\n\r\nrest\x01", OK, "what follows is not looked at"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t from = 0;
        cr_expect_eq(parse_more(rows[i].head.p, rows[i].head.n, &from), rows[i].error, "%s",
                     rows[i].why);
        parse_error_t e = PARSE_MORE;
        from = 0;
        for (size_t at = 0; at <= rows[i].head.n && e == PARSE_MORE; at++)
            e = parse_more(rows[i].head.p, at, &from);
        cr_expect_eq(e, rows[i].error, "%s, byte by byte", rows[i].why);
    }
}

Test(parse, bounds_the_number_of_fields)
{
    str_t line = STR("A:b\r\n"), start = STR("GET / HTTP/1.0\r\n");
    char *text = pool_bytes(pool, start.n + (PARSE_FIELDS_MAX + 1) * line.n + 2);
    for (size_t n = PARSE_FIELDS_MAX; n <= PARSE_FIELDS_MAX + 1; n++) {
        memcpy(text, start.p, start.n);
        for (size_t i = 0; i < n; i++) memcpy(text + start.n + i * line.n, line.p, line.n);
        memcpy(text + start.n + n * line.n, "\r\n", 2);
        parse_error_t want = n == PARSE_FIELDS_MAX ? PARSE_OK : PARSE_TOO_MANY_FIELDS;
        cr_expect_eq(parse_request(text, start.n + n * line.n + 2, &req, &used), want);
    }
    cr_expect_eq(parse_error_status(PARSE_TOO_MANY_FIELDS), 431);
}

Test(parse, trailers)
{
    static const row_t rows[] = {
        ROW("\r\n", OK, "7.1.2: none"),
        ROW("A: b\r\n\r\n", OK, "7.1.2"),
        ROW("", MORE, "7.1.2"),
        ROW("\r", MORE, "7.1.2"),
        ROW("A: b\r\n", MORE, "7.1.2"),
        ROW("A: b\r\n\r", MORE, "7.1.2"),
        ROW("\n", BAD_LINE_END, "2.2"),
        ROW("A: b\n\r\n", BAD_LINE_END, "2.2"),
        ROW(" A: b\r\n\r\n", BAD_NAME, "5.2"),
        ROW("A: b\r\n c\r\n\r\n", OBS_FOLD, "5.2"),
        ROW("A : b\r\n\r\n", BAD_NAME, "5.1"),
        ROW("A: \0\r\n\r\n", BAD_VALUE, "5.5"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        parse_error_t e = parse_trailers(rows[i].head.p, rows[i].head.n, &req.headers, &used);
        cr_expect_eq(e, rows[i].error, "row %zu: %s", i, rows[i].why);
        if (e == PARSE_OK) cr_expect_eq(used, rows[i].head.n);
    }
}
