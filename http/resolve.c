#include "http/resolve.h"

#include "core/base/log.h"

enum { DNS_PORT = 53 };

struct http_resolver {
    VEC(net_addr_t) servers;
    bool ipv4, ipv6;
    msec_t valid;
    resolver_t *made;           /* this process's; NULL: not used yet */
    struct http_resolver *next; /* among those made */
};

static struct http_resolver system_resolver = {.ipv4 = true, .ipv6 = true};
static struct http_resolver *all_made;

static bool set_family(conf_t *cf, const tree_node_t *node, unsigned word, str_t value, bool *out)
{
    const char *hint = value_flag(value, out);
    if (!hint) return true;
    return conf_error(cf, node, word, hint, "resolver: \"" STR_FMT "\" is neither on nor off",
                      STR_ARG(value));
}

static bool add_server(conf_t *cf, const tree_node_t *node, unsigned word, struct http_resolver *r)
{
    net_addr_t addr;
    str_t text = node->words[word].text;
    if (!net_parse(text, DNS_PORT, &addr) || addr.sa.sa_family == AF_UNIX)
        return conf_error(cf, node, word, "for example 127.0.0.1 or [::1]:5353",
                          "resolver: \"" STR_FMT "\" is not the address of a name server",
                          STR_ARG(text));
    *VEC_PUSH(cf->pool, &r->servers) = addr;
    return true;
}

static bool set_word(conf_t *cf, const tree_node_t *node, unsigned word, struct http_resolver *r)
{
    str_t text = node->words[word].text, value;
    if (value_keyed(text, "valid", &value)) return conf_msec(cf, node, word, value, &r->valid);
    if (value_keyed(text, "ipv4", &value)) return set_family(cf, node, word, value, &r->ipv4);
    if (value_keyed(text, "ipv6", &value)) return set_family(cf, node, word, value, &r->ipv6);
    if (value_keyed(text, "status_zone", &value)) return true; /* nginx's, for its own API */
    return add_server(cf, node, word, r);
}

bool resolve_set(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    struct http_resolver *r = POOL_NEW(cf->pool, struct http_resolver);
    r->ipv4 = r->ipv6 = true;
    for (unsigned i = 1; i < node->n; i++)
        if (!set_word(cf, node, i, r)) return false;
    if (r->servers.n == 0)
        return conf_error(cf, node, 0, "for example resolver 127.0.0.1 valid=30s",
                          "resolver: no name servers given");
    if (!r->ipv4 && !r->ipv6)
        return conf_error(cf, node, 0, NULL, "resolver: \"ipv4\" and \"ipv6\" cannot both be off");
    *CONF_AT(row, conf, struct http_resolver *) = r;
    return true;
}

resolver_t *resolve_for(const http_conf_t *c)
{
    struct http_resolver *r = c->resolver ? c->resolver : &system_resolver;
    if (r->made) return r->made;
    resolver_options_t o = {
        .servers = r->servers.v,
        .server_count = r->servers.n,
        .ipv4 = r->ipv4,
        .ipv6 = r->ipv6,
        .valid_ms = r->valid,
        .timeout_ms = c->resolver_timeout,
    };
    r->made = resolver_new(&o);
    if (!r->made) {
        LOG(&log_main, LOG_ALERT, 0, "a resolver cannot be made");
        return NULL;
    }
    r->next = all_made;
    all_made = r;
    return r->made;
}

void resolve_settle(void)
{
    for (struct http_resolver **at = &all_made; *at;) {
        struct http_resolver *r = *at;
        if (resolver_is_waited_for(r->made)) {
            at = &r->next;
            continue;
        }
        resolver_free(r->made);
        r->made = NULL;
        *at = r->next;
    }
}

void resolve_stop(void)
{
    for (; all_made; all_made = all_made->next) {
        resolver_free(all_made->made);
        all_made->made = NULL;
    }
}
