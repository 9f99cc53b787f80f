#include "http/h2_head.h"

#include <stdlib.h>
#include <sys/random.h>

#include "core/base/base64.h"
#include "core/base/panic.h"

enum { TEXT_FIRST = 512, FIELD_EXTRA = 4 /* ": " and the line's end */ };

/* In front of each field's bytes in the text. */
typedef struct lengths {
    uint32_t name, value;
} lengths_t;

/* --- keeping --- */

static void put(h2_head_t *h, const void *p, size_t n)
{
    if (n) memcpy(h->text + h->n, p, n);
    h->n += n;
}

static void make_room(h2_head_t *h, size_t need)
{
    if (h->room - h->n >= need) return;
    h->room = 2 * h->room + need + TEXT_FIRST;
    h->text = realloc(h->text, h->room);
    if (!h->text) panic("out of memory: head of %zu bytes", h->room);
}

void h2_head_add(h2_head_t *h, str_t name, str_t value, size_t line, size_t all)
{
    lengths_t n = {(uint32_t)name.n, (uint32_t)value.n};
    size_t size = name.n + value.n + FIELD_EXTRA;
    if (h->large) return;
    h->size += size;
    h->fields++;
    h->large = name.n + value.n > line || h->size > all || h->fields > PARSE_FIELDS_MAX;
    h->large_path = h->large && str_eq(name, STR(":path"));
    if (h->large) return;
    make_room(h, sizeof(n) + name.n + value.n);
    put(h, &n, sizeof(n));
    put(h, name.p, name.n);
    put(h, value.p, value.n);
}

/* --- reading --- */

typedef struct pseudo {
    str_t method, scheme, authority, path, protocol; /* p NULL: not sent */
} pseudo_t;

static bool take_pseudo(pseudo_t *p, str_t name, str_t value)
{
    struct {
        str_t name, *to;
    } known[] = {{STR(":method"), &p->method},
                 {STR(":scheme"), &p->scheme},
                 {STR(":authority"), &p->authority},
                 {STR(":path"), &p->path},
                 {STR(":protocol"), &p->protocol}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!str_eq(known[i].name, name)) continue;
        if (known[i].to->p) return false;
        *known[i].to = value;
        return true;
    }
    return false;
}

static bool next_field(str_t *rest, str_t *name, str_t *value)
{
    lengths_t n;
    if (rest->n == 0) return false;
    memcpy(&n, rest->p, sizeof(n));
    *name = str_sub(*rest, sizeof(n), sizeof(n) + n.name);
    *value = str_sub(*rest, sizeof(n) + n.name, sizeof(n) + n.name + n.value);
    *rest = str_sub(*rest, sizeof(n) + n.name + n.value, rest->n);
    return true;
}

static bool has_capitals(str_t s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z') return true;
    return false;
}

/* RFC 9113 8.3: pseudo-fields stand before all others. */
static bool split(const h2_head_t *h, pseudo_t *p, header_list_t *fields)
{
    str_t rest = str_make(h->text, h->n), name, value;
    while (next_field(&rest, &name, &value)) {
        bool is_pseudo = name.n && name.p[0] == ':';
        if (is_pseudo && (fields->n || !take_pseudo(p, name, value))) return false;
        if (is_pseudo) continue;
        if (has_capitals(name)) return false;
        header_add(fields, name, value);
    }
    return true;
}

void h2_head_trailers(const h2_head_t *h, pool_t *pool, header_list_t *out)
{
    str_t rest = str_make(h->text, h->large ? 0 : h->n), name, value;
    header_list_init(out, pool);
    while (next_field(&rest, &name, &value)) header_add(out, name, value);
}

/* RFC 9113 8.2.2 */
static bool has_connection_fields(const header_list_t *fields)
{
    static const header_id_t forbidden[] = {HEADER_CONNECTION, HEADER_KEEP_ALIVE,
                                            HEADER_PROXY_CONNECTION, HEADER_TRANSFER_ENCODING,
                                            HEADER_UPGRADE};
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        if (header_get(fields, forbidden[i])) return true;
    const header_t *te = header_get(fields, HEADER_TE);
    return te && (header_next(fields, HEADER_TE, te) || !str_ieq(te->value, STR("trailers")));
}

static void join_cookies(header_list_t *fields)
{
    const header_t *first = header_get(fields, HEADER_COOKIE);
    if (!first || !header_next(fields, HEADER_COOKIE, first)) return;
    str_t name = first->name, joined = header_join(fields, STR("Cookie"));
    header_remove(fields, HEADER_COOKIE);
    header_add_as(fields, HEADER_COOKIE, name, joined);
}

/* RFC 9113 8.3.1: who says both must mean the same. */
static bool set_host(const pseudo_t *p, header_list_t *fields)
{
    const header_t *host = header_get(fields, HEADER_HOST);
    if (!p->authority.p) return true;
    if (!host) return header_add_id(fields, HEADER_HOST, p->authority);
    return str_ieq(host->value, p->authority);
}

static bool is_web(str_t scheme)
{
    return str_ieq(scheme, STR("http")) || str_ieq(scheme, STR("https"));
}

/* What must be there, and nothing else (RFC 9113 8.3.1, 8.5; RFC 8441 4). */
static bool is_complete(const pseudo_t *p)
{
    bool connect = str_eq(p->method, STR("CONNECT"));
    if (!p->method.p) return false;
    if (connect && !p->protocol.p) return p->authority.p && !p->scheme.p && !p->path.p;
    if (p->protocol.p && (!connect || !p->authority.p)) return false;
    return p->path.p && is_web(p->scheme);
}

/* The path of origin-form, or "*" of OPTIONS: an absolute target would speak for :authority. */
static bool is_path(const pseudo_t *p)
{
    return (p->path.n && p->path.p[0] == '/') ||
           (str_eq(p->path, STR("*")) && str_eq(p->method, STR("OPTIONS")));
}

/* The request line, for the logs; method and target are slices of it. */
static void make_line(const pseudo_t *p, str_t target, parse_request_t *out)
{
    static const str_t version = STR_INIT(" HTTP/2.0");
    size_t n = p->method.n + 1 + target.n + version.n;
    char *line = pool_bytes(out->headers.pool, n), *at = mempcpy(line, p->method.p, p->method.n);
    *at++ = ' ';
    if (target.n) at = mempcpy(at, target.p, target.n);
    memcpy(at, version.p, version.n);
    out->line = str_make(line, n);
    out->method = str_sub(out->line, 0, p->method.n);
    out->target = str_sub(out->line, p->method.n + 1, p->method.n + 1 + target.n);
}

/* RFC 8441 5: the handshake of RFC 6455 has a key, that of HTTP/2 has not. */
static void make_upgrade(parse_request_t *out)
{
    unsigned char random[16];
    header_list_t *fields = &out->headers;
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) panic("no random bytes");
    header_add_id(fields, HEADER_UPGRADE, STR("websocket"));
    header_add_id(fields, HEADER_CONNECTION, STR("Upgrade"));
    header_set(fields, HEADER_SEC_WEBSOCKET_KEY,
               base64_encode(fields->pool, str_make((const char *)random, sizeof(random))));
    out->method = STR("GET");
}

parse_error_t h2_head_read(const h2_head_t *h, bool ended, parse_request_t *out, bool *extended)
{
    pseudo_t p = {.method = {NULL, 0}};
    out->http2 = true;
    *extended = false;
    if (!split(h, &p, &out->headers)) return PARSE_BAD_NAME;
    if (p.method.n && p.method.n <= PARSE_METHOD_MAX)
        make_line(&p, p.path.p ? p.path : p.authority, out);
    if (has_connection_fields(&out->headers)) return PARSE_BAD_NAME;
    if (!is_complete(&p) || (p.path.p && !is_path(&p))) return PARSE_BAD_TARGET;
    if (!set_host(&p, &out->headers)) return PARSE_BAD_HOST;
    *extended = str_ieq(p.protocol, STR("websocket"));
    if (p.protocol.p && !*extended) return PARSE_BAD_METHOD;
    if (*extended) make_upgrade(out);
    join_cookies(&out->headers);
    if (!out->line.n) return PARSE_BAD_METHOD;
    parse_error_t e = parse_request_parts(out);
    if (e != PARSE_OK || *extended) return e;
    /* Without END_STREAM only the end tells: there must be no bytes behind a length of 0. */
    if (!ended && !(out->framing == PARSE_LENGTH && out->content_length))
        out->framing = PARSE_CHUNKED;
    return ended && out->framing == PARSE_LENGTH && out->content_length ? PARSE_BAD_LENGTH
                                                                        : PARSE_OK;
}
