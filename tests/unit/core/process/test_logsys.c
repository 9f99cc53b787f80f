#include <criterion/criterion.h>

#include "core/base/log.h"
#include "core/process/logsys.h"

static pool_t *pool;

static void setup(void)
{
    pool = pool_create();
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(logsys, .init = setup, .fini = teardown);

static const char *parse(const char *text, logsys_t *out)
{
    return logsys_parse(pool, str_of(text), out);
}

Test(logsys, knows_its_parameter)
{
    cr_assert(logsys_is(STR("syslog:server=127.0.0.1")));
    cr_assert_not(logsys_is(STR("logs/syslog:1")));
}

Test(logsys, defaults)
{
    logsys_t s;
    cr_assert_null(parse("syslog:server=192.0.2.7", &s));
    cr_assert_eq(net_port(&s.server), 514);
    cr_assert_eq(s.facility, LOG_LOCAL7 >> 3);
    cr_assert_eq(s.severity, LOG_INFO);
    cr_assert(str_eq(s.tag, STR("proxyd")));
    cr_assert(s.hostname);
}

Test(logsys, everything_given)
{
    logsys_t s;
    cr_assert_null(parse("syslog:server=[::1]:1514,facility=authpriv,severity=crit,tag=a_1,"
                         "nohostname", &s));
    cr_assert_eq(net_port(&s.server), 1514);
    cr_assert_eq(s.server.sa.sa_family, AF_INET6);
    cr_assert_eq(s.facility, LOG_AUTHPRIV >> 3);
    cr_assert_eq(s.severity, LOG_CRIT);
    cr_assert(str_eq(s.tag, STR("a_1")));
    cr_assert_str_eq(logsys_head(pool, &s), "a_1: ");
}

Test(logsys, facilities_have_the_numbers_of_rfc_3164)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"kern", 0}, {"user", 1}, {"syslog", -1}, {"lpr", 6}, {"cron", 15},
                 {"ftp", 11}, {"local0", 16}, {"local7", 23}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        logsys_t s;
        str_t text = pool_printf(pool, "syslog:server=127.0.0.1,facility=%s", known[i].name);
        const char *why = logsys_parse(pool, text, &s);
        cr_assert_eq(why == NULL, known[i].number >= 0, "%s", known[i].name);
        if (!why) cr_assert_eq(s.facility, known[i].number, "%s", known[i].name);
    }
}

Test(logsys, unix_sockets_and_the_host_name)
{
    logsys_t s;
    cr_assert_null(parse("syslog:server=unix:/dev/log", &s));
    cr_assert_eq(s.server.sa.sa_family, AF_UNIX);
    cr_assert_str_eq(s.server.un.sun_path, "/dev/log");
    str_t head = str_of(logsys_head(pool, &s));
    cr_assert(str_ends(head, STR(" proxyd: ")) && head.n > STR(" proxyd: ").n);
}

Test(logsys, what_is_wrong)
{
    static const char *const texts[][2] = {
        {"syslog:", "no syslog server specified"},
        {"syslog:tag=x", "no syslog server specified"},
        {"syslog:server=127.0.0.1,facility=none", "unknown syslog facility \"none\""},
        {"syslog:server=127.0.0.1,severity=loud", "unknown syslog severity \"loud\""},
        {"syslog:server=127.0.0.1,colour=red", "unknown syslog parameter \"colour=red\""},
        {"syslog:server=127.0.0.1,tag=", "a syslog tag has 1 to 32 characters"},
        {"syslog:server=127.0.0.1,tag=a-b",
         "only letters, digits and underscores may stand in syslog tag \"a-b\""},
        {"syslog:server=127.0.0.1:99999", "host not found in syslog server \"127.0.0.1:99999\""},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        logsys_t s;
        const char *why = parse(texts[i][0], &s);
        cr_assert_not_null(why, "%s", texts[i][0]);
        cr_assert_str_eq(why, texts[i][1]);
    }
}
