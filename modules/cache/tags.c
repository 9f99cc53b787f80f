#include "modules/cache/tags.h"

static bool parts_tags(char c)
{
    return c == ' ' || c == ',' || c == '\t';
}

static unsigned add_tags(str_t list, str_t *tags, unsigned n,
                         unsigned most)
{
    for (size_t at = 0, end; at < list.n && n < most; at = end) {
        while (at < list.n && parts_tags(list.p[at])) at++;
        for (end = at; end < list.n && !parts_tags(list.p[end]);) end++;
        if (end > at) tags[n++] = str_sub(list, at, end);
    }
    return n;
}

unsigned tags_find(const header_list_t *headers, str_t *tags, unsigned most)
{
    static const str_t names[] = {STR_INIT("Surrogate-Key"), STR_INIT("Cache-Tag"),
                                  STR_INIT("xkey")};
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const header_t *h = NULL;
        while ((h = header_next_named(headers, names[i], h))) n = add_tags(h->value, tags, n, most);
    }
    return n;
}
