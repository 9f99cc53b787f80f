/*
 * geo: variables whose value depends on an address.
 *
 *     geo $where { default far; 10.0.0.0/8 near; 2001:db8::/32 six; delete 10.1.0.0/16; }
 *     geo $arg_ip $where { ranges; 10.0.0.0-10.0.0.99 a; }
 *
 * The longest prefix wins. The address is the client's or a text's; when it is that of a `proxy`,
 * it is the last one of X-Forwarded-For, with proxy_recursive the last that is no proxy's itself.
 */
#include "core/base/cidr.h"
#include "http/http.h"
#include "http/request.h"
#include "http/var_field.h"

typedef struct geo_net {
    cidr_t net;
    str_t *value;
} geo_net_t;

typedef struct geo {
    text_t source;       /* not set: the client */
    str_t fallback;
    bool ranges, recursive;
    VEC(geo_net_t) nets; /* while reading; then in the tree */
    cidr_tree_t *tree;
    VEC(cidr_t) proxies;
} geo_t;

static unsigned geo_index;

/* --- in a request --- */

static bool is_proxy(const geo_t *geo, const net_addr_t *a)
{
    VEC_EACH(const cidr_t, net, &geo->proxies)
        if (cidr_contains(net, net_bytes_unmapped(a))) return true;
    return false;
}

/* The last element of a list, taken off it. */
static str_t last_element(str_t *list)
{
    size_t at = list->n;
    while (at > 0 && list->p[at - 1] != ',') at--;
    str_t last = str_trim(str_sub(*list, at, list->n));
    list->n = at ? at - 1 : 0;
    return last;
}

/* Goes back over proxies to who sent them the request. */
static void follow_proxies(const geo_t *geo, request_t *r, net_addr_t *a)
{
    net_addr_t before;
    if (!geo->proxies.n) return;
    str_t list = var_field_value(r->pool, &r->head.headers, STR("x_forwarded_for"));
    while (list.n && is_proxy(geo, a) && net_parse(last_element(&list), 1, &before)) {
        *a = before;
        if (!geo->recursive) return;
    }
}

static str_t get_geo(request_t *r, void *data)
{
    const geo_t *geo = data;
    net_addr_t a = r->client;
    if (geo->source.set && !net_parse(text_eval(&geo->source, r), 1, &a)) return geo->fallback;
    follow_proxies(geo, r, &a);
    const str_t *found = cidr_find(geo->tree, net_bytes_unmapped(&a));
    return found ? *found : geo->fallback;
}

/* --- while the configuration is read --- */

static bool say_network(conf_t *cf, const tree_node_t *line, unsigned word)
{
    return conf_error(cf, line, word, "for example 10.0.0.0/8, 2001:db8::/32, 192.0.2.1",
                      "invalid network \"" STR_FMT "\"", STR_ARG(line->words[word].text));
}

static bool parse_net(conf_t *cf, const tree_node_t *line, unsigned word, cidr_t *out)
{
    bool exact;
    if (!cidr_parse(line->words[word].text, out, &exact)) return say_network(cf, line, word);
    if (!exact)
        conf_warn(cf, line, word, NULL, "low address bits of " STR_FMT " are meaningless",
                  STR_ARG(line->words[word].text));
    return true;
}

static void add_net(conf_t *cf, geo_t *geo, const cidr_t *net, str_t *value)
{
    *VEC_PUSH(cf->pool, &geo->nets) = (geo_net_t){*net, value};
}

static uint32_t to_number(const cidr_t *c)
{
    const unsigned char *b = c->bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Calls add_net with the prefixes that the range from `at` to `end` consists of. */
static void add_range(conf_t *cf, geo_t *geo, uint64_t at, uint64_t end, str_t *value)
{
    while (at <= end) {
        unsigned free_bits = at ? (unsigned)__builtin_ctzll(at) : 32;
        while (at + (1ull << free_bits) - 1 > end) free_bits--;
        cidr_t net = {.size = 4, .bits = (uint8_t)(32 - free_bits)};
        for (unsigned i = 0; i < 4; i++) net.bytes[i] = (unsigned char)(at >> (24 - 8 * i));
        add_net(cf, geo, &net, value);
        at += 1ull << free_bits;
    }
}

static bool add_addresses(conf_t *cf, geo_t *geo, const tree_node_t *line, str_t *value)
{
    cidr_t first, last;
    str_t word = line->words[0].text;
    if (!geo->ranges) {
        if (!parse_net(cf, line, 0, &first)) return false;
        add_net(cf, geo, &first, value);
        return true;
    }
    size_t dash = str_find(word, 0, '-');
    bool ok = dash < word.n && cidr_parse(str_sub(word, 0, dash), &first, NULL) &&
              cidr_parse(str_sub(word, dash + 1, word.n), &last, NULL);
    if (!ok || first.size != 4 || last.size != 4 || first.bits != 32 || last.bits != 32 ||
        to_number(&first) > to_number(&last))
        return conf_error(cf, line, 0, "for example 10.0.0.0-10.0.0.99",
                          "invalid range \"" STR_FMT "\"", STR_ARG(word));
    add_range(cf, geo, to_number(&first), to_number(&last), value);
    return true;
}

static bool delete_net(conf_t *cf, geo_t *geo, const tree_node_t *line)
{
    cidr_t net;
    uint32_t kept = 0;
    if (!parse_net(cf, line, 1, &net)) return false;
    for (uint32_t i = 0; i < geo->nets.n; i++)
        if (memcmp(&geo->nets.v[i].net, &net, sizeof(net)) != 0)
            geo->nets.v[kept++] = geo->nets.v[i];
    if (kept == geo->nets.n)
        conf_warn(cf, line, 1, NULL, "no network \"" STR_FMT "\" to delete",
                  STR_ARG(line->words[1].text));
    geo->nets.n = kept;
    return true;
}

static bool add_line(conf_t *cf, geo_t *geo, const tree_node_t *line)
{
    str_t word = line->words[0].text;
    if (line->n == 1 && str_eq(word, STR("ranges"))) return geo->ranges = true;
    if (line->n == 1 && str_eq(word, STR("proxy_recursive"))) return geo->recursive = true;
    if (line->n != 2 || line->block)
        return conf_error(cf, line, 0, "NETWORK VALUE;", "invalid number of the geo parameters");
    if (str_eq(word, STR("delete"))) return delete_net(cf, geo, line);
    if (str_eq(word, STR("proxy")))
        return parse_net(cf, line, 1, VEC_PUSH(cf->pool, &geo->proxies));
    str_t *value = pool_memdup(cf->pool, &line->words[1].text, sizeof(str_t));
    if (!str_eq(word, STR("default"))) return add_addresses(cf, geo, line, value);
    geo->fallback = *value;
    return true;
}

static void make_tree(conf_t *cf, geo_t *geo)
{
    geo->tree = cidr_new(cf->pool);
    VEC_EACH(const geo_net_t, it, &geo->nets) cidr_add(geo->tree, &it->net, it->value);
}

static bool set_geo(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    geo_t *geo = POOL_NEW(cf->pool, geo_t);
    geo->fallback = STR("");
    bool ok = node->n == 2 || text_compile(cf, node, 1, node->words[1].text, &geo->source);
    for (const tree_node_t *line = node->children; line; line = line->next)
        ok = add_line(cf, geo, line) && ok;
    make_tree(cf, geo);
    int index = ok ? var_define_word(cf, node, node->n - 1) : -1;
    if (index < 0) return false;
    var_t *var = var_at(http_conf_read(cf)->vars, (unsigned)index);
    var->get = get_geo;
    var->data = geo;
    return true;
}

static const conf_row_t rows[] = {
    CONF_CUSTOM("geo", CONF_HTTP, CONF_MANY | CONF_BLOCK | CONF_RAW, 1, 2, set_geo, CONF_NO_FIELD,
                NULL, "a variable that depends on an address: geo [ADDRESS] $NAME { NET VALUE; }"),
    CONF_END,
};

const module_t geo_module = {
    .name = "geo",
    .index = &geo_index,
    .rows = rows,
};
