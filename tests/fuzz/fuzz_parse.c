/*
 * Message heads. The first byte chooses what the rest is: a request, a response or trailers. All
 * forms of the scanner must agree, parse_more must agree with the parser, and a head written out
 * again from its parts must parse to the same parts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http/parse.h"
#include "http/scan.h"

#define REQUIRE(expr) ((expr) ? (void)0 : abort())

/* What the three kinds of head have in common once parsed. */
typedef struct head {
    parse_error_t error;
    size_t used;
    str_t a, b, host; /* method and target; digits of the status and the reason */
    uint8_t minor;
    bool keep_alive;
    parse_framing_t framing;
    uint64_t length;
    header_list_t fields;
} head_t;

typedef enum kind { REQUEST, RESPONSE, TRAILERS, KINDS } kind_t;

static void parse_as_request(str_t text, head_t *h)
{
    parse_request_t r = {.headers = h->fields};
    h->error = parse_request(text.p, text.n, &r, &h->used);
    h->fields = r.headers;
    if (h->error != PARSE_OK) return;
    h->a = r.method;
    h->b = r.target;
    h->host = r.host;
    h->minor = r.minor;
    h->keep_alive = r.keep_alive;
    h->framing = r.framing;
    h->length = r.framing == PARSE_LENGTH ? r.content_length : 0;
}

static void parse_as_response(str_t text, head_t *h)
{
    parse_response_t r = {.headers = h->fields};
    h->error = parse_response(text.p, text.n, &r, &h->used);
    h->fields = r.headers;
    if (h->error != PARSE_OK) return;
    REQUIRE(r.status >= 100 && r.status <= 999);
    h->a = str_sub(r.line, 9, 12);
    h->b = r.reason;
    h->minor = r.minor;
    h->keep_alive = r.keep_alive;
    h->framing = r.framing;
    h->length = r.framing == PARSE_LENGTH ? r.content_length : 0;
}

static head_t parse(pool_t *pool, kind_t kind, str_t text)
{
    head_t h = {.error = PARSE_OK};
    header_list_init(&h.fields, pool);
    if (kind == REQUEST) parse_as_request(text, &h);
    else if (kind == RESPONSE) parse_as_response(text, &h);
    else h.error = parse_trailers(text.p, text.n, &h.fields, &h.used);
    return h;
}

static void require_same(const head_t *x, const head_t *y)
{
    REQUIRE(x->error == y->error);
    if (x->error != PARSE_OK) return;
    REQUIRE(str_eq(x->a, y->a) && str_eq(x->b, y->b) && str_eq(x->host, y->host));
    REQUIRE(x->minor == y->minor && x->keep_alive == y->keep_alive);
    REQUIRE(x->framing == y->framing && x->length == y->length && x->fields.n == y->fields.n);
    for (unsigned i = 0; i < x->fields.n; i++) {
        const header_t *f = &x->fields.v[i], *g = &y->fields.v[i];
        REQUIRE(f->id == g->id && str_eq(f->name, g->name) && str_eq(f->value, g->value));
        REQUIRE(parse_is_token(f->name) && parse_is_field_value(f->value));
        REQUIRE(f->id == header_id(f->name));
    }
}

static str_t write_out(pool_t *pool, kind_t kind, const head_t *h)
{
    str_t out = STR("");
    if (kind == REQUEST)
        out = pool_printf(pool, STR_FMT " " STR_FMT " HTTP/1.%u\r\n", STR_ARG(h->a), STR_ARG(h->b),
                          h->minor);
    if (kind == RESPONSE)
        out = pool_printf(pool, "HTTP/1.%u " STR_FMT " " STR_FMT "\r\n", h->minor, STR_ARG(h->a),
                          STR_ARG(h->b));
    for (unsigned i = 0; i < h->fields.n; i++) {
        const header_t *f = &h->fields.v[i];
        str_t line = pool_printf(pool, STR_FMT ": " STR_FMT "\r\n", STR_ARG(f->name),
                                 STR_ARG(f->value));
        out = pool_concat(pool, out, line);
    }
    return pool_concat(pool, out, STR("\r\n"));
}

/* parse_more may not refuse what parses, nor wait when the head is there, nor end elsewhere. */
static void check_more(kind_t kind, str_t text, const head_t *h)
{
    size_t from = 0;
    if (kind == TRAILERS) return;
    parse_error_t e = parse_more(text.p, text.n, &from);
    if (h->error == PARSE_OK) {
        REQUIRE(e == PARSE_OK && from + 4 == h->used);
    } else if (h->error == PARSE_MORE) {
        REQUIRE(e == PARSE_MORE);
    }
    for (size_t n = 0, again = 0; n <= text.n && n < 200; n++) {
        parse_error_t step = parse_more(text.p, n, &again);
        if (step != PARSE_MORE) break;
        REQUIRE(n < text.n || e == PARSE_MORE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    kind_t kind = data[0] % KINDS;
    str_t text = str_make((const char *)data + 1, size - 1);
    pool_t *pool = pool_create();
    scan_use(scan_best());
    head_t best = parse(pool, kind, text);
    check_more(kind, text, &best);
    for (scan_kind_t scan = SCAN_PLAIN; scan < scan_best(); scan++) {
        scan_use(scan);
        head_t other = parse(pool, kind, text);
        require_same(&best, &other);
        REQUIRE(best.error != PARSE_OK || best.used == other.used);
    }
    if (best.error == PARSE_OK) {
        head_t again = parse(pool, kind, write_out(pool, kind, &best));
        require_same(&best, &again);
    }
    pool_destroy(pool);
    return 0;
}
