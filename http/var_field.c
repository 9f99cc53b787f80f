#include "http/var_field.h"

#include "http/request.h"

static bool same_name(str_t field, str_t name)
{
    if (field.n != name.n) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = field.p[i] == '-' ? '_' : ascii_lower(field.p[i]);
        if (c != name.p[i]) return false;
    }
    return true;
}

static str_t join_all(pool_t *pool, const header_list_t *list, str_t name, size_t n)
{
    str_t between = str_eq(name, STR("cookie")) ? STR("; ") : STR(", ");
    char *out = pool_bytes(pool, n), *at = out;
    HEADER_EACH(h, list)
    {
        if (!same_name(h->name, name)) continue;
        if (at != out) at = mempcpy(at, between.p, between.n);
        if (h->value.n) at = mempcpy(at, h->value.p, h->value.n);
    }
    return str_make(out, (size_t)(at - out));
}

str_t var_field_value(pool_t *pool, const header_list_t *list, str_t name)
{
    size_t count = 0, n = 0;
    str_t value = {NULL, 0};
    HEADER_EACH(h, list)
    {
        if (!same_name(h->name, name)) continue;
        value = h->value;
        n += value.n + 2;
        count++;
    }
    if (count && !value.p) value = STR("");
    return count > 1 ? join_all(pool, list, name, n) : value;
}

static str_t cookie_in(str_t field, str_t name)
{
    str_t pair;
    while (str_cut(&field, ';', &pair)) {
        pair = str_trim(pair);
        size_t equals = str_find(pair, 0, '=');
        if (equals < pair.n && str_ieq(str_sub(pair, 0, equals), name))
            return str_sub(pair, equals + 1, pair.n);
    }
    return (str_t){NULL, 0};
}

str_t var_field_cookie(const header_list_t *list, header_id_t id, str_t name)
{
    str_t value = {NULL, 0};
    for (const header_t *h = header_next(list, id, NULL); h && !value.p;
         h = header_next(list, id, h))
        value = cookie_in(h->value, name);
    return value;
}

str_t var_field_http(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    return var_field_value(r->pool, &r->head.headers, name);
}

str_t var_field_sent(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    return var_field_value(r->pool, &r->reply.headers, name);
}

str_t var_field_sent_trailer(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    return var_field_value(r->pool, &r->reply.trailers, name);
}

str_t var_field_request_cookie(request_t *r, const var_def_t *def, str_t name)
{
    (void)def;
    return var_field_cookie(&r->head.headers, HEADER_COOKIE, name);
}

str_t var_field_sent_connection(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    if (!r->reply.started) return (str_t){NULL, 0};
    if (r->reply.status == 101) return STR("upgrade");
    return r->reply.close ? STR("close") : STR("keep-alive");
}

str_t var_field_sent_content_length(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    if (!r->reply.started || r->reply.length < 0) return (str_t){NULL, 0};
    return pool_printf(r->pool, "%lld", (long long)r->reply.length);
}

str_t var_field_sent_transfer_encoding(request_t *r, const var_def_t *def, str_t name)
{
    (void)def, (void)name;
    const reply_t *reply = &r->reply;
    bool chunked = reply->started && reply->length < 0 && !reply->head_only && r->head.minor > 0;
    return chunked ? STR("chunked") : (str_t){NULL, 0};
}
