#include "http/http_listen.h"

#include <netdb.h>
#include <unistd.h>

#include "core/process/generation.h"
#include "http/accept.h"
#include "http/http.h"

#define HINT_ADDRESS "for example 80, *:8080, 127.0.0.1:8080, [::]:80, unix:/run/proxyd.sock"

/* --- the address --- */

static bool all_digits(str_t s)
{
    uint64_t v;
    return str_to_u64(s, &v);
}

static bool port_of(str_t s, uint16_t *port)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v == 0 || v > 65535) return false;
    *port = (uint16_t)v;
    return true;
}

static void any_address(uint16_t port, net_addr_t *out)
{
    *out = (net_addr_t){.len = sizeof(out->in)};
    out->in.sin_family = AF_INET;
    out->in.sin_port = htons(port);
}

/* A host name is resolved once, by the system, as nginx does for listen. */
static bool named_address(conf_t *cf, str_t host, uint16_t port, net_addr_t *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(pool_cstr(cf->pool, host), NULL, &hints, &found) != 0) return false;
    bool fits = found && found->ai_addrlen <= sizeof(out->in6);
    if (fits) {
        out->len = found->ai_addrlen;
        memcpy(&out->sa, found->ai_addr, found->ai_addrlen);
        net_set_port(out, port);
    }
    if (found) freeaddrinfo(found);
    return fits;
}

static bool parse_address(conf_t *cf, str_t s, net_addr_t *out)
{
    uint16_t port = 80;
    if (all_digits(s)) return port_of(s, &port) && (any_address(port, out), true);
    if (str_eq(s, STR("*"))) return any_address(port, out), true;
    if (str_starts(s, STR("*:")))
        return port_of(str_sub(s, 2, s.n), &port) && (any_address(port, out), true);
    if (net_parse(s, port, out)) return true;
    size_t colon = str_find(s, 0, ':');
    if (colon < s.n && !port_of(str_sub(s, colon + 1, s.n), &port)) return false;
    return named_address(cf, str_sub(s, 0, colon), port, out);
}

str_t http_listen_name(const conf_t *cf, const listen_t *l)
{
    char text[NET_TEXT_MAX];
    return pool_str(cf->pool, str_make(text, net_format(&l->addr, true, text)));
}

/* --- its options --- */

typedef struct parsing {
    conf_t *cf;
    const tree_node_t *node;
    unsigned word;
    listen_options_t options;
    bool fallback, proxy_protocol, ssl, http2;
} parsing_t;

static bool take_number(parsing_t *p, str_t text, int *out)
{
    unsigned v = 0;
    if (!conf_number(p->cf, p->node, p->word, text, 1, INT_MAX, &v)) return false;
    *out = (int)v;
    return true;
}

static bool take_size(parsing_t *p, str_t text, int *out)
{
    size_t v = 0;
    if (!conf_size(p->cf, p->node, p->word, text, 1, INT_MAX, &v)) return false;
    *out = (int)v;
    return true;
}

static bool take_flag(parsing_t *p, str_t text, bool *out)
{
    const char *hint = value_flag(text, out);
    if (!hint) return true;
    return conf_error(p->cf, p->node, p->word, hint, "invalid value \"" STR_FMT "\"",
                      STR_ARG(text));
}

/* so_keepalive=on|off|[idle]:[interval]:[count] */
static bool take_keepalive(parsing_t *p, str_t text)
{
    listen_options_t *o = &p->options;
    bool on;
    if (!value_flag(text, &on)) return o->keepalive = on, true;
    int *fields[] = {&o->keepidle, &o->keepintvl, &o->keepcnt};
    for (unsigned i = 0; i < 3; i++) {
        size_t colon = str_find(text, 0, ':');
        str_t part = str_sub(text, 0, colon);
        msec_t ms = 0;
        if ((colon == text.n) != (i == 2))
            return conf_error(p->cf, p->node, p->word, "on, off, or idle:interval:count",
                              "invalid so_keepalive value");
        if (part.n && i < 2 && !conf_msec(p->cf, p->node, p->word, part, &ms)) return false;
        if (part.n && i < 2) *fields[i] = (int)(ms / 1000);
        if (part.n && i == 2 && !take_number(p, part, fields[i])) return false;
        text = str_sub(text, colon < text.n ? colon + 1 : colon, text.n);
    }
    o->keepalive = 1;
    return true;
}

static bool take_keyed(parsing_t *p, str_t text)
{
    listen_options_t *o = &p->options;
    str_t rest;
    o->set = true;
    if (value_keyed(text, "backlog", &rest)) return take_number(p, rest, &o->backlog);
    if (value_keyed(text, "rcvbuf", &rest)) return take_size(p, rest, &o->rcvbuf);
    if (value_keyed(text, "sndbuf", &rest)) return take_size(p, rest, &o->sndbuf);
    if (value_keyed(text, "fastopen", &rest)) return take_number(p, rest, &o->fastopen);
    if (value_keyed(text, "ipv6only", &rest)) return take_flag(p, rest, &o->ipv6only);
    if (value_keyed(text, "so_keepalive", &rest)) return take_keepalive(p, rest);
    return conf_error(p->cf, p->node, p->word,
                      "known: default_server backlog= rcvbuf= sndbuf= ipv6only= so_keepalive= "
                      "fastopen= reuseport deferred bind proxy_protocol ssl http2",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static bool take_option(parsing_t *p, str_t text)
{
    if (str_eq(text, STR("default_server")) || str_eq(text, STR("default")))
        return p->fallback = true;
    if (str_eq(text, STR("proxy_protocol"))) return p->proxy_protocol = true;
    if (str_eq(text, STR("reuseport")) || str_eq(text, STR("bind"))) return p->options.set = true;
    if (str_eq(text, STR("deferred"))) return p->options.set = p->options.deferred = true;
    if (str_eq(text, STR("ssl"))) return p->ssl = true;
    if (str_eq(text, STR("http2"))) return p->http2 = true;
    if (str_eq(text, STR("quic")))
        return conf_error(p->cf, p->node, p->word, "leave it out",
                          "\"quic\" is not supported by this build");
    return take_keyed(p, text);
}

/* --- the directive --- */

static bool same_server_twice(const http_block_t *block, const listen_t *l)
{
    VEC_EACH(http_block_listen_t, it, &block->listens)
        if (it->listen == l) return true;
    return false;
}

/* What one listen of an address says holds for all of them, as in nginx. */
static void set_protocols(site_address_t *address, const parsing_t *p)
{
    address->proxy_protocol |= p->proxy_protocol;
    address->ssl |= p->ssl;
    address->http2 |= p->http2;
}

static bool add_listen(conf_t *cf, http_block_t *block, const tree_node_t *node,
                       const net_addr_t *addr, const parsing_t *p)
{
    listen_t *l = listen_want(&generation_of(cf)->listens, addr);
    str_t name = http_listen_name(cf, l);
    if (same_server_twice(block, l))
        return conf_error(cf, node, 1, NULL, "a duplicate listen " STR_FMT, STR_ARG(name));
    if (l->serve && l->serve != accept_connection)
        return conf_error(cf, node, 1, "give one of the two another path",
                          "the directive \"control\" has the socket " STR_FMT, STR_ARG(name));
    if (p && p->options.set) {
        if (l->options.set)
            return conf_error(cf, node, 1, "give the options of an address in one listen only",
                              "duplicate listen options for " STR_FMT, STR_ARG(name));
        l->options = p->options;
    }
    if (!l->data) l->data = site_address_new(cf->pool);
    if (p) set_protocols(l->data, p);
    l->serve = accept_connection;
    *VEC_PUSH(cf->pool, &block->listens) = (http_block_listen_t){l, p && p->fallback, node};
    return true;
}

bool http_listen_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    http_conf_t *c = conf;
    net_addr_t addr;
    parsing_t p = {.cf = cf, .node = node, .options = {.ipv6only = true, .keepalive = -1}};
    (void)row;
    if (!parse_address(cf, node->words[1].text, &addr))
        return conf_error(cf, node, 1, HINT_ADDRESS,
                          "\"" STR_FMT "\" is not an address to listen on",
                          STR_ARG(node->words[1].text));
    for (p.word = 2; p.word < node->n; p.word++)
        if (!take_option(&p, node->words[p.word].text)) return false;
    return add_listen(cf, c->block, node, &addr, &p);
}

bool http_listen_default(conf_t *cf, http_block_t *block, const tree_node_t *node)
{
    net_addr_t addr;
    any_address(geteuid() == 0 ? 80 : 8000, &addr);
    return add_listen(cf, block, node, &addr, NULL);
}
