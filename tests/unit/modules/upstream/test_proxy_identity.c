#include "modules/upstream/proxy_identity.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include "core/base/clock.h"

static pool_t *pool;
static proxy_identities_t *all;

static void setup(void)
{
    pool = pool_create();
    clock_set(1000 * 1000, 0);
    all = proxy_identities_new(pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(proxy_identity, .init = setup, .fini = teardown);

static SSL_CTX *keep(const char *name)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    proxy_identities_keep(all, str_of(name), ctx);
    return ctx;
}

Test(proxy_identity, finds_what_was_kept)
{
    cr_expect_null(proxy_identities_find(all, STR("a")));
    SSL_CTX *a = keep("a"), *b = keep("b");
    cr_expect_eq(proxy_identities_find(all, STR("a")), a);
    cr_expect_eq(proxy_identities_find(all, STR("b")), b);
    cr_expect_null(proxy_identities_find(all, STR("aa")));
}

Test(proxy_identity, files_are_looked_at_anew_now_and_then)
{
    SSL_CTX *a = keep("a");
    clock_set(clock_ms() + PROXY_IDENTITY_MS - 1, 0);
    cr_expect_eq(proxy_identities_find(all, STR("a")), a);
    clock_set(clock_ms() + 1, 0);
    cr_expect_null(proxy_identities_find(all, STR("a")));
    a = keep("a");
    cr_expect_eq(proxy_identities_find(all, STR("a")), a);
}

Test(proxy_identity, who_was_not_asked_for_gives_way)
{
    char name[2] = "";
    for (int i = 0; i < PROXY_IDENTITIES; i++) {
        clock_set(clock_ms() + 1, 0);
        name[0] = (char)('0' + i);
        keep(name);
    }
    clock_set(clock_ms() + 1, 0);
    cr_expect(proxy_identities_find(all, STR("0")));
    keep("another");
    cr_expect(proxy_identities_find(all, STR("0")));
    cr_expect_null(proxy_identities_find(all, STR("1")));
    cr_expect(proxy_identities_find(all, STR("2")));
    cr_expect(proxy_identities_find(all, STR("another")));
}
