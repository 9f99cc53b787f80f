#include "http/site.h"

#include <unistd.h>

#include "http/request.h"

/* A longer host is no DNS name: wildcards, which cost a lookup per label, are not for it. */
enum { HOST_MAX = 255 };

site_address_t *site_address_new(pool_t *pool)
{
    site_address_t *address = POOL_NEW(pool, site_address_t);
    address->pool = pool;
    hash_map_init(&address->exact, pool);
    hash_map_init(&address->leading, pool);
    hash_map_init(&address->trailing, pool);
    return address;
}

/* --- building --- */

typedef struct adder {
    conf_t *cf;
    site_address_t *address;
    const tree_node_t *node;
    unsigned word;
    str_t name;            /* as written */
    site_server_t *server;
} adder_t;

static bool claim(const adder_t *a, hash_map_t *map, str_t key)
{
    if (!hash_map_get(map, key)) hash_map_set(map, key, a->server);
    else
        conf_warn(a->cf, a->node, a->word, NULL, "conflicting server name \"" STR_FMT "\", ignored",
                  STR_ARG(a->name));
    return true;
}

static bool add_regex(const adder_t *a)
{
    str_t source = str_sub(a->name, 1, a->name.n);
    site_regex_name_t *entry = VEC_PUSH(a->address->pool, &a->address->regexes);
    entry->server = a->server;
    if (source.n && pattern_compile(a->cf, a->node, a->word, source, true, &entry->pattern))
        return true;
    a->address->regexes.n--;
    return source.n ? false
                    : conf_error(a->cf, a->node, a->word, NULL,
                                 "empty regex in server name \"" STR_FMT "\"", STR_ARG(a->name));
}

static bool add_hostname(const adder_t *a)
{
    char host[HOST_MAX + 1] = "";
    if (gethostname(host, HOST_MAX) != 0)
        return conf_error(a->cf, a->node, a->word, NULL, "gethostname() failed");
    return claim(a, &a->address->exact, pool_lower(a->address->pool, str_of(host)));
}

/* "*" anywhere but before a first or behind a last dot. */
static bool is_malformed(str_t name)
{
    size_t star = str_find(name, 0, '*');
    if (star == name.n) return str_eq(name, STR(".")) || str_search(name, STR("..")) < name.n;
    if (str_find(name, star + 1, '*') < name.n || name.n < 3) return true;
    return !(star == 0 && name.p[1] == '.') && !(star == name.n - 1 && name.p[star - 1] == '.');
}

bool site_add_name(conf_t *cf, site_address_t *address, const tree_node_t *node, unsigned word,
                   str_t name, site_server_t *server)
{
    adder_t a = {cf, address, node, word, name, server};
    if (str_starts(name, STR("~"))) return add_regex(&a);
    if (str_eq(name, STR("$hostname"))) return add_hostname(&a);
    if (is_malformed(name))
        return conf_error(cf, node, word, "for example www.example.org, *.example.org, www.example.*",
                          "invalid server name or wildcard \"" STR_FMT "\"", STR_ARG(name));
    if (str_find(name, 0, '/') < name.n)
        conf_warn(cf, node, word, NULL, "server name \"" STR_FMT "\" has suspicious symbols",
                  STR_ARG(name));
    name = pool_lower(address->pool, name);
    if (str_starts(name, STR("*."))) return claim(&a, &address->leading, str_sub(name, 2, name.n));
    if (str_ends(name, STR(".*"))) return claim(&a, &address->trailing, str_sub(name, 0, name.n - 2));
    if (!str_starts(name, STR("."))) return claim(&a, &address->exact, name);
    name = str_sub(name, 1, name.n);
    return claim(&a, &address->leading, name) && claim(&a, &address->exact, name);
}

/* --- lookup --- */

/* The longest "*.domain": what follows the first dot, then the second, ... */
static site_server_t *find_leading(const site_address_t *address, str_t host)
{
    if (!address->leading.count) return NULL;
    for (size_t dot = str_find(host, 0, '.'); dot < host.n; dot = str_find(host, dot + 1, '.')) {
        site_server_t *found = hash_map_get(&address->leading, str_sub(host, dot + 1, host.n));
        if (found) return found;
    }
    return NULL;
}

/* The longest "name.*": what stands before the last dot, then the one before it, ... */
static site_server_t *find_trailing(const site_address_t *address, str_t host)
{
    for (size_t n = address->trailing.count ? host.n : 0; n > 0; n--) {
        if (host.p[n - 1] != '.') continue;
        site_server_t *found = hash_map_get(&address->trailing, str_sub(host, 0, n - 1));
        if (found) return found;
    }
    return NULL;
}

static site_server_t *find_regex(const site_address_t *address, str_t host, request_t *r)
{
    VEC_EACH(const site_regex_name_t, entry, &address->regexes)
        if (pattern_match(&entry->pattern, r, host) > 0) return entry->server;
    return NULL;
}

site_server_t *site_find_server(const site_address_t *address, str_t host, request_t *r)
{
    site_server_t *found = hash_map_get(&address->exact, host);
    if (!found && host.n <= HOST_MAX) found = find_leading(address, host);
    if (!found && host.n <= HOST_MAX) found = find_trailing(address, host);
    if (!found && host.n) found = find_regex(address, host, r);
    return found ? found : address->fallback;
}
