#include "tests/unit/modules/cache/tables.h"

#include <stdlib.h>

#include "core/base/clock.h"

pool_t *tables_pool;

void tables_begin(void)
{
    tables_pool = pool_create();
}

void tables_end(void)
{
    pool_destroy(tables_pool);
}

/* text with every "$+N" and "$-N" as a date. */
static str_t with_dates(const char *text)
{
    str_t out = STR("");
    for (;;) {
        str_t rest = str_of(text);
        size_t at = str_find(rest, 0, '$');
        out = pool_concat(tables_pool, out, str_sub(rest, 0, at));
        if (at == rest.n) return out;
        char date[CLOCK_HTTP_DATE_LEN], *end;
        clock_put_http_date(date, NOW + (time_t)strtol(text + at + 1, &end, 10));
        out = pool_concat(tables_pool, out, str_make(date, sizeof(date)));
        text = end;
    }
}

header_list_t tables_fields(const char *text)
{
    header_list_t list;
    str_t rest = with_dates(text), line;
    header_list_init(&list, tables_pool);
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        header_add(&list, str_sub(line, 0, colon), str_trim(str_sub(line, colon + 1, line.n)));
    }
    return list;
}

cache_control_t tables_response(const header_list_t *fields)
{
    cache_control_t cc;
    cache_control_response(tables_pool, fields, cache_control_targets, 1, &cc);
    return cc;
}

cache_control_t tables_request(const header_list_t *fields)
{
    cache_control_t cc;
    cache_control_request(tables_pool, fields, &cc);
    return cc;
}
