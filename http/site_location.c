/* The locations half of site.h. */
#include "http/request.h"
#include "http/site.h"

/* --- building --- */

static bool set_regex(conf_t *cf, const tree_node_t *node, bool fold_case, site_location_t *l)
{
    l->match = SITE_REGEX;
    return pattern_compile(cf, node, node->n - 1, l->name, fold_case, &l->pattern);
}

static bool set_match(conf_t *cf, const tree_node_t *node, str_t modifier, site_location_t *l)
{
    if (str_eq(modifier, STR("~"))) return set_regex(cf, node, false, l);
    if (str_eq(modifier, STR("~*"))) return set_regex(cf, node, true, l);
    if (str_eq(modifier, STR("="))) l->match = SITE_EXACT;
    else if (str_eq(modifier, STR("^~"))) l->match = SITE_STRONG;
    else
        return conf_error(cf, node, 1, "one of = ^~ ~ ~*",
                          "invalid location modifier \"" STR_FMT "\"", STR_ARG(modifier));
    return true;
}

/* "=/x", "~*x": the modifier written at one with the name. */
static str_t leading_modifier(str_t word)
{
    static const str_t modifiers[] = {STR_INIT("="), STR_INIT("^~"), STR_INIT("~*"), STR_INIT("~")};
    for (size_t i = 0; i < sizeof(modifiers) / sizeof(*modifiers); i++)
        if (str_starts(word, modifiers[i])) return modifiers[i];
    return STR("");
}

static void warn_unreachable(conf_t *cf, const tree_node_t *node, const site_location_t *l)
{
    if (l->match == SITE_REGEX || l->name.n == 0 || l->name.p[0] == '/' ||
        str_eq(l->name, STR("*")))
        return;
    conf_warn(cf, node, node->n - 1, "URIs begin with \"/\"",
              "location \"" STR_FMT "\" never matches", STR_ARG(l->name));
}

bool site_location_parse(conf_t *cf, const tree_node_t *node, site_location_t *out)
{
    str_t modifier = node->n > 2 ? node->words[1].text : leading_modifier(node->words[1].text);
    *out = (site_location_t){
        .name = node->words[node->n - 1].text, .match = SITE_PREFIX, .node = node};
    if (node->n == 2 && str_starts(out->name, STR("@"))) {
        out->match = SITE_NAMED;
        return true;
    }
    if (node->n == 2) out->name = str_sub(out->name, modifier.n, out->name.n);
    if ((node->n > 2 || modifier.n) && !set_match(cf, node, modifier, out)) return false;
    warn_unreachable(cf, node, out);
    return true;
}

static bool say(conf_t *cf, const site_location_t *l, const char *what,
                const site_location_t *other)
{
    str_t of = other ? other->name : STR("");
    const char *quote = other ? "\"" : "";
    return conf_error(cf, l->node, l->node->n - 1, NULL,
                      "location \"" STR_FMT "\" %s%s" STR_FMT "%s", STR_ARG(l->name), what, quote,
                      STR_ARG(of), quote);
}

static bool fits_inside(conf_t *cf, const site_location_t *parent, const site_location_t *l)
{
    if (parent->match == SITE_EXACT)
        return say(cf, l, "cannot be inside the exact location ", parent);
    if (parent->match == SITE_NAMED)
        return say(cf, l, "cannot be inside the named location ", parent);
    if (l->match == SITE_NAMED) return say(cf, l, "can be on the server level only", NULL);
    if (l->match != SITE_REGEX && !str_starts(l->name, parent->name))
        return say(cf, l, "is outside location ", parent);
    return true;
}

static bool say_duplicate(conf_t *cf, const site_location_t *l, const site_location_t *first)
{
    diag_place_t at = first->node->words[0].place;
    str_t hint = at.source
                     ? pool_printf(cf->pool, "the first is at %s:%u", at.source->name, at.line)
                     : STR("");
    return conf_error(cf, l->node, l->node->n - 1, hint.n ? hint.p : NULL,
                      "duplicate location \"" STR_FMT "\"", STR_ARG(l->name));
}

/* The location that stands in the way, or NULL: added. */
static const site_location_t *add(conf_t *cf, site_server_t *server, site_locations_t *siblings,
                                  site_location_t *l)
{
    if (l->match == SITE_NAMED) {
        if (!server->named.pool) hash_map_init(&server->named, cf->pool);
        const site_location_t *first = hash_map_get(&server->named, l->name);
        if (!first) hash_map_set(&server->named, l->name, l);
        return first;
    }
    if (l->match == SITE_REGEX) {
        *VEC_PUSH(cf->pool, &siblings->regexes) = l;
        return NULL;
    }
    if (!siblings->tree) siblings->tree = site_tree_new(cf->pool);
    return site_tree_add(siblings->tree, l->name, l->match == SITE_EXACT, l);
}

bool site_add_location(conf_t *cf, site_server_t *server, site_location_t *parent,
                       site_location_t *location)
{
    site_locations_t *siblings = parent ? &parent->nested : &server->locations;
    if (parent && !fits_inside(cf, parent, location)) return false;
    const site_location_t *first = add(cf, server, siblings, location);
    if (first) return say_duplicate(cf, location, first);
    *VEC_PUSH(cf->pool, &siblings->all) = location;
    return true;
}

/* --- lookup --- */

typedef struct search {
    request_t *r;
    str_t uri;
    const site_location_t *found, *redirect;
} search_t;

static bool find(search_t *s, const site_locations_t *level);

static bool find_regex(search_t *s, const site_locations_t *level)
{
    for (uint32_t i = 0; i < level->regexes.n; i++) {
        const site_location_t *l = level->regexes.v[i];
        int rc = pattern_match(&l->pattern, s->r, s->uri);
        if (rc == 0) continue;
        s->found = l;
        if (rc > 0) find(s, &l->nested);
        return true;
    }
    return false;
}

/*
 * What one level and the levels below it say. True: this is it. False: s->found is the longest
 * prefix so far, over which the regular expressions of the levels above may still win.
 */
static bool find(search_t *s, const site_locations_t *level)
{
    site_hit_t hit = site_tree_find(level->tree, s->uri);
    if (hit.exact) {
        s->found = hit.exact;
        return true;
    }
    if (!s->redirect) s->redirect = hit.slash;
    if (hit.prefix) {
        s->found = hit.prefix;
        if (find(s, &hit.prefix->nested)) return true;
        if (hit.prefix->match == SITE_STRONG) return false;
    }
    return find_regex(s, level);
}

const site_location_t *site_find_location(const site_server_t *server, str_t uri, request_t *r,
                                          const site_location_t **redirect)
{
    search_t s = {.r = r, .uri = uri};
    find(&s, &server->locations);
    if (redirect && s.redirect) *redirect = s.redirect;
    return s.found;
}
