/*
 * realip: who the client is behind proxies that are trusted.
 *
 *     set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;
 *
 * When the connection comes from a trusted address, the last address in the field becomes the
 * client's; recursively, as long as that one is trusted, too, the one before it. Done once per
 * request, as soon as the structs that it is served with trust the connection's peer.
 */
#include "core/base/cidr.h"
#include "http/http.h"
#include "http/proxy_protocol.h"
#include "http/request.h"
#include "http/var_field.h"

typedef struct realip_trust {
    cidr_tree_t *nets;
    bool local; /* unix: */
} realip_trust_t;

typedef struct realip_conf {
    realip_trust_t *from;  /* NULL: nobody is trusted */
    str_t field;           /* in lower case, "_" for "-"; p NULL: the PROXY protocol */
    bool recursive;
} realip_conf_t;

static unsigned realip_index;

/* --- in a request --- */

static bool is_trusted(const realip_conf_t *c, const net_addr_t *a)
{
    if (a->sa.sa_family == AF_UNIX) return c->from->local;
    return cidr_find(c->from->nets, net_bytes_unmapped(a)) != NULL;
}

static bool separates(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* The last element of a list, taken off it. */
static str_t last_element(str_t *list)
{
    size_t end = list->n;
    while (end && separates(list->p[end - 1])) end--;
    size_t at = end;
    while (at && !separates(list->p[at - 1])) at--;
    list->n = at;
    return str_sub(*list, at, end);
}

/* Goes back over the trusted to who sent them the request. Whether *a is another one now. */
static bool follow(const realip_conf_t *c, str_t list, net_addr_t *a)
{
    net_addr_t before;
    bool changed = false;
    while (list.n && is_trusted(c, a)) {
        str_t element = last_element(&list);
        if (!net_parse(element, 0, &before) || before.sa.sa_family == AF_UNIX) break;
        *a = before;
        changed = true;
        if (!c->recursive) break;
    }
    return changed;
}

static bool find_client(const realip_conf_t *c, request_t *r, net_addr_t *a)
{
    if (c->field.p)
        return follow(c, var_field_value(r->pool, &r->head.headers, c->field), a);
    if (!r->conn->proxied || !is_trusted(c, a)) return false;
    *a = proxy_protocol_client(r->conn->proxied);
    return a->len;
}

static verdict_t resolve(request_t *r)
{
    const realip_conf_t *c = request_conf(r, realip_index);
    net_addr_t a;
    if (!c->from) return VERDICT(NEXT);
    a = conn_peer(r->conn);
    if (!net_eq(&a, &r->client) || !find_client(c, r, &a)) return VERDICT(NEXT);
    r->client = a;
    r->client_text = (str_t){NULL, 0};
    return VERDICT(NEXT);
}

/* --- variables --- */

static str_t get_addr(request_t *r, const var_def_t *def, str_t name)
{
    char *out = pool_bytes(r->pool, NET_TEXT_MAX);
    net_addr_t a = conn_peer(r->conn);
    (void)def, (void)name;
    return str_make(out, net_format(&a, false, out));
}

static str_t get_port(request_t *r, const var_def_t *def, str_t name)
{
    net_addr_t a = conn_peer(r->conn);
    (void)def, (void)name;
    return net_port(&a) ? pool_printf(r->pool, "%u", net_port(&a)) : STR("");
}

static const var_def_t variables[] = {
    {"realip_remote_addr", get_addr, 0, 0},
    {"realip_remote_port", get_port, 0, 0},
    {NULL, NULL, 0, 0},
};

/* --- while the configuration is read --- */

static bool set_from(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    realip_trust_t **from = CONF_AT(row, conf, realip_trust_t *);
    str_t word = node->words[1].text;
    cidr_t net;
    if (!*from) {
        *from = POOL_NEW(cf->pool, realip_trust_t);
        (*from)->nets = cidr_new(cf->pool);
    }
    if (str_eq(word, STR("unix:"))) return (*from)->local = true;
    bool exact;
    if (!cidr_parse(word, &net, &exact))
        return conf_error(cf, node, 1, "for example 10.0.0.0/8, 2001:db8::1, unix:",
                          "invalid network \"" STR_FMT "\"", STR_ARG(word));
    if (!exact)
        conf_warn(cf, node, 1, NULL, "low address bits of " STR_FMT " are meaningless",
                  STR_ARG(word));
    cidr_add((*from)->nets, &net, *from);
    return true;
}

static bool set_field(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t *field = CONF_AT(row, conf, str_t), word = node->words[1].text;
    if (str_eq(word, STR("proxy_protocol"))) {
        *field = (str_t){NULL, 0};
        return true;
    }
    if (!parse_is_token(word))
        return conf_error(cf, node, 1, "for example X-Forwarded-For, or proxy_protocol",
                          "\"" STR_FMT "\" is not a field name", STR_ARG(word));
    *field = pool_lower(cf->pool, word);
    for (char *p = (char *)(uintptr_t)field->p; p < field->p + field->n; p++)
        if (*p == '-') *p = '_';
    return true;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("set_real_ip_from", CONF_HTTP_ALL, CONF_MANY, 1, 1, set_from,
                CONF_FIELD(realip_conf_t, from, realip_trust_t *), NULL,
                "who may say for whom a request is: an address, a network, or unix:"),
    CONF_CUSTOM("real_ip_header", CONF_HTTP_ALL, 0, 1, 1, set_field,
                CONF_FIELD(realip_conf_t, field, str_t), "X-Real-IP",
                "where it is said: the name of a field, or proxy_protocol"),
    CONF_FLAG("real_ip_recursive", CONF_HTTP_ALL, realip_conf_t, recursive, "off",
              "whether trusted addresses in the field are passed over"),
    CONF_END,
};

static const http_hooks_t hooks = {
    .phase = {[PHASE_POST_READ] = resolve, [PHASE_LIMIT] = resolve},
    .variables = variables,
};

const module_t realip_module = {
    .name = "realip",
    .index = &realip_index,
    .rows = rows,
    .conf_size = sizeof(realip_conf_t),
    .hooks = &hooks,
};
