#include "http/host_map.h"

/* A longer host is no DNS name: wildcards, which cost a lookup per label, are not for it. */
enum { HOST_MAX = 255 };

void host_map_init(host_map_t *map, pool_t *pool)
{
    hash_map_init(&map->exact, pool);
    hash_map_init(&map->leading, pool);
    hash_map_init(&map->trailing, pool);
}

/* "*" anywhere but before a first or behind a last dot; an empty label inside. */
static bool is_malformed(str_t name)
{
    size_t star = str_find(name, 0, '*');
    if (str_eq(name, STR(".")) || str_search(name, STR("..")) < name.n) return true;
    if (star == name.n) return false;
    if (str_find(name, star + 1, '*') < name.n || name.n < 3) return true;
    return !(star == 0 && name.p[1] == '.') &&
           !(star == name.n - 1 && name.p[star - 1] == '.' && name.p[0] != '.');
}

static host_map_result_t claim(hash_map_t *map, str_t key, void *value)
{
    if (hash_map_get(map, key)) return HOST_MAP_TAKEN;
    hash_map_set(map, key, value);
    return HOST_MAP_ADDED;
}

host_map_result_t host_map_add(host_map_t *map, str_t name, void *value)
{
    if (is_malformed(name)) return HOST_MAP_MALFORMED;
    if (str_starts(name, STR("*."))) return claim(&map->leading, str_sub(name, 2, name.n), value);
    if (str_ends(name, STR(".*")))
        return claim(&map->trailing, str_sub(name, 0, name.n - 2), value);
    if (!str_starts(name, STR("."))) return claim(&map->exact, name, value);
    name = str_sub(name, 1, name.n);
    host_map_result_t leading = claim(&map->leading, name, value);
    host_map_result_t exact = claim(&map->exact, name, value);
    return leading == HOST_MAP_ADDED ? exact : leading;
}

/* What follows the first dot, then the second, ... */
static void *find_leading(const hash_map_t *map, str_t host)
{
    if (!map->count) return NULL;
    for (size_t dot = str_find(host, 0, '.'); dot < host.n; dot = str_find(host, dot + 1, '.')) {
        void *found = hash_map_get(map, str_sub(host, dot + 1, host.n));
        if (found) return found;
    }
    return NULL;
}

/* What stands before the last dot, then before the one in front of it, ... */
static void *find_trailing(const hash_map_t *map, str_t host)
{
    for (size_t n = map->count ? host.n : 0; n > 0; n--) {
        if (host.p[n - 1] != '.') continue;
        void *found = hash_map_get(map, str_sub(host, 0, n - 1));
        if (found) return found;
    }
    return NULL;
}

void *host_map_find(const host_map_t *map, str_t host)
{
    void *found = hash_map_get(&map->exact, host);
    if (!found && host.n <= HOST_MAX) found = find_leading(&map->leading, host);
    if (!found && host.n <= HOST_MAX) found = find_trailing(&map->trailing, host);
    return found;
}
