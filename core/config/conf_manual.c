#include "core/config/conf_manual.h"

#include <stdio.h>

#include "core/config/conf.h"
#include "core/config/conf_help.h"

static const char head[] =
    ".TH PROXYD.CONF 5\n"
    ".SH NAME\n"
    "proxyd.conf \\- configuration of proxyd\n"
    ".SH SYNTAX\n"
    "A directive is a name, its arguments and a semicolon, or a block of directives in braces.\n"
    "Words are separated by blanks; a word that holds blanks, semicolons or braces is put in\n"
    "single or double quotes, within which a backslash protects a quote.\n"
    "What follows a # at the start of a word up to the end of the line is a comment.\n"
    ".PP\n"
    "What a block does not set it inherits from the block around it.\n"
    ".PP\n"
    ".B include\n"
    ".I PATTERN\n"
    "stands for the contents of the files named; a relative path starts at the directory of the\n"
    "main file.\n"
    ".PP\n"
    "A SIZE is a number of bytes, or has a suffix: 8k, 1m, 2g.\n"
    "A TIME is a number of seconds, or has units: 500ms, 30s, 5m, 1h30m, 2d, 1w, 1M, 1y.\n"
    ".SH DIRECTIVES\n";

static const char *escape(char c, bool starts_line)
{
    switch (c) {
    case '\\': return "\\e";
    case '-': return "\\-";
    case '"': return "\\(dq";
    case '\'': return "\\(aq";
    case '.': return starts_line ? "\\&." : NULL;
    default: return NULL;
    }
}

/* Text that roff prints as it is: no escapes, no requests at the start of a line. */
static str_t plain(pool_t *pool, str_t text)
{
    char *out = pool_bytes(pool, text.n * 4 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *as = escape(c, i == 0 || text.p[i - 1] == '\n');
        size_t len = as ? strlen(as) : 1;
        memcpy(out + n, as ? as : &c, len);
        n += len;
    }
    return str_make(out, n);
}

static void print_row(pool_t *pool, const conf_row_t *row, int fd)
{
    str_t syntax = plain(pool, conf_help_syntax(pool, row));
    str_t bounds = plain(pool, conf_help_bounds(pool, row));
    str_t contexts = plain(pool, module_context_names(pool, row->contexts));
    dprintf(fd, ".TP\n\\fB%s\\fR" STR_FMT "\n", row->name, STR_ARG(syntax));
    dprintf(fd, STR_FMT "\n.br\n", STR_ARG(plain(pool, str_of(row->help))));
    if (row->fallback && *row->fallback)
        dprintf(fd, "Default: " STR_FMT ".\n", STR_ARG(plain(pool, str_of(row->fallback))));
    if (bounds.n) dprintf(fd, "Range: " STR_FMT ".\n", STR_ARG(bounds));
    dprintf(fd, "Context: " STR_FMT ".\n", STR_ARG(contexts));
    if (row->flags & CONF_MANY) dprintf(fd, "May be given several times.\n");
}

void conf_manual(const module_t *const *list, int fd)
{
    pool_t *pool = pool_create();
    dprintf(fd, "%s", head);
    for (; *list; list++) {
        const conf_row_t *row = (*list)->rows;
        if (!row || !row->name) continue;
        dprintf(fd, ".SS " STR_FMT "\n", STR_ARG(plain(pool, str_of((*list)->name))));
        for (; row->name; row++) print_row(pool, row, fd);
    }
    dprintf(fd, ".SH SEE ALSO\n.BR proxyd (8)\n");
    pool_destroy(pool);
}
