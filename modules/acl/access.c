/*
 * access: allow and deny: which addresses are let in.
 *
 *     allow 10.0.0.0/8; allow 2001:db8::/32; allow unix:; deny all;
 *
 * The first rule that fits the client counts; without one that fits everybody is let in. A block
 * with rules of its own inherits none.
 */
#include "core/base/cidr.h"
#include "http/http.h"
#include "http/request.h"

typedef enum access_whom { ACCESS_NET, ACCESS_UNIX, ACCESS_ALL } access_whom_t;

typedef struct access_rule {
    access_whom_t whom;
    bool deny;
    cidr_t net;
} access_rule_t;

typedef VEC(access_rule_t) access_rules_t;

typedef struct access_conf {
    access_rules_t rules;
} access_conf_t;

static unsigned access_index;

/* --- in a request --- */

static bool fits(const access_rule_t *rule, const net_addr_t *client)
{
    switch (rule->whom) {
    case ACCESS_NET: return cidr_contains(&rule->net, net_bytes_unmapped(client));
    case ACCESS_UNIX: return client->sa.sa_family == AF_UNIX;
    case ACCESS_ALL: break;
    }
    return true;
}

static verdict_t check(request_t *r)
{
    const access_conf_t *c = request_conf(r, access_index);
    VEC_EACH(const access_rule_t, rule, &c->rules)
    {
        if (!fits(rule, &r->client)) continue;
        return rule->deny ? verdict_refuse(403, LOG_ERR, "access forbidden by rule")
                          : VERDICT(GRANT);
    }
    return VERDICT(NEXT);
}

/* --- while the configuration is read --- */

static bool set_rule(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t whom = node->words[1].text;
    access_rule_t rule = {.whom = ACCESS_NET, .deny = row->name[0] == 'd'};
    bool exact = true;
    if (str_eq(whom, STR("all"))) rule.whom = ACCESS_ALL;
    else if (str_eq(whom, STR("unix:"))) rule.whom = ACCESS_UNIX;
    else if (!cidr_parse(whom, &rule.net, &exact))
        return conf_error(cf, node, 1, "for example 10.0.0.0/8, 2001:db8::1, unix:, all",
                          "invalid parameter \"" STR_FMT "\"", STR_ARG(whom));
    if (!exact)
        conf_warn(cf, node, 1, NULL, "low address bits of " STR_FMT " are meaningless",
                  STR_ARG(whom));
    *VEC_PUSH(cf->pool, CONF_AT(row, conf, access_rules_t)) = rule;
    return true;
}

#define CONTEXTS (CONF_HTTP_ALL | CONF_LIMIT_EXCEPT)
#define RULES CONF_FIELD(access_conf_t, rules, access_rules_t)

static const conf_row_t rows[] = {
    CONF_CUSTOM("allow", CONTEXTS, CONF_MANY, 1, 1, set_rule, RULES, NULL,
                "lets clients in: an address, a network, unix:, or all"),
    CONF_CUSTOM("deny", CONTEXTS, CONF_MANY, 1, 1, set_rule, RULES, NULL,
                "keeps clients out: an address, a network, unix:, or all"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_ACCESS] = check}};

const module_t access_module = {
    .name = "access",
    .index = &access_index,
    .rows = rows,
    .conf_size = sizeof(access_conf_t),
    .hooks = &hooks,
};
