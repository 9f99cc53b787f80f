/* charset: names the character set of text in Content-Type. Nothing is converted. */
#include "modules/site/charset.h"

#include "http/http.h"
#include "modules/site/types.h"

typedef struct charset_conf {
    text_t charset;    /* "off": none is named */
    conf_strs_t types; /* none: the usual ones */
    str_t source;
    bool override;
} charset_conf_t;

static unsigned charset_index;

static const str_t usual_types[] = {
    STR_INIT("text/html"),           STR_INIT("text/xml"),
    STR_INIT("text/plain"),          STR_INIT("text/vnd.wap.wml"),
    STR_INIT("application/javascript"), STR_INIT("application/rss+xml"),
};

static bool is_text(const charset_conf_t *c, str_t type)
{
    if (str_ieq(type, STR("text/html"))) return true;
    if (str_istarts(type, STR("multipart/"))) return false;
    for (uint32_t i = 0; i < c->types.n; i++)
        if (str_eq(c->types.v[i], STR("*")) || str_ieq(type, c->types.v[i])) return true;
    for (size_t i = 0; !c->types.n && i < sizeof(usual_types) / sizeof(usual_types[0]); i++)
        if (str_ieq(type, usual_types[i])) return true;
    return false;
}

static bool names_charset(str_t content_type, size_t from)
{
    for (; from < content_type.n; from++)
        if (str_istarts(str_sub(content_type, from, content_type.n), STR("charset="))) return true;
    return false;
}

str_t charset_named(request_t *r, str_t type)
{
    const charset_conf_t *c = request_conf(r, charset_index);
    if (!type.n || str_eq(c->charset.source, STR("off"))) return type;
    size_t end = str_find(type, 0, ';');
    if (names_charset(type, end) || !is_text(c, str_trim(str_sub(type, 0, end)))) return type;
    str_t charset = text_eval(&c->charset, r);
    if (!parse_is_token(charset)) return type;
    return pool_printf(r->pool, STR_FMT "; charset=" STR_FMT, STR_ARG(type), STR_ARG(charset));
}

/* The one hook over Content-Type, so that the type is settled before it is judged. */
static int head(request_t *r)
{
    types_settle(r);
    r->reply.content_type = charset_named(r, r->reply.content_type);
    return 0;
}

static const conf_row_t rows[] = {
    CONF_TEXT("charset", CONF_HTTP_ALL | CONF_LOCATION_IF, charset_conf_t, charset, "off",
              "the character set that Content-Type names"),
    CONF_STRS("charset_types", CONF_HTTP_ALL, charset_conf_t, types,
              "the types that charset is for, besides text/html; *: all"),
    CONF_STR("source_charset", CONF_HTTP_ALL | CONF_LOCATION_IF, charset_conf_t, source, NULL,
             "accepted for nginx's sake: nothing is converted"),
    CONF_FLAG("override_charset", CONF_HTTP_ALL | CONF_LOCATION_IF, charset_conf_t, override, "off",
              "accepted for nginx's sake: nothing is converted"),
    CONF_END,
};

static const http_hooks_t hooks = {.head = head};

const module_t charset_module = {
    .name = "charset",
    .index = &charset_index,
    .rows = rows,
    .conf_size = sizeof(charset_conf_t),
    .hooks = &hooks,
};
