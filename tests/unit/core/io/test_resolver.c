#include "core/io/resolver.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/dns.h"
#include "core/io/loop.h"
#include "tests/unit/core/io/answerer.h"

/* --- the tests run in a fiber --- */

static char hosts_path[] = "/tmp/proxyd_test_resolver.XXXXXX";
static resolver_t *r;
static pool_t *pool;
static void (*body)(void);
static bool over;

static void write_hosts(void)
{
    static const char text[] = "::9 sixfirst.test\n198.51.100.9 sixfirst.test listed.test\n"
                               "2001:db8::9 onlysix.test\n";
    int fd = mkstemp(hosts_path);
    cr_assert_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
}

static resolver_options_t options(void)
{
    return (resolver_options_t){.servers = &answerer_addr, .server_count = 1, .ipv4 = true,
                                .ipv6 = true,
                                .timeout_ms = 10000, .hosts = hosts_path};
}

static void run_body(void *arg)
{
    (void)arg;
    body();
    over = true;
}

static void run(resolver_options_t o, void (*fn)(void))
{
    clock_update();
    cr_assert_eq(loop_open(), 0);
    pool = pool_create();
    r = resolver_new(&o);
    cr_assert_not_null(r);
    body = fn;
    cr_assert_not_null(fiber_start(run_body, NULL));
    while (!over) loop_turn(10);
    resolver_free(r);
    while (fiber_count()) loop_turn(10);
    pool_destroy(pool);
    loop_close();
}

static void setup(void)
{
    answerer_start();
    write_hosts();
}

static void teardown(void)
{
    answerer_stop();
    unlink(hosts_path);
}

TestSuite(resolver, .init = setup, .fini = teardown, .timeout = 180);

static void texts_of(const resolver_answer_t *a, char *all)
{
    char one[NET_TEXT_MAX];
    *all = '\0';
    for (unsigned i = 0; i < a->count; i++) {
        net_format(&a->addrs[i], true, one);
        strcat(strcat(all, one), " ");
    }
}

static resolver_answer_t found(const char *name, const char *addrs)
{
    static char all[RESOLVER_ADDRS_MAX * NET_TEXT_MAX];
    resolver_answer_t a;
    const char *why = "";
    int err = resolver_lookup(r, pool, str_of(name), &a, &why);
    cr_expect_eq(err, 0, "%s: %d %s", name, err, why);
    texts_of(&a, all);
    cr_expect_str_eq(all, addrs, "%s: %s", name, all);
    return a;
}

static void fails(const char *name, int want, const char *text)
{
    resolver_answer_t a;
    const char *why = "";
    int err = resolver_lookup(r, pool, str_of(name), &a, &why);
    cr_expect_eq(err, want, "%s: %d", name, err);
    cr_expect_str_eq(why, text, "%s: %s", name, why);
    cr_expect_eq(a.count, 0);
}

static void finds_both(void)
{
    uint64_t before = clock_ms();
    resolver_answer_t a =
        found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
    cr_expect_geq(a.expires, before + 60000); /* the least TTL */
    cr_expect_leq(a.expires, clock_ms() + 60000);
    found("six.test", "[2001:db8::6]:0 ");
    found("BOTH.Test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
    cr_expect_eq(answerer_served->udp, 4); /* the last from the cache */
    resolver_lookup(r, pool, STR("both.test"), &a, NULL);
    cr_expect_eq(a.count, 3);
}

Test(resolver, finds_addresses_of_both_families)
{
    run(options(), finds_both);
}

static void finds_v4(void)
{
    found("both.test", "192.0.2.1:0 192.0.2.2:0 ");
    fails("six.test", -ENOENT, "3: Host not found");
    cr_expect_eq(answerer_served->udp, 2);
}

Test(resolver, asks_for_ipv4_alone)
{
    resolver_options_t o = options();
    o.ipv6 = false;
    run(o, finds_v4);
}

static void finds_v6(void)
{
    found("both.test", "[2001:db8::3]:0 ");
    found("localhost", "[::1]:0 ");
    found("onlysix.test", "[2001:db8::9]:0 ");
    cr_expect_eq(answerer_served->udp, 1);
}

Test(resolver, asks_for_ipv6_alone)
{
    resolver_options_t o = options();
    o.ipv4 = false;
    run(o, finds_v6);
}

static void follows_chain(void)
{
    uint64_t before = clock_ms();
    resolver_answer_t a = found("chain.test", "192.0.2.7:0 ");
    cr_expect_geq(a.expires, before + 10000);
    cr_expect_leq(a.expires, clock_ms() + 10000);
}

Test(resolver, follows_cnames_and_takes_their_least_ttl)
{
    run(options(), follows_chain);
}

static void bounds_ttl(void)
{
    uint64_t before = clock_ms();
    resolver_answer_t a = found("zero.test", "192.0.2.5:0 ");
    cr_expect(a.expires >= before + 1000 && a.expires <= clock_ms() + 1000);
    before = clock_ms();
    a = found("forever.test", "192.0.2.5:0 ");
    cr_expect(a.expires >= before + 86400000 && a.expires <= clock_ms() + 86400000);
}

Test(resolver, bounds_the_ttl)
{
    run(options(), bounds_ttl);
}

static void asks_again(void)
{
    resolver_answer_t a = found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 "), b;
    cr_expect_leq(a.expires, clock_ms() + 30);
    while (clock_ms() < a.expires) fiber_sleep(5);
    cr_expect_not(resolver_cached(r, pool, STR("both.test"), &b));
    found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
    cr_expect_eq(answerer_served->udp, 4);
    cr_expect(resolver_cached(r, pool, STR("Both.test"), &b));
    cr_expect_eq(b.count, 3);
}

Test(resolver, asks_again_when_the_answer_has_expired)
{
    resolver_options_t o = options();
    o.valid_ms = 30;
    run(o, asks_again);
}

static void tells_failures(void)
{
    resolver_answer_t a;
    fails("nx.test", -ENOENT, "3: Host not found");
    fails("empty.test", -ENOENT, "3: Host not found");
    cr_expect_eq(answerer_served->udp, 4);
    fails("nx.test", -ENOENT, "3: Host not found"); /* remembered */
    cr_expect_eq(answerer_served->udp, 4);
    cr_expect_not(resolver_cached(r, pool, STR("nx.test"), &a));
    fails("broken.test", -EIO, "2: Server failure");
    unsigned asked = answerer_served->udp;
    fails("broken.test", -EIO, "2: Server failure");
    cr_expect_eq(answerer_served->udp, asked);
    fails("refused.test", -EIO, "2: Server failure");
}

Test(resolver, tells_why_a_name_is_not_found)
{
    run(options(), tells_failures);
}

static void gets_nonsense(void)
{
    fails("wrong.test", -ENOENT, "3: Host not found"); /* an address of three bytes is none */
    fails("cut.test", -EIO, "1: Format error");
}

Test(resolver, takes_no_nonsense)
{
    resolver_options_t o = options();
    o.ipv6 = false;
    run(o, gets_nonsense);
}

static void gets_no_answer(void)
{
    fails("silent.test", -ETIMEDOUT, "110: Operation timed out");
    fails("garbage.test", -ETIMEDOUT, "110: Operation timed out");
    found("half.test", "192.0.2.4:0 "); /* one family is better than none */
    found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
}

Test(resolver, does_not_wait_for_ever)
{
    resolver_options_t o = options();
    o.timeout_ms = 600;
    run(o, gets_no_answer);
}

static void finds_services(void)
{
    resolver_services_t s;
    cr_expect_eq(resolver_lookup_services(r, pool, STR("_web._tcp.test"), &s, NULL), 0);
    cr_assert_eq(s.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        const dns_service_t *to = &s.list[i];
        bool one = to->priority == 10;
        cr_expect_str_eq(to->target, one ? "one.test" : "two.test");
        cr_expect_eq(to->weight, one ? 5 : 0);
        cr_expect_eq(to->port, one ? 8080 : 80);
    }
    cr_expect(s.expires > clock_ms() + 25000 && s.expires <= clock_ms() + 30000);
    cr_expect_eq(resolver_lookup_services(r, pool, STR("_big._tcp.test"), &s, NULL), 0);
    cr_expect_eq(answerer_served->tcp, 1);
}

Test(resolver, finds_services)
{
    run(options(), finds_services);
}

static void tells_failures_of_services(void)
{
    resolver_services_t s;
    const char *why;
    cr_expect_eq(resolver_lookup_services(r, pool, STR("nx.test"), &s, &why), -ENOENT);
    cr_expect_str_eq(why, "3: Host not found");
    cr_expect_eq(resolver_lookup_services(r, pool, STR("broken.test"), &s, &why), -EIO);
    cr_expect_eq(resolver_lookup_services(r, pool, STR("_cut._tcp.test"), &s, &why), -EIO);
    cr_expect_eq(resolver_lookup_services(r, pool, STR("both.test"), &s, &why), -ENOENT);
    cr_expect_eq(resolver_lookup_services(r, pool, STR("no name"), &s, &why), -ENOENT);
}

Test(resolver, tells_failures_of_services)
{
    run(options(), tells_failures_of_services);
}

static void gives_up_on_a_service(void)
{
    resolver_services_t s;
    const char *why;
    cr_expect_not(resolver_is_waited_for(r));
    cr_expect_eq(resolver_lookup_services(r, pool, STR("silent.test"), &s, &why), -ETIMEDOUT);
    cr_expect_str_eq(why, "110: Operation timed out");
    cr_expect_not(resolver_is_waited_for(r));
}

Test(resolver, gives_up_on_a_service)
{
    resolver_options_t o = options();
    o.timeout_ms = 150;
    run(o, gives_up_on_a_service);
}

static void gets_big_answer(void)
{
    resolver_answer_t a;
    cr_expect_eq(resolver_lookup(r, pool, STR("big.test"), &a, NULL), 0);
    cr_expect_eq(a.count, RESOLVER_ADDRS_MAX);
    cr_expect_eq(answerer_served->udp, 1);
    cr_expect_eq(answerer_served->tcp, 1);
    for (unsigned i = 0; i < a.count; i++) cr_expect_eq(a.addrs[i].sa.sa_family, AF_INET);
}

Test(resolver, asks_over_tcp_when_the_answer_is_truncated)
{
    resolver_options_t o = options();
    o.ipv6 = false;
    run(o, gets_big_answer);
}

static void answers_locally(void)
{
    found("localhost", "127.0.0.1:0 [::1]:0 ");
    found("LocalHost.", "127.0.0.1:0 [::1]:0 ");
    found("app.localhost", "127.0.0.1:0 [::1]:0 ");
    found("sixfirst.test", "198.51.100.9:0 [::9]:0 ");
    found("Listed.test.", "198.51.100.9:0 ");
    cr_expect_eq(answerer_served->udp, 0);
    resolver_answer_t a;
    cr_expect(resolver_cached(r, pool, STR("listed.test"), &a));
    cr_expect_gt(a.expires, clock_ms());
    cr_expect_not(resolver_cached(r, pool, STR("both.test"), &a));
}

Test(resolver, answers_hosts_and_localhost_itself)
{
    run(options(), answers_locally);
}

static void refuses_names(void)
{
    static const char *const bad[] = {"", ".", "..", ".a", "a..b", "a b", "a/b", "a\\b", "a:80",
                                      "*.test", "\xc3\xa4.test", "[::1]", "a\n", "a%00"};
    char name[300];
    resolver_answer_t none = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        fails(bad[i], -ENOENT, "3: Host not found");
    memset(name, 'x', sizeof(name));
    cr_expect_eq(resolver_lookup(r, pool, str_make(name, 64), &none, NULL), -ENOENT);
    for (size_t i = 1; i < sizeof(name); i += 2) name[i] = '.';
    cr_expect_eq(resolver_lookup(r, pool, str_make(name, 299), &none, NULL), -ENOENT);
    cr_expect_eq(resolver_lookup(r, pool, str_make("a\0b", 3), &none, NULL), -ENOENT);
    cr_expect_eq(answerer_served->udp, 0);
    cr_expect_eq(resolver_lookup(r, pool, str_make(name, 253), &none, NULL), -ENOENT);
    cr_expect_eq(answerer_served->udp, 2); /* long, but a name */
}

Test(resolver, asks_nobody_for_what_is_no_name)
{
    run(options(), refuses_names);
}

/* --- several fibers --- */

static unsigned done_count;
static int last_error;

static void look_up_both(void *arg)
{
    (void)arg;
    found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
    done_count++;
}

static void look_up_silent(void *arg)
{
    resolver_answer_t a;
    (void)arg;
    last_error = resolver_lookup(r, pool, STR("silent.test"), &a, NULL);
    done_count++;
}

static void wait_for_fibers(unsigned n)
{
    while (done_count < n) fiber_sleep(1);
}

static void share(void)
{
    for (int i = 0; i < 20; i++) cr_expect_not_null(fiber_start(look_up_both, NULL));
    wait_for_fibers(20);
    cr_expect_eq(answerer_served->udp, 2);
}

Test(resolver, shares_one_lookup_among_all_who_ask)
{
    run(options(), share);
}

static void cancel(void)
{
    fiber_t *a = fiber_start(look_up_silent, NULL), *b = fiber_start(look_up_silent, NULL);
    fiber_yield();
    fiber_cancel(a, -ECONNABORTED);
    wait_for_fibers(1);
    cr_expect_eq(last_error, -ECONNABORTED);
    fiber_cancel(b, -ECANCELED);
    wait_for_fibers(2);
    cr_expect_eq(last_error, -ECANCELED);
    found("both.test", "192.0.2.1:0 192.0.2.2:0 [2001:db8::3]:0 ");
}

Test(resolver, lets_a_cancelled_fiber_go)
{
    run(options(), cancel);
}

static void close_under_way(void)
{
    cr_expect_not_null(fiber_start(look_up_silent, NULL));
    while (!__atomic_load_n(&answerer_served->udp, __ATOMIC_SEQ_CST)) fiber_sleep(1);
    resolver_free(r);
    r = NULL;
    wait_for_fibers(1);
    cr_expect_eq(last_error, -ECANCELED);
}

Test(resolver, can_be_freed_while_it_is_asked)
{
    run(options(), close_under_way);
}

static void ask_for_many(void)
{
    char name[32];
    for (int i = 0; i < 10050; i++) {
        resolver_answer_t a;
        snprintf(name, sizeof(name), "both.n%d", i);
        pool_t *p = pool_create();
        cr_assert_eq(resolver_lookup(r, p, str_of(name), &a, NULL), 0, "%s", name);
        pool_destroy(p);
    }
    resolver_answer_t a;
    cr_expect_not(resolver_cached(r, pool, STR("both.n0"), &a)); /* the oldest are forgotten */
    cr_expect_not(resolver_cached(r, pool, STR("both.n49"), &a));
    cr_expect(resolver_cached(r, pool, STR("both.n50"), &a));
    cr_expect(resolver_cached(r, pool, STR("both.n10049"), &a));
}

Test(resolver, bounds_its_cache)
{
    resolver_options_t o = options();
    o.ipv6 = false;
    run(o, ask_for_many);
}
