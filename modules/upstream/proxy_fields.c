#include "modules/upstream/proxy_fields.h"

/* Of this hop alone (RFC 9110 7.6.1), answered here, or written anew for every request. */
static const header_id_t never_passed[] = {
    HEADER_HOST,    HEADER_CONNECTION, HEADER_KEEP_ALIVE,        HEADER_PROXY_CONNECTION,
    HEADER_TE,      HEADER_TRAILER,    HEADER_TRANSFER_ENCODING, HEADER_CONTENT_LENGTH,
    HEADER_UPGRADE, HEADER_EXPECT,     HEADER_HTTP2_SETTINGS,    HEADER_VIA,
};

/* Gathers constant fields until one with variables comes. */
typedef struct compiler {
    pool_t *pool;
    proxy_fields_t *out;
    str_t literal;
} compiler_t;

static void end_part(compiler_t *c, const text_t *value)
{
    if (!value && c->literal.n == 0) return;
    *VEC_PUSH(c->pool, &c->out->parts) = (proxy_part_t){c->literal, value};
    c->out->size += c->literal.n;
    c->literal = STR("");
}

static void add_field(compiler_t *c, const proxy_set_header_t *h)
{
    if (text_is_constant(&h->value)) {
        if (h->value.source.n == 0) return;
        c->literal = pool_printf(c->pool, STR_FMT STR_FMT ": " STR_FMT "\r\n", STR_ARG(c->literal),
                                 STR_ARG(h->name), STR_ARG(h->value.source));
        return;
    }
    end_part(c, NULL);
    c->literal = pool_printf(c->pool, STR_FMT ": ", STR_ARG(h->name));
    end_part(c, &h->value);
}

/* Given twice, a field that is never sent gives way to one that is: nginx sends all that are not
   empty. */
static void set_only(const text_t **at, const text_t *value)
{
    bool never = text_is_constant(value) && !value->source.n;
    if (!*at || !never) *at = value;
}

static void add_given(compiler_t *c, const proxy_set_header_t *h)
{
    proxy_names_add(c->pool, &c->out->dropped, h->name);
    switch (h->id) {
    case HEADER_CONTENT_LENGTH:
    case HEADER_TRANSFER_ENCODING: return;
    case HEADER_HOST: c->out->host = &h->value; return;
    case HEADER_CONNECTION: set_only(&c->out->connection, &h->value); return;
    case HEADER_UPGRADE: set_only(&c->out->upgrade, &h->value); return;
    case HEADER_VIA: c->out->via_given = true; break;
    default: break;
    }
    add_field(c, h);
}

void proxy_fields_compile(pool_t *pool, const proxy_set_headers_t *given, proxy_fields_t *out)
{
    *out = (proxy_fields_t){.size = 0};
    compiler_t c = {.pool = pool, .out = out, .literal = STR_INIT("")};
    for (size_t i = 0; i < sizeof(never_passed) / sizeof(never_passed[0]); i++)
        proxy_names_add_id(&out->dropped, never_passed[i]);
    VEC_EACH(const proxy_set_header_t, h, given) add_given(&c, h);
    end_part(&c, NULL);
}

/* --- responses --- */

/* Framing and connection are the reply's own; these have a place of their own in reply_t. */
static const header_id_t never_shown[] = {
    HEADER_CONNECTION,        HEADER_KEEP_ALIVE,     HEADER_PROXY_CONNECTION, HEADER_TE,
    HEADER_TRANSFER_ENCODING, HEADER_CONTENT_LENGTH, HEADER_UPGRADE,          HEADER_CONTENT_TYPE,
    HEADER_DATE,              HEADER_SERVER,         HEADER_TRAILER,          HEADER_HTTP2_SETTINGS,
};

static const char *const usually_hidden[] = {
    "X-Pad",           "X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate",
    "X-Accel-Buffering", "X-Accel-Charset",
};

static bool is_shown(const conf_strs_t *show, str_t name)
{
    for (unsigned i = 0; i < show->n; i++)
        if (str_ieq(show->v[i], name)) return true;
    return false;
}

void proxy_fields_hidden(pool_t *pool, const conf_strs_t *hide, const conf_strs_t *show,
                         proxy_names_t *out)
{
    *out = (proxy_names_t){.ids = {0}};
    for (size_t i = 0; i < sizeof(never_shown) / sizeof(never_shown[0]); i++)
        proxy_names_add_id(out, never_shown[i]);
    for (size_t i = 0; i < sizeof(usually_hidden) / sizeof(usually_hidden[0]); i++)
        if (!is_shown(show, str_of(usually_hidden[i])))
            proxy_names_add(pool, out, str_of(usually_hidden[i]));
    for (unsigned i = 0; i < hide->n; i++) proxy_names_add(pool, out, hide->v[i]);
}

bool proxy_fields_may_trail(const header_t *h)
{
    switch (h->id) {
    case HEADER_SET_COOKIE:
    case HEADER_COOKIE:
    case HEADER_CONTENT_ENCODING:
    case HEADER_CONTENT_TYPE:
    case HEADER_CONTENT_RANGE:
    case HEADER_HOST:
    case HEADER_CACHE_CONTROL:
    case HEADER_LOCATION:
    case HEADER_AUTHORIZATION: return false;
    default: return true;
    }
}
