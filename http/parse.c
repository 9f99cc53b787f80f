#include "http/parse.h"

#include "http/scan.h"
#include "http/uri.h"

/* ---- lines ---- */

/* What is left to parse; [base, end) are the bytes given. */
typedef struct cursor {
    const char *base, *p, *end;
} cursor_t;

/* A line without its CRLF, and how many bytes at its front make a token. */
typedef struct line {
    str_t text;
    size_t token;
} line_t;

/*
 * Takes the next line. PARSE_BAD_VALUE: it holds a control; then *line ends in front of it. Nothing
 * is taken unless the line is whole.
 */
static inline __attribute__((always_inline)) parse_error_t next_line(cursor_t *c, line_t *line)
{
    scan_line_t s = scan_line(c->base, c->p, c->end);
    size_t left = (size_t)(c->end - s.text);
    line->text = str_make(c->p, (size_t)(s.text - c->p));
    line->token = (size_t)(s.token - c->p);
    if (left == 0) return PARSE_MORE;
    if (s.text[0] == '\n') return PARSE_BAD_LINE_END;
    if (s.text[0] != '\r') return PARSE_BAD_VALUE;
    if (left == 1) return PARSE_MORE;
    if (s.text[1] != '\n') return PARSE_BAD_LINE_END;
    c->p = s.text + 2;
    return PARSE_OK;
}

static void skip_empty_lines(cursor_t *c)
{
    while (c->end - c->p >= 2 && c->p[0] == '\r' && c->p[1] == '\n') c->p += 2;
}

/* ---- field lines ---- */

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9112 5: field-name ":" OWS field-value OWS. */
static parse_error_t add_field(header_list_t *list, const line_t *line)
{
    str_t text = line->text;
    if (is_ows(text.p[0]) && list->n) return PARSE_OBS_FOLD;
    if (line->token == 0 || line->token == text.n || text.p[line->token] != ':')
        return PARSE_BAD_NAME;
    if (list->n >= PARSE_FIELDS_MAX) return PARSE_TOO_MANY_FIELDS;
    str_t name = str_sub(text, 0, line->token), value = str_sub(text, line->token + 1, text.n);
    while (value.n && is_ows(value.p[0])) value = str_sub(value, 1, value.n);
    while (value.n && is_ows(value.p[value.n - 1])) value.n--;
    header_add_as(list, header_id(name), name, value);
    return PARSE_OK;
}

/* Takes field lines up to and with the empty line. */
static parse_error_t take_fields(cursor_t *c, header_list_t *list)
{
    line_t line;
    for (;;) {
        parse_error_t e = next_line(c, &line);
        if (e == PARSE_BAD_VALUE && line.token == line.text.n) return PARSE_BAD_NAME;
        if (e != PARSE_OK) return e;
        if (line.text.n == 0) return PARSE_OK;
        e = add_field(list, &line);
        if (e != PARSE_OK) return e;
    }
}

/* ---- methods ---- */

static const str_t methods[] = {
    [METHOD_OTHER] = {NULL, 0},
    [METHOD_GET] = STR_INIT("GET"),
    [METHOD_HEAD] = STR_INIT("HEAD"),
    [METHOD_POST] = STR_INIT("POST"),
    [METHOD_PUT] = STR_INIT("PUT"),
    [METHOD_DELETE] = STR_INIT("DELETE"),
    [METHOD_CONNECT] = STR_INIT("CONNECT"),
    [METHOD_OPTIONS] = STR_INIT("OPTIONS"),
    [METHOD_TRACE] = STR_INIT("TRACE"),
    [METHOD_PATCH] = STR_INIT("PATCH"),
    [METHOD_MKCOL] = STR_INIT("MKCOL"),
    [METHOD_COPY] = STR_INIT("COPY"),
    [METHOD_MOVE] = STR_INIT("MOVE"),
    [METHOD_PROPFIND] = STR_INIT("PROPFIND"),
    [METHOD_PROPPATCH] = STR_INIT("PROPPATCH"),
    [METHOD_LOCK] = STR_INIT("LOCK"),
    [METHOD_UNLOCK] = STR_INIT("UNLOCK"),
    [METHOD_PURGE] = STR_INIT("PURGE"),
};

parse_method_t parse_method(str_t name)
{
    for (unsigned m = METHOD_GET; m < sizeof(methods) / sizeof(methods[0]); m++)
        if (str_eq(methods[m], name)) return (parse_method_t)m;
    return METHOD_OTHER;
}

str_t parse_method_name(parse_method_t m)
{
    return methods[m];
}

/* ---- the first line ---- */

enum { VERSION_SIZE = 8 /* "HTTP/1.1" */, STATUS_SIZE = VERSION_SIZE + 4 /* "HTTP/1.1 200" */ };

/* RFC 9112 2.3, case-sensitive. p has VERSION_SIZE bytes. */
static parse_error_t read_version(const char *p, uint8_t *minor)
{
    if (memcmp(p, "HTTP/", 5) != 0 || !ascii_digit(p[5]) || p[6] != '.' || !ascii_digit(p[7]))
        return PARSE_BAD_VERSION;
    if (p[5] != '1') return p[5] == '0' ? PARSE_BAD_VERSION : PARSE_UNSUPPORTED_VERSION;
    *minor = p[7] != '0';
    return PARSE_OK;
}

/* RFC 9112 3.2: origin-form, absolute-form, authority-form (CONNECT), asterisk-form (OPTIONS). */
static parse_error_t judge_target(parse_request_t *r)
{
    uri_t uri;
    if (r->method_id == METHOD_CONNECT) {
        if (!parse_is_host(r->target) || !ascii_digit(r->target.p[r->target.n - 1]) ||
            str_find(r->target, 0, ':') == r->target.n)
            return PARSE_BAD_TARGET;
        r->host = r->target;
        return PARSE_OK;
    }
    if (r->target.n && r->target.p[0] == '/') return PARSE_OK;
    if (!uri_split(r->target, &uri)) return PARSE_BAD_TARGET;
    if (!uri.scheme.p) return r->method_id == METHOD_OPTIONS ? PARSE_OK : PARSE_BAD_TARGET;
    if (!parse_is_host(uri.authority)) return PARSE_BAD_TARGET;
    r->host = uri.authority;
    return PARSE_OK;
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static parse_error_t read_request_line(const char *base, const line_t *line, parse_request_t *r)
{
    str_t text = line->text;
    size_t method = line->token, version = text.n - VERSION_SIZE;
    if (method == 0 || method > PARSE_METHOD_MAX || method == text.n || text.p[method] != ' ')
        return PARSE_BAD_METHOD;
    if (text.n < method + 2 + VERSION_SIZE || text.p[version - 1] != ' ') return PARSE_BAD_VERSION;
    parse_error_t e = read_version(text.p + version, &r->minor);
    if (e != PARSE_OK) return e;
    r->method = str_sub(text, 0, method);
    r->method_id = parse_method(r->method);
    r->target = str_sub(text, method + 1, version - 1);
    const char *target_end = r->target.p + r->target.n;
    if (scan_target(base, r->target.p, target_end) != target_end) return PARSE_BAD_TARGET;
    return judge_target(r);
}

static parse_error_t take_request_line(cursor_t *c, parse_request_t *r)
{
    line_t line;
    parse_error_t e = next_line(c, &line);
    if (e == PARSE_BAD_VALUE && line.token == line.text.n) return PARSE_BAD_METHOD;
    if (e == PARSE_BAD_VALUE) return PARSE_BAD_TARGET;
    if (e != PARSE_OK) return e;
    r->line = line.text;
    return read_request_line(c->base, &line, r);
}

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]. */
static parse_error_t read_status_line(str_t text, parse_response_t *r)
{
    if (text.n < STATUS_SIZE) return PARSE_BAD_STATUS;
    if (read_version(text.p, &r->minor) != PARSE_OK) return PARSE_BAD_VERSION;
    const char *code = text.p + VERSION_SIZE + 1;
    if (code[-1] != ' ' || code[0] == '0') return PARSE_BAD_STATUS;
    if (!ascii_digit(code[0]) || !ascii_digit(code[1]) || !ascii_digit(code[2]))
        return PARSE_BAD_STATUS;
    r->status = (uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
    r->reason = str_sub(text, STATUS_SIZE, text.n);
    if (r->reason.n == 0) return PARSE_OK;
    if (r->reason.p[0] != ' ') return PARSE_BAD_STATUS;
    r->reason = str_sub(r->reason, 1, r->reason.n);
    return PARSE_OK;
}

static parse_error_t take_status_line(cursor_t *c, parse_response_t *r)
{
    static const str_t prefix = STR_INIT("HTTP/1.");
    size_t left = (size_t)(c->end - c->p);
    if (memcmp(c->p, prefix.p, left < prefix.n ? left : prefix.n) != 0) return PARSE_BAD_VERSION;
    line_t line;
    parse_error_t e = next_line(c, &line);
    if (e == PARSE_BAD_VALUE) return PARSE_BAD_STATUS;
    if (e != PARSE_OK) return e;
    r->line = line.text;
    return read_status_line(line.text, r);
}

/* ---- framing: where the body ends (RFC 9112 6) ---- */

/* What of a message decides its framing, and what the decision is. */
typedef struct framing {
    uint8_t minor;
    bool response;
    parse_framing_t kind;
    uint64_t length;
} framing_t;

/* RFC 9112 6.1, 7: a lone "chunked" in HTTP/1.1; the rest tells one error from another. */
static parse_error_t judge_coding(const header_list_t *list, const header_t *coding,
                                  framing_t *framing)
{
    bool chunked = false, unknown = false;
    str_t rest, element;
    framing->kind = PARSE_CHUNKED;
    if (framing->minor == 0) return PARSE_BAD_CODING;
    if (str_ieq(coding->value, STR("chunked")) &&
        !header_next(list, HEADER_TRANSFER_ENCODING, coding))
        return PARSE_OK;
    for (; coding; coding = header_next(list, HEADER_TRANSFER_ENCODING, coding)) {
        rest = coding->value;
        while (header_element(&rest, &element)) {
            if (chunked) return PARSE_BAD_CODING;
            chunked = str_ieq(element, STR("chunked"));
            if (!chunked) unknown = true;
        }
    }
    return unknown ? PARSE_UNKNOWN_CODING : PARSE_BAD_CODING;
}

static bool is_length(str_t s, uint64_t *out)
{
    return str_to_u64(s, out) && *out <= INT64_MAX;
}

/* Every element must be the same number; an empty one is none. */
static bool same_lengths(str_t list, uint64_t length)
{
    str_t piece;
    uint64_t n;
    if (list.n && list.p[list.n - 1] == ',') return false;
    while (str_cut(&list, ',', &piece))
        if (!is_length(str_trim(piece), &n) || n != length) return false;
    return true;
}

/* RFC 9110 8.6: several equal lengths may be taken as one, which is done for responses only. */
static parse_error_t judge_length(const header_list_t *list, const header_t *length,
                                  framing_t *framing)
{
    str_t rest = length->value, first;
    framing->kind = PARSE_LENGTH;
    if (is_length(rest, &framing->length) && !header_next(list, HEADER_CONTENT_LENGTH, length))
        return PARSE_OK;
    if (!framing->response || !str_cut(&rest, ',', &first)) return PARSE_BAD_LENGTH;
    if (!is_length(str_trim(first), &framing->length)) return PARSE_BAD_LENGTH;
    for (; length; length = header_next(list, HEADER_CONTENT_LENGTH, length))
        if (length->value.n == 0 || !same_lengths(length->value, framing->length))
            return PARSE_BAD_LENGTH;
    return PARSE_OK;
}

static parse_error_t judge_framing(const header_list_t *list, framing_t *framing)
{
    const header_t *length = header_get(list, HEADER_CONTENT_LENGTH);
    const header_t *coding = header_get(list, HEADER_TRANSFER_ENCODING);
    if (length && coding) return PARSE_LENGTH_AND_CODING;
    if (coding) return judge_coding(list, coding, framing);
    if (length) return judge_length(list, length, framing);
    framing->kind = framing->response ? PARSE_UNTIL_CLOSE : PARSE_NO_BODY;
    return PARSE_OK;
}

/* RFC 9112 9.3: close wins; HTTP/1.0 must ask for keep-alive. */
static bool judge_keep_alive(const header_list_t *list, uint8_t minor)
{
    if (!header_get(list, HEADER_CONNECTION)) return minor >= 1;
    if (header_has_token(list, HEADER_CONNECTION, STR("close"))) return false;
    return minor >= 1 || header_has_token(list, HEADER_CONNECTION, STR("keep-alive"));
}

/* RFC 9112 3.2: one Host, valid, empty allowed; an absolute target's authority overrides it. */
static parse_error_t judge_host(parse_request_t *r)
{
    const header_t *host = header_get(&r->headers, HEADER_HOST);
    if (!host) return r->minor >= 1 ? PARSE_NO_HOST : PARSE_OK;
    if (header_next(&r->headers, HEADER_HOST, host)) return PARSE_BAD_HOST;
    if (host->value.n && !parse_is_host(host->value)) return PARSE_BAD_HOST;
    if (r->host.p)
        r->headers.v[host - r->headers.v].value = r->host; /* what is passed on must not differ */
    else
        r->host = host->value;
    return PARSE_OK;
}

/* ---- whole heads ---- */

static parse_error_t judge_request(parse_request_t *r)
{
    framing_t framing = {.minor = r->minor, .response = false};
    parse_error_t e = judge_host(r);
    if (e == PARSE_OK) e = judge_framing(&r->headers, &framing);
    r->framing = framing.kind;
    r->content_length = framing.length;
    r->keep_alive = judge_keep_alive(&r->headers, r->minor);
    return e;
}

parse_error_t parse_request(const char *p, size_t n, parse_request_t *out, size_t *used)
{
    cursor_t c = {p, p, p + n};
    header_list_clear(&out->headers);
    out->line = out->host = (str_t){NULL, 0};
    skip_empty_lines(&c);
    parse_error_t e = take_request_line(&c, out);
    if (e == PARSE_OK) e = take_fields(&c, &out->headers);
    if (e == PARSE_OK) e = judge_request(out);
    *used = (size_t)(c.p - p);
    return e;
}

static parse_error_t judge_fields(const header_list_t *list)
{
    if (list->n > PARSE_FIELDS_MAX) return PARSE_TOO_MANY_FIELDS;
    HEADER_EACH(h, list)
    {
        if (!parse_is_token(h->name)) return PARSE_BAD_NAME;
        if (!parse_is_field_value(h->value)) return PARSE_BAD_VALUE;
    }
    return PARSE_OK;
}

parse_error_t parse_request_parts(parse_request_t *r)
{
    const char *target = r->target.p, *end = target + r->target.n;
    r->host = (str_t){NULL, 0};
    r->minor = 1;
    if (r->method.n > PARSE_METHOD_MAX || !parse_is_token(r->method)) return PARSE_BAD_METHOD;
    r->method_id = parse_method(r->method);
    if (r->target.n == 0 || scan_target(target, target, end) != end) return PARSE_BAD_TARGET;
    parse_error_t e = judge_target(r);
    if (e == PARSE_OK) e = judge_fields(&r->headers);
    return e == PARSE_OK ? judge_request(r) : e;
}

parse_error_t parse_response(const char *p, size_t n, parse_response_t *out, size_t *used)
{
    cursor_t c = {p, p, p + n};
    header_list_clear(&out->headers);
    out->line = (str_t){NULL, 0};
    parse_error_t e = take_status_line(&c, out);
    if (e == PARSE_OK) e = take_fields(&c, &out->headers);
    *used = (size_t)(c.p - p);
    if (e != PARSE_OK) return e;
    framing_t framing = {.minor = out->minor, .response = true};
    e = judge_framing(&out->headers, &framing);
    out->framing = framing.kind;
    out->content_length = framing.length;
    out->keep_alive = judge_keep_alive(&out->headers, out->minor);
    return e;
}

parse_error_t parse_trailers(const char *p, size_t n, header_list_t *out, size_t *used)
{
    cursor_t c = {p, p, p + n};
    header_list_clear(out);
    parse_error_t e = take_fields(&c, out);
    *used = (size_t)(c.p - p);
    return e;
}

/*
 * An empty line that is reached by itself leads the head (the one that ends it is seen together
 * with the line before it), so a position is all there is to remember.
 */
parse_error_t parse_more(const char *p, size_t n, size_t *from)
{
    const char *end = p + n;
    for (const char *at = p + *from;;) {
        at = scan_text(p, at, end);
        *from = (size_t)(at - p);
        bool leading = at == p || at[-1] == '\n';
        if (at == end) return PARSE_MORE;
        if (*at == '\n') return PARSE_BAD_LINE_END;
        if (*at != '\r') return PARSE_BAD_VALUE;
        if (end - at < 2) return PARSE_MORE;
        if (at[1] != '\n') return PARSE_BAD_LINE_END;
        if (!leading && (end - at == 2 || (end - at == 3 && at[2] == '\r'))) return PARSE_MORE;
        if (!leading && at[2] == '\r' && at[3] == '\n') return PARSE_OK;
        at += 2;
    }
}

/* ---- errors, tests of single parts ---- */

static const struct {
    const char *text;
    int status;
} errors[PARSE_ERROR_COUNT] = {
    [PARSE_OK] = {"valid head", 200},
    [PARSE_MORE] = {"incomplete head", 400},
    [PARSE_BAD_METHOD] = {"invalid method", 400},
    [PARSE_BAD_TARGET] = {"invalid request", 400},
    [PARSE_BAD_VERSION] = {"invalid version", 400},
    [PARSE_UNSUPPORTED_VERSION] = {"unsupported version", 505},
    [PARSE_BAD_STATUS] = {"invalid status line", 400},
    [PARSE_BAD_LINE_END] = {"invalid line end", 400},
    [PARSE_BAD_NAME] = {"invalid header line", 400},
    [PARSE_BAD_VALUE] = {"invalid header value", 400},
    [PARSE_OBS_FOLD] = {"folded header line", 400},
    [PARSE_BAD_LENGTH] = {"invalid \"Content-Length\" header", 400},
    [PARSE_BAD_CODING] = {"invalid \"Transfer-Encoding\" header", 400},
    [PARSE_UNKNOWN_CODING] = {"unknown \"Transfer-Encoding\"", 501},
    [PARSE_LENGTH_AND_CODING] =
        {"\"Content-Length\" and \"Transfer-Encoding\" headers at the same time", 400},
    [PARSE_NO_HOST] = {"HTTP/1.1 request without \"Host\" header", 400},
    [PARSE_BAD_HOST] = {"invalid host header", 400},
    [PARSE_TOO_MANY_FIELDS] = {"too many header lines", 431},
};

const char *parse_error_text(parse_error_t e)
{
    return errors[e].text;
}

int parse_error_status(parse_error_t e)
{
    return errors[e].status;
}

bool parse_is_token(str_t s)
{
    return s.n && scan_line(s.p, s.p, s.p + s.n).token == s.p + s.n;
}

bool parse_is_field_value(str_t s)
{
    if (s.n == 0) return true;
    if (is_ows(s.p[0]) || is_ows(s.p[s.n - 1])) return false;
    return scan_text(s.p, s.p, s.p + s.n) == s.p + s.n;
}

bool parse_is_host(str_t s)
{
    str_t host;
    uint16_t port;
    return uri_split_host(s, &host, &port);
}
