#include "modules/ssl/ssl_loaded.h"

#include <criterion/criterion.h>
#include <openssl/x509.h>

static ssl_loaded_t *make(unsigned most)
{
    return ssl_loaded_new(pool_create(), (ssl_loaded_limits_t){most, 1000, 300});
}

static str_t name_of(pool_t *pool, unsigned i)
{
    return pool_printf(pool, "/etc/%u.pem\n/etc/%u.key", i, i);
}

/* The certificate is told by its address. */
static X509 *keep(ssl_loaded_t *l, str_t name, uint64_t now)
{
    tls_identity_t id = {.cert = X509_new()};
    ssl_loaded_keep(l, name, &id, now);
    return id.cert;
}

static X509 *find(ssl_loaded_t *l, str_t name, uint64_t now)
{
    const tls_identity_t *id = ssl_loaded_find(l, name, now);
    return id ? id->cert : NULL;
}

Test(ssl_loaded, the_longest_unused_makes_room)
{
    ssl_loaded_t *l = make(2);
    X509 *a = keep(l, STR("a"), 0), *b = keep(l, STR("b"), 1);
    cr_expect_eq(find(l, STR("a"), 2), a);
    X509 *c = keep(l, STR("c"), 3);
    cr_expect_eq(ssl_loaded_count(l), 2);
    cr_expect_eq(find(l, STR("a"), 4), a);
    cr_expect_eq(find(l, STR("c"), 4), c);
    cr_expect_null(find(l, STR("b"), 4));
    (void)b;
}

Test(ssl_loaded, another_of_the_same_name_takes_its_place)
{
    ssl_loaded_t *l = make(2);
    keep(l, STR("a"), 0);
    X509 *b = keep(l, STR("b"), 0), *a = keep(l, STR("a"), 900);
    cr_expect_eq(ssl_loaded_count(l), 2);
    cr_expect_eq(find(l, STR("a"), 901), a);
    cr_expect_null(find(l, STR("b"), 901));
    (void)b;
}

Test(ssl_loaded, is_read_again_in_time_however_often_it_is_used)
{
    ssl_loaded_t *l = make(2);
    X509 *a = keep(l, STR("a"), 5000);
    for (uint64_t t = 5000; t < 6000; t += 100) cr_expect_eq(find(l, STR("a"), t), a);
    cr_expect_null(find(l, STR("a"), 6000));
    cr_expect_eq(ssl_loaded_count(l), 0);
}

Test(ssl_loaded, what_nobody_asks_for_goes)
{
    ssl_loaded_t *l = make(9);
    keep(l, STR("a"), 0);
    keep(l, STR("b"), 0);
    X509 *c = keep(l, STR("c"), 200);
    cr_expect_eq(find(l, STR("c"), 300), c);
    cr_expect_eq(ssl_loaded_count(l), 1);
    cr_expect_null(find(l, STR("a"), 300));
}

Test(ssl_loaded, many)
{
    enum { MOST = 10000, NAMES = 3 * MOST };
    pool_t *pool = pool_create();
    ssl_loaded_t *l = make(MOST);
    static X509 *certs[NAMES];
    for (unsigned i = 0; i < NAMES; i++) certs[i] = keep(l, name_of(pool, i), 0);
    cr_expect_eq(ssl_loaded_count(l), MOST);
    for (unsigned i = 0; i < NAMES; i++) {
        X509 *found = find(l, name_of(pool, i), 1);
        cr_assert_eq(found, i < NAMES - MOST ? NULL : certs[i], "%u", i);
    }
    find(l, STR(""), 1000);
    cr_expect_eq(ssl_loaded_count(l), 0);
    pool_destroy(pool);
}
