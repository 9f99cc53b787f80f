#include "http/mux_head.h"

#include "http/header.h"

void mux_head_add(pool_t *pool, mux_head_t *out, str_t name, str_t value)
{
    *VEC_PUSH(pool, out) = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
                                        .value = (uint8_t *)(uintptr_t)value.p,
                                        .namelen = name.n,
                                        .valuelen = value.n};
}

static bool passes(header_id_t id, str_t value, bool tunnel, bool *has_te)
{
    switch (id) {
    case HEADER_HOST:
    case HEADER_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_PROXY_CONNECTION:
    case HEADER_TRANSFER_ENCODING:
    case HEADER_HTTP2_SETTINGS:
    case HEADER_UPGRADE: return false;
    case HEADER_SEC_WEBSOCKET_KEY: return !tunnel;
    case HEADER_TE:
        if (*has_te || !str_ieq(value, STR("trailers"))) return false;
        return *has_te = true;
    default: return true;
    }
}

/* The line up to its CRLF; *rest goes on behind it. */
static str_t next_line(str_t *rest)
{
    size_t n = str_find(*rest, 0, '\r');
    str_t line = str_sub(*rest, 0, n);
    *rest = n + 2 <= rest->n ? str_sub(*rest, n + 2, rest->n) : STR("");
    return line;
}

static void add_field(pool_t *pool, mux_head_t *out, str_t line, bool tunnel, bool *has_te)
{
    size_t colon = str_find(line, 0, ':');
    if (colon == line.n) return;
    str_t name = str_sub(line, 0, colon), value = str_trim(str_sub(line, colon + 1, line.n));
    header_id_t id = header_id(name);
    if (id == HEADER_HOST && value.n && !out->v[2].valuelen) {
        out->v[2].value = (uint8_t *)(uintptr_t)value.p;
        out->v[2].valuelen = value.n;
    }
    if (!passes(id, value, tunnel, has_te)) return;
    for (size_t i = 0; i < name.n; i++) ((char *)(uintptr_t)name.p)[i] = ascii_lower(name.p[i]);
    mux_head_add(pool, out, name, value);
}

void mux_head_make(pool_t *pool, char *head, size_t n, bool https, str_t protocol,
                   mux_head_t *out)
{
    bool has_te = false;
    str_t rest = str_make(head, n), line = next_line(&rest), method, target;
    str_cut(&line, ' ', &method);
    str_cut(&line, ' ', &target);
    *out = (mux_head_t){.n = 0};
    mux_head_add(pool, out, STR(":method"), protocol.n ? STR("CONNECT") : method);
    mux_head_add(pool, out, STR(":scheme"), https ? STR("https") : STR("http"));
    mux_head_add(pool, out, STR(":authority"), STR(""));
    mux_head_add(pool, out, STR(":path"), target);
    if (protocol.n) mux_head_add(pool, out, STR(":protocol"), protocol);
    while (rest.n) {
        line = next_line(&rest);
        if (line.n) add_field(pool, out, line, protocol.n, &has_te);
    }
    if (out->v[2].valuelen) return;
    out->n--; /* no authority rather than an empty one */
    memmove(&out->v[2], &out->v[3], (out->n - 2) * sizeof(out->v[0]));
}
