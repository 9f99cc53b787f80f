#include "modules/upstream/proxy_fields.h"

#include <criterion/criterion.h>

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(proxy_fields, .init = setup, .fini = teardown);

static bool hides(const proxy_names_t *set, const char *name)
{
    header_t h = {.name = str_of(name), .value = STR("x"), .id = header_id(str_of(name))};
    return proxy_names_has(set, &h);
}

Test(proxy_fields, hides_of_responses_what_nginx_hides)
{
    proxy_names_t set;
    conf_strs_t nothing = {0};
    proxy_fields_hidden(pool, &nothing, &nothing, &set);
    cr_expect(hides(&set, "X-Accel-Redirect"));
    cr_expect(hides(&set, "x-accel-buffering"));
    cr_expect(hides(&set, "X-Pad"));
    cr_expect(hides(&set, "Transfer-Encoding"));
    cr_expect(hides(&set, "Connection"));
    cr_expect(hides(&set, "Keep-Alive"));
    cr_expect_not(hides(&set, "Set-Cookie"));
    cr_expect_not(hides(&set, "X-Other"));
}

Test(proxy_fields, hides_and_shows_as_told)
{
    proxy_names_t set;
    conf_strs_t hide = {0}, show = {0};
    *VEC_PUSH(pool, &hide) = STR("x-powered-by");
    *VEC_PUSH(pool, &hide) = STR("X-Runtime");
    *VEC_PUSH(pool, &show) = STR("x-accel-redirect");
    *VEC_PUSH(pool, &show) = STR("Connection");
    proxy_fields_hidden(pool, &hide, &show, &set);
    cr_expect(hides(&set, "X-Powered-By"));
    cr_expect(hides(&set, "x-runtime"));
    cr_expect_not(hides(&set, "X-Runtimes"));
    cr_expect_not(hides(&set, "X-Accel-Redirect"));
    cr_expect(hides(&set, "Connection"), "never, whatever is asked for");
}

Test(proxy_fields, reads_what_connection_names)
{
    header_list_t list;
    header_list_init(&list, pool);
    header_add(&list, STR("Connection"), STR("keep-alive, X-A"));
    header_add(&list, STR("X-A"), STR("1"));
    header_add(&list, STR("connection"), STR("close,,accept , upgrade"));
    proxy_names_t set = proxy_names_of_connection(pool, &list);
    cr_expect(hides(&set, "x-a"));
    cr_expect(hides(&set, "Accept"));
    cr_expect_not(hides(&set, "Keep-Alive"));
    cr_expect_not(hides(&set, "X-B"));
}
