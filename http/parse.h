/*
 * parse: HTTP/1 message heads, bytes in, head out (RFC 9112, RFC 9110). Pure; fuzzed; nothing
 * suspends.
 *
 * Slices in the result point into the bytes given, which must outlive them. Strict: nothing that
 * two parsers could read differently is accepted (bare CR or LF, NUL and other controls, whitespace
 * before a colon, obs-fold, an invalid method, target or version, ...). Framing fields
 * (Content-Length, Transfer-Encoding) and Host are judged here too, so that no caller can forget.
 * Scanning runs over SIMD where the CPU has it (scan.h).
 *
 * Stricter than the RFCs ask: a list or a repetition of Content-Length in a request, any spelling
 * of Transfer-Encoding but a single "chunked", an obs-fold or a lone LF anywhere. Looser in one:
 * the space behind the status code may be missing when the reason is empty (common among origins).
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/header.h"

typedef enum parse_error {
    PARSE_OK = 0,
    PARSE_MORE,           /* the head is not complete and so far not wrong */
    PARSE_BAD_METHOD,
    PARSE_BAD_TARGET,
    PARSE_BAD_VERSION,    /* not HTTP/1.x: 400 */
    PARSE_UNSUPPORTED_VERSION, /* HTTP/2.0 and up in a request line: 505 */
    PARSE_BAD_STATUS,     /* of a response line; a reason phrase with controls, too */
    PARSE_BAD_LINE_END,   /* bare CR or LF */
    PARSE_BAD_NAME,       /* field name: not a token, empty, whitespace before the colon */
    PARSE_BAD_VALUE,      /* field value: controls */
    PARSE_OBS_FOLD,
    PARSE_BAD_LENGTH,     /* Content-Length: malformed, over INT64_MAX, several */
    PARSE_BAD_CODING,     /* Transfer-Encoding: empty, chunked not last or twice, in HTTP/1.0 */
    PARSE_UNKNOWN_CODING, /* a coding other than chunked: 501 */
    PARSE_LENGTH_AND_CODING, /* both Content-Length and Transfer-Encoding */
    PARSE_NO_HOST,        /* HTTP/1.1 without Host */
    PARSE_BAD_HOST,       /* several or invalid */
    PARSE_TOO_MANY_FIELDS,
    PARSE_ERROR_COUNT
} parse_error_t;

enum { PARSE_FIELDS_MAX = 1000, PARSE_METHOD_MAX = 32 /* bytes */ };

/* What the message says of its body (RFC 9112 section 6.3). */
typedef enum parse_framing {
    PARSE_NO_BODY,
    PARSE_LENGTH,      /* content_length bytes */
    PARSE_CHUNKED,
    PARSE_UNTIL_CLOSE, /* responses only */
} parse_framing_t;

typedef enum parse_method {
    METHOD_OTHER = 0,
    METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_CONNECT,
    METHOD_OPTIONS, METHOD_TRACE, METHOD_PATCH,
    METHOD_MKCOL, METHOD_COPY, METHOD_MOVE, METHOD_PROPFIND, METHOD_PROPPATCH, METHOD_LOCK,
    METHOD_UNLOCK, METHOD_PURGE,
} parse_method_t;

typedef struct parse_request {
    str_t line;            /* the request line without its CRLF */
    str_t method, target;  /* as sent */
    parse_method_t method_id;
    uint8_t minor;         /* of HTTP/1.minor; 0 or 1 (higher is read as 1); with http2: 1 */
    bool http2;            /* came over HTTP/2; parse_request leaves it alone */
    bool keep_alive;       /* what version and Connection say */
    parse_framing_t framing;
    uint64_t content_length; /* with PARSE_LENGTH */
    str_t host;            /* validated, with the port; of an absolute target or CONNECT, else Host;
                              empty when that is; p == NULL without one (HTTP/1.0) */
    header_list_t headers; /* initialise with header_list_init before; what it held is forgotten.
                              A Host in it says the same as `host` (RFC 9112 3.2.2) */
} parse_request_t;

typedef struct parse_response {
    str_t line;
    uint16_t status;       /* 100..999 */
    str_t reason;          /* may be empty */
    uint8_t minor;
    bool keep_alive;
    parse_framing_t framing; /* as if for GET: the caller knows HEAD, 1xx, 204, 304, CONNECT */
    uint64_t content_length;
    header_list_t headers;
} parse_response_t;

/*
 * Parses a request head at p[0..n). PARSE_OK: *used is its length with the empty line. Leading
 * empty lines are skipped (RFC 9112 2.2). On PARSE_MORE call parse_more before parsing again, so
 * that a head that arrives in drops costs no more than one that arrives whole. After an error only
 * out->line (where the line was whole) is worth showing.
 */
parse_error_t parse_request(const char *p, size_t n, parse_request_t *out, size_t *used);

/*
 * Parses a response head; leading empty lines are an error. Framing as in a request, but a
 * Content-Length repeated with the same value ("5, 5", or several lines) counts as one
 * (RFC 9110 8.6), and without any framing field the body ends with the connection.
 */
parse_error_t parse_response(const char *p, size_t n, parse_response_t *out, size_t *used);

/*
 * Looks at the bytes from *from on (0 at first) of an incomplete head p[0..n): PARSE_MORE (and
 * *from moved), PARSE_OK when the head is complete and worth parsing, PARSE_BAD_LINE_END /
 * PARSE_BAD_VALUE as soon as it is plain that it is wrong. p may move between calls, as long as
 * p[0..*from) is the same. Trailers, which may be just an empty line, are small and not for this:
 * parse them again.
 */
parse_error_t parse_more(const char *p, size_t n, size_t *from);

/*
 * Trailer fields behind the last chunk (RFC 9112 7.1.2), with the empty line. What out held is
 * forgotten. Which fields may be merged or passed on is for the caller to judge (RFC 9110 6.5.1).
 */
parse_error_t parse_trailers(const char *p, size_t n, header_list_t *out, size_t *used);

/*
 * Judges by the same rules a request whose method, target and fields came in another way than as
 * text (HTTP/2), and sets what follows from them: method_id, host, framing, content_length. A Host
 * must be among the fields unless the target has it.
 */
parse_error_t parse_request_parts(parse_request_t *r);

/* What was wrong, to follow "client sent " or "upstream sent " in the log: "invalid method". */
const char *parse_error_text(parse_error_t e);

/* The status it earns in a request (in a response it is always a 502). */
int parse_error_status(parse_error_t e);

parse_method_t parse_method(str_t name);  /* case matters (RFC 9110 9.1) */
str_t parse_method_name(parse_method_t m); /* empty for METHOD_OTHER */

/*
 * Whether s is a token (RFC 9110 5.6.2), a field value without outer whitespace (5.5; may be
 * empty), a host[:port] that is not empty (7.2; uri_split_host).
 */
bool parse_is_token(str_t s);
bool parse_is_field_value(str_t s);
bool parse_is_host(str_t s);

#endif
