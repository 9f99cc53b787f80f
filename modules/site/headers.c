/* headers: fields that the configuration adds to replies: add_header, add_trailer, expires. */
#include "http/http.h"
#include "http/request.h"
#include "modules/site/expires.h"

typedef struct headers_rule {
    str_t name;
    header_id_t id;
    text_t value;
    bool always; /* whatever the status is */
} headers_rule_t;

typedef VEC(headers_rule_t) headers_rules_t;

typedef struct headers_conf {
    headers_rules_t headers, trailers;
    expires_t expires;
} headers_conf_t;

static unsigned headers_index;

/* --- fields --- */

static bool is_usual(int status)
{
    switch (status) {
    case 200: case 201: case 204: case 206:
    case 301: case 302: case 303: case 304: case 307: case 308: return true;
    default: return false;
    }
}

/* The value; p NULL when there is nothing to add. What would break the head is left out: a variable
   may hold what a client has sent. */
static str_t value_of(request_t *r, const headers_rule_t *rule)
{
    str_t none = {NULL, 0}, value = str_trim(text_eval(&rule->value, r));
    if (!value.n) return none;
    if (parse_is_field_value(value)) return value;
    LOG(&r->log, LOG_ERR, 0, "the value of \"" STR_FMT "\" is not one of a header field, left out",
        STR_ARG(rule->name));
    return none;
}

static void add_header(request_t *r, const headers_rule_t *rule, str_t value)
{
    reply_t *p = &r->reply;
    if (rule->id == HEADER_ETAG || rule->id == HEADER_LAST_MODIFIED)
        header_remove(&p->headers, rule->id);
    switch (rule->id) {
    case HEADER_CONTENT_TYPE: p->content_type = value; break;
    case HEADER_SERVER: p->server = value; break;
    case HEADER_DATE: p->date = value; break;
    default: header_add_as(&p->headers, rule->id, rule->name, value);
    }
}

static void add_headers(request_t *r, const headers_rules_t *rules, bool usual)
{
    VEC_EACH(const headers_rule_t, rule, rules) {
        if (!usual && !rule->always) continue;
        str_t value = value_of(r, rule);
        if (value.p) add_header(r, rule, value);
    }
}

/* --- trailers: their values are known when the body has ended --- */

static int trailer_body(filter_t *f, request_t *r, const piece_t *pieces, unsigned n,
                        unsigned flags)
{
    const headers_conf_t *c = f->state;
    if (flags & BODY_LAST) {
        bool usual = is_usual(r->reply.status);
        VEC_EACH(const headers_rule_t, rule, &c->trailers) {
            str_t value = usual || rule->always ? value_of(r, rule) : (str_t){NULL, 0};
            if (value.p) header_add_as(&r->reply.trailers, rule->id, rule->name, value);
        }
    }
    return filter_pass(f, r, pieces, n, flags);
}

/* Trailers need a body in chunks (RFC 9112 7.1.2) and a client that wants them (RFC 9110 6.5.1). */
static void want_trailers(request_t *r, const headers_conf_t *c)
{
    if (r->reply.head_only || r->head.minor == 0) return;
    if (!header_has_token(&r->head.headers, HEADER_TE, STR("trailers"))) return;
    VEC_EACH(const headers_rule_t, rule, &c->trailers)
        header_add_id(&r->reply.headers, HEADER_TRAILER, rule->name);
    r->reply.length = REPLY_LENGTH_UNKNOWN;
    filter_push(r, trailer_body, (void *)(uintptr_t)c);
}

static int head(request_t *r)
{
    const headers_conf_t *c = request_conf(r, headers_index);
    bool usual = is_usual(r->reply.status);
    if (usual && c->expires.value.set) expires_apply(r, &c->expires);
    add_headers(r, &c->headers, usual);
    if (c->trailers.n) want_trailers(r, c);
    return 0;
}

/* --- directives --- */

/* What frames the message is the connection's to say. */
static bool is_framing(str_t name)
{
    static const str_t names[] = {STR_INIT("Connection"), STR_INIT("Content-Length"),
                                  STR_INIT("Keep-Alive"), STR_INIT("Transfer-Encoding"),
                                  STR_INIT("Trailer")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_ieq(name, names[i])) return true;
    return false;
}

/* add_header name value [always] */
static bool set_rule(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t name = node->words[1].text;
    if (!parse_is_token(name))
        return conf_error(cf, node, 1, NULL, "\"" STR_FMT "\" is not a field name", STR_ARG(name));
    if (is_framing(name)) {
        conf_warn(cf, node, 1, "leave it out",
                  "\"" STR_FMT "\" is written by proxyd itself, this line has no effect",
                  STR_ARG(name));
        return true;
    }
    headers_rule_t *rule = VEC_PUSH(cf->pool, CONF_AT(row, conf, headers_rules_t));
    *rule = (headers_rule_t){.name = name, .id = header_id(name), .always = node->n == 4};
    if (rule->always && !str_eq(node->words[3].text, STR("always")))
        return conf_error(cf, node, 3, "always", "invalid parameter \"" STR_FMT "\"",
                          STR_ARG(node->words[3].text));
    /* A value may be written over several lines; it is one. */
    return text_compile(cf, node, 2, header_clean(cf->pool, node->words[2].text), &rule->value);
}

static bool set_expires(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    return expires_take(cf, node, CONF_AT(row, conf, expires_t));
}

#define CONTEXTS (CONF_HTTP_ALL | CONF_LOCATION_IF)

static const conf_row_t rows[] = {
    CONF_CUSTOM("add_header", CONTEXTS, CONF_MANY, 2, 3, set_rule,
                CONF_FIELD(headers_conf_t, headers, headers_rules_t), NULL,
                "adds a field to replies of status 200 201 204 206 30x; with always: to all"),
    CONF_CUSTOM("add_trailer", CONTEXTS, CONF_MANY, 2, 3, set_rule,
                CONF_FIELD(headers_conf_t, trailers, headers_rules_t), NULL,
                "the same behind the body, for clients that say TE: trailers"),
    CONF_CUSTOM("expires", CONTEXTS, 0, 1, 2, set_expires,
                CONF_FIELD(headers_conf_t, expires, expires_t), NULL,
                "sets Expires and Cache-Control: [modified] TIME, epoch, max or off"),
    CONF_END,
};

static const http_hooks_t hooks = {.head = head};

const module_t headers_module = {
    .name = "headers",
    .index = &headers_index,
    .rows = rows,
    .conf_size = sizeof(headers_conf_t),
    .hooks = &hooks,
};
