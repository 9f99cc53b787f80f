#include "modules/upstream/upstream_vars.h"

#include <inttypes.h>
#include <stdio.h>

#include "http/request.h"
#include "http/var_field.h"

/* One attempt's text, put to out (ATTEMPT_TEXT bytes); its length. */
typedef size_t (*attempt_text_fn)(const upstream_attempt_t *a, char *out);

enum { ATTEMPT_TEXT = 32 };

static size_t put_ms(char *out, int64_t us)
{
    if (us < 0) return (size_t)snprintf(out, ATTEMPT_TEXT, "-");
    int64_t ms = us / 1000;
    return (size_t)snprintf(out, ATTEMPT_TEXT, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
}

static size_t put_connect(const upstream_attempt_t *a, char *out)
{
    return put_ms(out, a->connect_us);
}

static size_t put_header(const upstream_attempt_t *a, char *out)
{
    return put_ms(out, a->header_us);
}

static size_t put_response(const upstream_attempt_t *a, char *out)
{
    return put_ms(out, a->response_us);
}

static size_t put_status(const upstream_attempt_t *a, char *out)
{
    if (a->status == 0) return (size_t)snprintf(out, ATTEMPT_TEXT, "-");
    return str_put_u64(out, (uint64_t)a->status);
}

static size_t put_length(const upstream_attempt_t *a, char *out)
{
    return str_put_u64(out, a->length);
}

static size_t put_received(const upstream_attempt_t *a, char *out)
{
    return str_put_u64(out, a->received);
}

static size_t put_sent(const upstream_attempt_t *a, char *out)
{
    return str_put_u64(out, a->sent);
}

static const attempt_text_fn texts[] = {put_status, put_connect,  put_header, put_response,
                                        put_length, put_received, put_sent};
enum { STATUS, CONNECT_TIME, HEADER_TIME, RESPONSE_TIME, RESPONSE_LENGTH, RECEIVED, SENT };

/* As nginx: ", " between the origins tried, " : " where an internal redirect led to others. */
static size_t put_separator(const request_t *r, unsigned i, char *out)
{
    if (i == 0) return 0;
    str_t s = r->attempts.v[i - 1].redirected ? STR(" : ") : STR(", ");
    memcpy(out, s.p, s.n);
    return s.n;
}

static str_t get_number(request_t *r, const var_def_t *def, str_t name)
{
    (void)name;
    if (r->attempts.n == 0) return (str_t){NULL, 0};
    char *out = pool_bytes(r->pool, r->attempts.n * (ATTEMPT_TEXT + 3));
    size_t n = 0;
    for (unsigned i = 0; i < r->attempts.n; i++) {
        n += put_separator(r, i, out + n);
        n += texts[def->data](&r->attempts.v[i], out + n);
    }
    return str_make(out, n);
}

static str_t get_address(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    size_t n = 0;
    if (r->attempts.n == 0) return (str_t){NULL, 0};
    if (r->attempts.n == 1) return r->attempts.v[0].address;
    for (unsigned i = 0; i < r->attempts.n; i++) n += r->attempts.v[i].address.n + 3;
    char *out = pool_bytes(r->pool, n);
    n = 0;
    for (unsigned i = 0; i < r->attempts.n; i++) {
        str_t address = r->attempts.v[i].address;
        n += put_separator(r, i, out + n);
        memcpy(out + n, address.p, address.n);
        n += address.n;
    }
    return str_make(out, n);
}

static str_t get_field(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    if (!r->upstream_headers) return (str_t){NULL, 0};
    return var_field_value(r->pool, r->upstream_headers, name);
}

static str_t get_cookie(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    if (!r->upstream_headers) return (str_t){NULL, 0};
    const header_t *h = NULL;
    while ((h = header_next(r->upstream_headers, HEADER_SET_COOKIE, h))) {
        str_t pair = str_sub(h->value, 0, str_find(h->value, 0, ';'));
        size_t equals = str_find(pair, 0, '=');
        if (equals < pair.n && str_ieq(str_trim(str_sub(pair, 0, equals)), name))
            return str_trim(str_sub(pair, equals + 1, pair.n));
    }
    return (str_t){NULL, 0};
}

static str_t get_trailer(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    return var_field_value(r->pool, &r->reply.trailers, name);
}

#define NUMBER(name, text) {name, get_number, text, VAR_NO_CACHE}

const var_def_t upstream_vars[] = {
    {"upstream_addr", get_address, 0, VAR_NO_CACHE},
    NUMBER("upstream_status", STATUS),
    NUMBER("upstream_connect_time", CONNECT_TIME),
    NUMBER("upstream_header_time", HEADER_TIME),
    NUMBER("upstream_response_time", RESPONSE_TIME),
    NUMBER("upstream_response_length", RESPONSE_LENGTH),
    NUMBER("upstream_bytes_received", RECEIVED),
    NUMBER("upstream_bytes_sent", SENT),
    {"upstream_http_", get_field, 0, VAR_PREFIX | VAR_NO_CACHE},
    {"upstream_cookie_", get_cookie, 0, VAR_PREFIX | VAR_NO_CACHE},
    {"upstream_trailer_", get_trailer, 0, VAR_PREFIX | VAR_NO_CACHE},
    {NULL, NULL, 0, 0},
};
