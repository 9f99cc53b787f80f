#include "core/process/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

const char options_usage[] =
    "Usage: proxyd [-?hvVtTq] [-s signal] [-p prefix]\n"
    "              [-e filename] [-c filename] [-g directives]\n"
    "       proxyd help [directive]\n"
    "       proxyd ctl [-p prefix] [-c filename] command...\n"
    "\n"
    "Options:\n"
    "  -?,-h         : this help\n"
    "  -v            : show version and exit\n"
    "  -V            : show version and configure options then exit\n"
    "  -t            : test configuration and exit\n"
    "  -T            : test configuration, dump it and exit\n"
    "  -q            : suppress non-error messages during configuration testing\n"
    "  -s signal     : send signal to a master process: stop, quit, reopen, reload\n"
    "  -p prefix     : set prefix path (default: " PROXYD_PREFIX "/)\n"
    "  -e filename   : set error log file (default: " PROXYD_ERROR_LOG_PATH ")\n"
    "  -c filename   : set configuration file (default: " PROXYD_CONF_PATH ")\n"
    "  -g directives : set global directives out of configuration file\n"
    "\n"
    "  help          : list the directives; with a name, explain that one\n"
    "  ctl           : tell the running server something; ctl help lists the commands\n";

typedef struct reader {
    int argc, at;
    const char *const *argv;
    options_t *out;
    char *why;
    size_t n;
} reader_t;

static bool wrong(reader_t *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(reader_t *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->why, r->n, fmt, args);
    va_end(args);
    return false;
}

static bool set_flag(options_t *o, char flag)
{
    switch (flag) {
    case '?':
    case 'h': o->version = o->help = true; return true;
    case 'v': o->version = true; return true;
    case 'V': o->version = o->configure = true; return true;
    case 't': o->test = true; return true;
    case 'T': o->test = o->dump = true; return true;
    case 'q': o->quiet = true; return true;
    default: return false;
    }
}

static const char **argument_of(options_t *o, char option, const char **what)
{
    static const struct {
        char option;
        size_t field;
        const char *what;
    } table[] = {{'p', offsetof(options_t, prefix), "directory name"},
                 {'e', offsetof(options_t, error_log), "file name"},
                 {'c', offsetof(options_t, conf), "file name"},
                 {'g', offsetof(options_t, directives), "parameter"},
                 {'s', offsetof(options_t, signal), "parameter"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].option != option) continue;
        *what = table[i].what;
        return (const char **)(void *)((char *)o + table[i].field);
    }
    return NULL;
}

static bool known_signal(const char *name)
{
    static const char *const names[] = {"stop", "quit", "reopen", "reload"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* One word that begins with "-": flags, then perhaps an option that takes the rest or the next
   word. */
static bool read_word(reader_t *r, const char *word)
{
    for (const char *p = word + 1; *p; p++) {
        const char *what;
        if (set_flag(r->out, *p)) continue;
        const char **field = argument_of(r->out, *p, &what);
        if (!field) return wrong(r, "invalid option: \"%c\"", *p);
        *field = p[1] ? p + 1 : ++r->at < r->argc ? r->argv[r->at] : "";
        if (!**field) return wrong(r, "option \"-%c\" requires %s", *p, what);
        if (*p == 's' && !known_signal(*field))
            return wrong(r, "invalid option: \"-s %s\"", *field);
        return true;
    }
    return true;
}

bool options_parse(int argc, const char *const *argv, options_t *out, char *why, size_t n)
{
    reader_t r = {.argc = argc, .argv = argv, .out = out, .why = why, .n = n};
    *out = (options_t){0};
    for (r.at = 1; r.at < argc; r.at++) {
        const char *word = argv[r.at];
        if (strcmp(word, "help") == 0 && r.at == 1) {
            out->help_on = argc > 2 ? argv[2] : "";
            return argc <= 3 || wrong(&r, "\"help\" takes one directive");
        }
        if (out->ctl && word[0] != '-') break;
        if (strcmp(word, "ctl") == 0) {
            out->ctl = argv + argc;
            continue;
        }
        if (word[0] != '-') return wrong(&r, "invalid option: \"%s\"", word);
        if (!read_word(&r, word)) return false;
    }
    if (!out->ctl) return true;
    out->ctl = argv + r.at;
    out->ctl_words = argc - r.at;
    return out->ctl_words > 0 || wrong(&r, "\"ctl\" requires a command; \"proxyd ctl help\" "
                                           "lists them");
}
