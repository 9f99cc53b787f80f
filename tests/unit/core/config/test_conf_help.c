#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "core/config/conf_help.h"
#include "core/config/conf_manual.h"
#include "tests/unit/core/config/things.h"

TestSuite(conf_help, .init = things_setup, .fini = things_teardown);

static str_t drain(FILE *f)
{
    char *text = pool_bytes(things_pool, 65536);
    ssize_t n = pread(fileno(f), text, 65536, 0);
    fclose(f);
    return str_make(text, n > 0 ? (size_t)n : 0);
}

static str_t help(const char *name)
{
    FILE *f = tmpfile();
    cr_expect(conf_help(things_conf.modules, str_of(name), fileno(f)));
    return drain(f);
}

static void expect_help(const char *name, const char *expected)
{
    str_t got = help(name);
    cr_expect(str_eq(got, str_of(expected)), "got:\n" STR_FMT "expected:\n%s", STR_ARG(got),
              expected);
}

Test(conf_help, shows_what_the_row_knows)
{
    expect_help("timeout", "timeout TIME;\n"
                           "    h\n"
                           "    Default: timeout 60s;\n"
                           "    Range:   100ms to 1h\n"
                           "    Context: http, server, location\n"
                           "    Module:  things\n\n");
    expect_help("header", "header TEXT ...;\n"
                          "    h\n"
                          "    Context: http, server, location\n"
                          "    May be given several times.\n"
                          "    Module:  things\n\n");
}

static void expect_syntax(const char *name, const char *expected)
{
    for (const conf_row_t *row = things_module.rows; row->name; row++) {
        if (strcmp(row->name, name)) continue;
        str_t got = conf_help_syntax(things_pool, row);
        cr_expect(str_eq(got, str_of(expected)), "%s: " STR_FMT, name, STR_ARG(got));
    }
}

Test(conf_help, shows_the_syntax_of_each_type)
{
    expect_syntax("worker_connections", " NUMBER;");
    expect_syntax("size", " SIZE;");
    expect_syntax("gzip", " on | off;");
    expect_syntax("name", " TEXT;");
    expect_syntax("root", " PATH;");
    expect_syntax("color", " red | green | blue;");
    expect_syntax("colors", " red | green | blue ...;");
    expect_syntax("listen", " ARGUMENT ARGUMENT [ARGUMENT] [ARGUMENT];");
    expect_syntax("refused", ";");
    str_t block = conf_help_syntax(things_pool, &blocks_module.rows[2]);
    cr_expect(str_eq(block, STR(" ARGUMENT { ... }")));
}

Test(conf_help, knows_all_and_nothing_else)
{
    str_t all = help("");
    cr_expect_neq(str_search(all, STR("gzip on | off;\n")), all.n);
    cr_expect_neq(str_search(all, STR("http { ... }\n")), all.n);
    FILE *f = tmpfile();
    cr_expect_not(conf_help(things_conf.modules, STR("gzi"), fileno(f)));
    cr_expect_eq(drain(f).n, 0);
}

Test(conf_manual, holds_every_directive_and_no_stray_request)
{
    things_setup();
    FILE *f = tmpfile();
    conf_manual(things_conf.modules, fileno(f));
    str_t rest = drain(f), line, all = rest;
    static const char *const requests[] = {".TH ", ".SH ", ".SS ", ".TP", ".PP",
                                           ".B ",  ".I ",  ".BR ", ".br"};
    cr_expect(str_starts(all, STR(".TH ")));
    cr_expect_neq(str_search(all, STR(".SS things\n")), all.n);
    cr_expect_neq(str_search(all, STR("\\fBgzip\\fR on | off;\n")), all.n);
    while (str_cut(&rest, '\n', &line)) {
        bool known = !str_starts(line, STR(".")) && !str_starts(line, STR("'"));
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
            known = known || str_starts(line, str_of(requests[i]));
        cr_expect(known, STR_FMT, STR_ARG(line));
    }
    things_teardown();
}

Test(conf_manual, protects_what_roff_would_read)
{
    static unsigned index;
    static const conf_row_t rows[] = {
        CONF_CUSTOM("x", CONF_MAIN, 0, 0, 0, conf_set_strs, CONF_NO_FIELD, NULL,
                    ".so it's a \"c:\\x\" - or"),
        CONF_END,
    };
    static const module_t m = {.name = "m", .index = &index, .rows = rows};
    static const module_t *const one[] = {&m, NULL};
    things_setup();
    FILE *f = tmpfile();
    conf_manual(one, fileno(f));
    str_t all = drain(f);
    cr_expect_neq(str_search(all, STR("\n\\&.so it\\(aqs a \\(dqc:\\ex\\(dq \\- or\n")), all.n);
    things_teardown();
}
