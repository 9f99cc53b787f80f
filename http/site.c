#include "http/site.h"

#include <unistd.h>

#include "http/request.h"

site_address_t *site_address_new(pool_t *pool)
{
    site_address_t *address = POOL_NEW(pool, site_address_t);
    address->pool = pool;
    host_map_init(&address->names, pool);
    return address;
}

/* --- building --- */

static bool add_regex(conf_t *cf, site_address_t *address, const tree_node_t *node, unsigned word,
                      str_t source, site_server_t *server)
{
    pattern_t pattern;
    if (source.n == 0) return conf_error(cf, node, word, NULL, "empty regex in server name");
    if (!pattern_compile(cf, node, word, source, true, &pattern)) return false;
    *VEC_PUSH(address->pool, &address->regexes) = (site_regex_name_t){pattern, server};
    return true;
}

/* This machine's name for "$hostname". */
static str_t resolve(pool_t *pool, str_t name)
{
    char host[256] = "";
    if (!str_eq(name, STR("$hostname"))) return pool_lower(pool, name);
    return gethostname(host, sizeof(host) - 1) == 0 ? pool_lower(pool, str_of(host)) : name;
}

bool site_add_name(conf_t *cf, site_address_t *address, const tree_node_t *node, unsigned word,
                   str_t name, site_server_t *server)
{
    if (str_starts(name, STR("~")))
        return add_regex(cf, address, node, word, str_sub(name, 1, name.n), server);
    if (str_find(name, 0, '/') < name.n)
        conf_warn(cf, node, word, NULL, "server name \"" STR_FMT "\" has suspicious symbols",
                  STR_ARG(name));
    switch (host_map_add(&address->names, resolve(address->pool, name), server)) {
    case HOST_MAP_ADDED: break;
    case HOST_MAP_TAKEN:
        conf_warn(cf, node, word, NULL, "conflicting server name \"" STR_FMT "\", ignored",
                  STR_ARG(name));
        break;
    case HOST_MAP_MALFORMED:
        return conf_error(cf, node, word,
                          "for example www.example.org, *.example.org, www.example.*",
                          "invalid server name or wildcard \"" STR_FMT "\"", STR_ARG(name));
    }
    return true;
}

/* --- lookup --- */

static site_server_t *find_regex(const site_address_t *address, str_t host, request_t *r)
{
    VEC_EACH(const site_regex_name_t, entry, &address->regexes)
        if (pattern_match(&entry->pattern, r, host) > 0) return entry->server;
    return NULL;
}

site_server_t *site_find_server(const site_address_t *address, str_t host, request_t *r)
{
    site_server_t *found = host_map_find(&address->names, host);
    if (!found && host.n) found = find_regex(address, host, r);
    return found ? found : address->fallback;
}
