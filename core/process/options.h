/*
 * options: the command line, with nginx's options and meaning. Pure: nothing is opened or printed.
 */
#ifndef CORE_PROCESS_OPTIONS_H
#define CORE_PROCESS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct options {
    const char *conf, *prefix, *directives, *error_log; /* -c -p -g -e; NULL: not given */
    const char *signal;      /* -s: one of stop, quit, reload, reopen */
    const char *help_on;     /* "help DIRECTIVE"; "" for all of them */
    const char *const *ctl;  /* "ctl WORD...": the words ... */
    int ctl_words;           /* ... and how many they are */
    bool test, dump, quiet;  /* -t (also with -T), -T, -q */
    bool help, version, configure; /* -h -?, -v (also with -V), -V */
} options_t;

/*
 * Reads argv. Flags may be combined (-tq), an argument may stand in the same word (-cfile) or in
 * the next. False: why (n bytes) says what is wrong with it.
 */
bool options_parse(int argc, const char *const *argv, options_t *out, char *why, size_t n);

/* What -h prints. */
extern const char options_usage[];

#endif
