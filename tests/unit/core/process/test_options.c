#include <criterion/criterion.h>

#include "core/process/options.h"

static char why[256];

#define PARSE(out, ...) \
    options_parse((int)(sizeof((const char *[]){"proxyd", __VA_ARGS__}) / sizeof(char *)), \
                  (const char *[]){"proxyd", __VA_ARGS__}, out, why, sizeof(why))

Test(options, nothing_given)
{
    options_t o;
    cr_assert(options_parse(1, (const char *[]){"proxyd"}, &o, why, sizeof(why)));
    cr_assert_null(o.conf);
    cr_assert_null(o.signal);
    cr_assert_null(o.help_on);
    cr_assert_not(o.test || o.version || o.quiet || o.dump);
}

Test(options, arguments_in_the_same_or_the_next_word)
{
    options_t o;
    cr_assert(PARSE(&o, "-c", "a.conf", "-p/srv", "-e", "stderr", "-gdaemon off;"));
    cr_assert_str_eq(o.conf, "a.conf");
    cr_assert_str_eq(o.prefix, "/srv");
    cr_assert_str_eq(o.error_log, "stderr");
    cr_assert_str_eq(o.directives, "daemon off;");
}

Test(options, flags_combine)
{
    options_t o;
    cr_assert(PARSE(&o, "-tq"));
    cr_assert(o.test && o.quiet && !o.dump);
    cr_assert(PARSE(&o, "-tc", "a.conf"));
    cr_assert(o.test);
    cr_assert_str_eq(o.conf, "a.conf");
    cr_assert(PARSE(&o, "-qTca.conf"));
    cr_assert(o.test && o.quiet && o.dump);
    cr_assert_str_eq(o.conf, "a.conf");
}

Test(options, version_and_help)
{
    options_t o;
    cr_assert(PARSE(&o, "-V"));
    cr_assert(o.version && o.configure && !o.help);
    cr_assert(PARSE(&o, "-?"));
    cr_assert(o.version && o.help);
    cr_assert(PARSE(&o, "-h"));
    cr_assert(o.help);
}

Test(options, signals)
{
    options_t o;
    static const char *const names[] = {"stop", "quit", "reload", "reopen"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(PARSE(&o, "-s", names[i]));
        cr_assert_str_eq(o.signal, names[i]);
    }
    cr_assert_not(PARSE(&o, "-s", "restart"));
    cr_assert_str_eq(why, "invalid option: \"-s restart\"");
}

Test(options, help_on_a_directive)
{
    options_t o;
    cr_assert(PARSE(&o, "help", "listen"));
    cr_assert_str_eq(o.help_on, "listen");
    cr_assert(PARSE(&o, "help"));
    cr_assert_str_eq(o.help_on, "");
    cr_assert_not(PARSE(&o, "help", "listen", "server"));
}

Test(options, a_command_for_the_running_server)
{
    options_t o;
    static const char *const words[] = {"proxyd", "-p",     "/srv",     "ctl", "-c",
                                        "a.conf", "upstream", "-x", "list"};
    cr_assert(options_parse(9, words, &o, why, sizeof(why))); /* o refers to them */
    cr_assert_str_eq(o.prefix, "/srv");
    cr_assert_str_eq(o.conf, "a.conf");
    cr_assert_eq(o.ctl_words, 3);
    cr_assert_str_eq(o.ctl[0], "upstream");
    cr_assert_str_eq(o.ctl[1], "-x");
    cr_assert_str_eq(o.ctl[2], "list");
    cr_assert(PARSE(&o, "ctl", "ctl"));
    cr_assert_eq(o.ctl_words, 1);
    cr_assert_not(PARSE(&o, "ctl"));
    cr_assert_str_eq(why, "\"ctl\" requires a command; \"proxyd ctl help\" lists them");
    cr_assert_not(PARSE(&o, "ctl", "-x"));
}

Test(options, what_is_wrong)
{
    options_t o;
    cr_assert_not(PARSE(&o, "-x"));
    cr_assert_str_eq(why, "invalid option: \"x\"");
    cr_assert_not(PARSE(&o, "start"));
    cr_assert_str_eq(why, "invalid option: \"start\"");
    cr_assert_not(PARSE(&o, "-c"));
    cr_assert_str_eq(why, "option \"-c\" requires file name");
    cr_assert_not(PARSE(&o, "-p", ""));
    cr_assert_str_eq(why, "option \"-p\" requires directory name");
    cr_assert_not(PARSE(&o, "-g"));
    cr_assert_str_eq(why, "option \"-g\" requires parameter");
}
