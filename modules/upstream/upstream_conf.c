/* upstream_conf: the directives of and inside upstream { }. */
#include "http/http.h"
#include "modules/upstream/state_file.h"
#include "modules/upstream/sticky_conf.h"

/* --- servers --- */

static bool set_server(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    upstream_conf_t *c = conf;
    upstream_server_t s;
    if (!server_line_read(cf, node, &s)) return false;
    *VEC_PUSH(cf->pool, &c->servers) = s;
    return true;
}

/* --- the balancing methods --- */

static upstream_policy_t *set_method(conf_t *cf, const tree_node_t *node, void *conf,
                                     upstream_method_t method)
{
    upstream_policy_t *p = &((upstream_conf_t *)conf)->policy;
    if (p->given) conf_warn(cf, node, 0, "keep one of them", "load balancing method redefined");
    p->given = true;
    p->method = method;
    p->by_time = p->until_header = false;
    p->bound = 0;
    return p;
}

static bool set_least_conn(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    set_method(cf, node, conf, UPSTREAM_LEAST_CONN);
    return true;
}

static bool set_ip_hash(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    set_method(cf, node, conf, UPSTREAM_IP_HASH);
    return true;
}

static bool set_least_time(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    str_t until = node->words[1].text;
    upstream_policy_t *p = set_method(cf, node, conf, UPSTREAM_LEAST_TIME);
    p->by_time = true;
    p->until_header = str_eq(until, STR("header"));
    if (p->until_header || str_eq(until, STR("last_byte"))) return true;
    return conf_error(cf, node, 1, "header or last_byte", "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(until));
}

static bool set_random(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    str_t two = node->n > 1 ? node->words[1].text : STR("");
    str_t by = node->n > 2 ? node->words[2].text : STR("least_conn");
    upstream_policy_t *p = set_method(cf, node, conf, two.n ? UPSTREAM_RANDOM_TWO
                                                            : UPSTREAM_RANDOM);
    if (two.n && !str_eq(two, STR("two")))
        return conf_error(cf, node, 1, "random two", "invalid parameter \"" STR_FMT "\"",
                          STR_ARG(two));
    if (str_eq(by, STR("least_conn"))) return true;
    p->by_time = true;
    p->until_header = str_eq(by, STR("least_time=header"));
    if (p->until_header || str_eq(by, STR("least_time=last_byte")) || str_eq(by, STR("least_time")))
        return true;
    return conf_error(cf, node, 2, "least_conn, least_time=header or least_time=last_byte",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(by));
}

/* "1.25" in percent. */
static bool set_bound(conf_t *cf, const tree_node_t *node, unsigned word, str_t text, unsigned *out)
{
    uint64_t whole, part = 0;
    size_t dot = str_find(text, 0, '.');
    str_t rest = str_sub(text, dot < text.n ? dot + 1 : dot, text.n);
    bool good = str_to_u64(str_sub(text, 0, dot), &whole) && whole >= 1 && whole <= 100 &&
                rest.n <= 2 && (dot == text.n || (rest.n && str_to_u64(rest, &part)));
    *out = good ? (unsigned)(whole * 100 + (rest.n == 1 ? part * 10 : part)) : 0;
    if (*out > 100) return true;
    return conf_error(cf, node, word, "more than 1, at most 100, for example bounded=1.25",
                      "invalid bound \"" STR_FMT "\"", STR_ARG(text));
}

static bool set_hash(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    str_t value;
    upstream_policy_t *p = set_method(cf, node, conf, UPSTREAM_HASH);
    if (!text_compile(cf, node, 1, node->words[1].text, &p->key)) return false;
    for (unsigned i = 2; i < node->n; i++) {
        str_t word = node->words[i].text;
        if (i == 2 && str_eq(word, STR("consistent"))) p->method = UPSTREAM_RING;
        else if (i == 3 && value_keyed(word, "bounded", &value)) {
            if (!set_bound(cf, node, i, value, &p->bound)) return false;
        } else {
            return conf_error(cf, node, i, "hash KEY consistent bounded=1.25",
                              "invalid parameter \"" STR_FMT "\"", STR_ARG(word));
        }
    }
    return true;
}

/* --- queue, outliers, zone --- */

static bool set_queue(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    str_t value;
    upstream_policy_t *p = &((upstream_conf_t *)conf)->policy;
    p->queue_timeout = 60 * 1000;
    if (!conf_number(cf, node, 1, node->words[1].text, 1, UINT_MAX, &p->queue)) return false;
    if (node->n < 3) return true;
    if (value_keyed(node->words[2].text, "timeout", &value))
        return conf_msec(cf, node, 2, value, &p->queue_timeout);
    return conf_error(cf, node, 2, "queue 100 timeout=70s", "invalid parameter \"" STR_FMT "\"",
                      STR_ARG(node->words[2].text));
}

static bool set_outlier_word(conf_t *cf, const tree_node_t *node, unsigned word,
                             upstream_policy_t *p)
{
    str_t text = node->words[word].text, value;
    if (value_keyed(text, "min", &value))
        return conf_msec(cf, node, word, value, &p->outlier_least);
    if (value_keyed(text, "time", &value))
        return conf_msec(cf, node, word, value, &p->outlier_time);
    if (value_keyed(text, "max_ejected", &value))
        return conf_number(cf, node, word, value, 1, 100, &p->outlier_share);
    return conf_error(cf, node, word, "eject_outliers 5 min=100ms time=30s max_ejected=50",
                      "invalid parameter \"" STR_FMT "\"", STR_ARG(text));
}

static bool set_outliers(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    enum { FACTOR_MOST = 1000 };
    (void)row;
    upstream_policy_t *p = &((upstream_conf_t *)conf)->policy;
    p->outlier_least = 100;
    p->outlier_time = 30 * 1000;
    p->outlier_share = 50;
    if (!conf_number(cf, node, 1, node->words[1].text, 2, FACTOR_MOST, &p->outlier_factor))
        return false;
    for (unsigned i = 2; i < node->n; i++)
        if (!set_outlier_word(cf, node, i, p)) return false;
    return true;
}

/* Every group has a zone of its own, of the right size. */
static bool set_zone(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row, (void)conf;
    size_t size;
    return node->n < 3 || conf_size(cf, node, 2, node->words[2].text, ZONE_SIZE_MIN, 0, &size);
}

/* --- keepalive and the block --- */

static bool set_keepalive(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    upstream_conf_t *c = conf;
    (void)row;
    if (node->n > 2 && !str_eq(node->words[2].text, STR("local")))
        return conf_error(cf, node, 2, "keepalive 32", "invalid parameter \"" STR_FMT "\"",
                          STR_ARG(node->words[2].text));
    return conf_number(cf, node, 1, node->words[1].text, 0, 0, &c->keepalive.keep);
}

static bool set_upstream(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    (void)row;
    upstream_groups_t *groups = ((upstream_conf_t *)conf)->groups;
    conf_scope_t *scope = conf_block(cf, node, CONF_UPSTREAM, false);
    if (!scope) return false;
    upstream_t *g = upstream_group_new(cf, node, conf_get(scope, &upstream_module));
    if (!g) return false;
    g->http = http_conf(scope->structs);
    if (g->state.n) state_file_read(cf, node, g);
    *VEC_PUSH(cf->pool, &groups->all) = g;
    if (!hash_map_set(&groups->by_name, pool_lower(cf->pool, g->name), g)) return true;
    return conf_error(cf, node, 1, NULL, "duplicate upstream \"" STR_FMT "\"", STR_ARG(g->name));
}

#define CONF upstream_conf_t
#define YEAR (365ull * 24 * 3600 * 1000)
#define METHOD(name, min, max, set, help) \
    CONF_CUSTOM(name, CONF_UPSTREAM, 0, min, max, set, CONF_NO_FIELD, NULL, help)

const conf_row_t upstream_conf_rows[] = {
    CONF_CUSTOM("upstream", CONF_HTTP, CONF_BLOCK | CONF_MANY, 1, 1, set_upstream, CONF_NO_FIELD,
                NULL, "a group of origins to share the load"),
    CONF_CUSTOM("server", CONF_UPSTREAM, CONF_MANY, 1, UINT_MAX, set_server,
                CONF_FIELD(CONF, servers, __typeof__(((CONF *)0)->servers)), NULL,
                "an origin: ADDRESS [weight=N] [max_conns=N] [max_fails=N] [fail_timeout=TIME] "
                "[slow_start=TIME] [route=NAME] [backup] [down] [drain]"),
    METHOD("least_conn", 0, 0, set_least_conn,
           "the origin with the fewest exchanges in flight for its weight, of all workers"),
    METHOD("random", 0, 2, set_random,
           "an origin by chance; the better of two: random two [least_conn | least_time=header]"),
    METHOD("least_time", 1, 1, set_least_time,
           "of two origins by chance the one that answers sooner: header or last_byte"),
    METHOD("hash", 1, 3, set_hash,
           "the origin that a key leads to: hash KEY [consistent [bounded=1.25]]"),
    METHOD("ip_hash", 0, 0, set_ip_hash,
           "the origin that the client's network (IPv4: its first three bytes) leads to"),
    METHOD("sticky", 1, UINT_MAX, sticky_conf_set,
           "clients keep their server: sticky cookie NAME [expires= domain= path= samesite= "
           "secret= httponly secure], sticky route $var..., sticky learn create= lookup= zone= "
           "[timeout=]"),
    METHOD("queue", 1, 2, set_queue,
           "requests of each worker that wait while all origins have max_conns: queue N "
           "[timeout=60s]"),
    METHOD("eject_outliers", 1, 4, set_outliers,
           "origins this many times slower than the median are out for a while: eject_outliers N "
           "[min=100ms] [time=30s] [max_ejected=50]"),
    CONF_PATH("state", CONF_UPSTREAM, CONF, state, NULL,
              "a file that keeps what is changed at run time (proxyd ctl upstream); the workers "
              "write it and its directory"),
    METHOD("zone", 1, 2, set_zone,
           "accepted for compatibility: the workers share each group's state anyway"),
    CONF_CUSTOM("keepalive", CONF_UPSTREAM, 0, 1, 2, set_keepalive,
                CONF_FIELD(CONF, keepalive.keep, unsigned), "64",
                "idle connections to the group's origins that each worker keeps (unless told, at "
                "least two for each of them); 0: none"),
    CONF_NUMBER("keepalive_requests", CONF_UPSTREAM, CONF, keepalive.requests, "10000", 1, UINT_MAX,
                "requests on one connection to an origin"),
    CONF_MSEC("keepalive_time", CONF_UPSTREAM, CONF, keepalive.time, "1h", 1, YEAR,
              "the age from which a connection to an origin is closed after a request"),
    CONF_MSEC("keepalive_timeout", CONF_UPSTREAM, CONF, keepalive.timeout, "60s", 1, YEAR,
              "how long a connection to an origin may be idle"),
    CONF_END,
};
