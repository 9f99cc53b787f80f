#include "modules/upstream/proxy_names.h"

static bool is_option(str_t token)
{
    return str_ieq(token, STR("keep-alive")) || str_ieq(token, STR("close")) ||
           str_ieq(token, STR("upgrade"));
}

proxy_names_t proxy_names_of_connection(pool_t *pool, const header_list_t *list)
{
    proxy_names_t set = {.ids = {0}};
    const header_t *h = header_get(list, HEADER_CONNECTION);
    for (; h; h = header_next(list, HEADER_CONNECTION, h)) {
        str_t rest = h->value, token;
        while (header_element(&rest, &token))
            if (!is_option(token)) proxy_names_add(pool, &set, token);
    }
    return set;
}
