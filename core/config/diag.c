#include "core/config/diag.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/vec.h"

typedef struct note {
    diag_place_t at;
    str_t text;
    const char *hint; /* "": none */
    bool warning;
    unsigned number; /* in the order of being said */
} note_t;

struct diag {
    pool_t *pool;
    VEC(note_t) notes;
    unsigned errors, warnings, sources;
};

diag_t *diag_new(pool_t *pool)
{
    diag_t *d = POOL_NEW(pool, diag_t);
    d->pool = pool;
    return d;
}

diag_source_t *diag_source(diag_t *d, const char *name, str_t text)
{
    diag_source_t *s = POOL_NEW(d->pool, diag_source_t);
    *s = (diag_source_t){.name = name, .text = text, .order = ++d->sources};
    return s;
}

unsigned diag_errors(const diag_t *d)
{
    return d->errors;
}

static bool same_place(diag_place_t a, diag_place_t b)
{
    return a.source == b.source && a.line == b.line && a.column == b.column;
}

/* A file that is included many times has its mistakes many times. */
static bool said_before(const diag_t *d, diag_place_t at, str_t text)
{
    VEC_EACH(const note_t, n, &d->notes)
    if (same_place(n->at, at) && str_eq(n->text, text)) return true;
    return false;
}

/* A text may quote words of any length: what is too long is cut, so that the place stays in
   view. */
enum { TEXT_MAX = 400 };

static str_t cut(str_t text)
{
    return text.n > TEXT_MAX ? str_sub(text, 0, TEXT_MAX) : text;
}

static void say(diag_t *d, bool warning, diag_place_t at, const char *hint, str_t text)
{
    unsigned *count = warning ? &d->warnings : &d->errors;
    text = cut(text);
    if (said_before(d, at, text)) return;
    if (++*count > DIAG_SHOWN) return;
    *VEC_PUSH(d->pool, &d->notes) = (note_t){
        .at = at,
        .text = text,
        .hint = pool_cstr(d->pool, cut(str_of(hint ? hint : ""))),
        .warning = warning,
        .number = d->notes.n,
    };
}

void diag_error(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(d, false, at, hint, pool_vprintf(d->pool, fmt, args));
    va_end(args);
}

void diag_warn(diag_t *d, diag_place_t at, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(d, true, at, hint, pool_vprintf(d->pool, fmt, args));
    va_end(args);
}

str_t diag_first(const diag_t *d)
{
    VEC_EACH(const note_t, n, &d->notes)
    {
        if (n->warning) continue;
        if (!n->hint[0]) return n->text;
        return pool_printf(d->pool, STR_FMT " (%s)", STR_ARG(n->text), n->hint);
    }
    return STR("");
}

static int by_place(const void *left, const void *right)
{
    const note_t *a = left, *b = right;
    unsigned ao = a->at.source ? a->at.source->order : 0;
    unsigned bo = b->at.source ? b->at.source->order : 0;
    if (ao != bo) return ao < bo ? -1 : 1;
    if (a->at.line != b->at.line) return a->at.line < b->at.line ? -1 : 1;
    if (a->at.column != b->at.column) return a->at.column < b->at.column ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static note_t *sorted(const diag_t *d)
{
    note_t *notes = pool_memdup(d->pool, d->notes.v, d->notes.n * sizeof(note_t));
    if (d->notes.n > 1) qsort(notes, d->notes.n, sizeof(note_t), by_place);
    return notes;
}

/* --- for people --- */

enum { EXCERPT_MAX = 100, EXCERPT_BEFORE = 50 };

/* The part of the place's line that is shown. */
typedef struct excerpt {
    str_t text;
    size_t mark, length; /* within text */
    bool cut_before, cut_after;
} excerpt_t;

static str_t source_line(diag_place_t at)
{
    str_t rest = at.source->text, line = {NULL, 0};
    for (uint32_t i = 0; i < at.line; i++)
        if (!str_cut(&rest, '\n', &line)) return STR("");
    return str_ends(line, STR("\r")) ? str_sub(line, 0, line.n - 1) : line;
}

static excerpt_t excerpt_of(diag_place_t at)
{
    str_t line = source_line(at);
    size_t mark = at.column - 1u < line.n ? at.column - 1u : line.n;
    size_t from = 0, to = line.n;
    while (from < mark && (line.p[from] == ' ' || line.p[from] == '\t')) from++;
    size_t indent = from;
    if (to - from > EXCERPT_MAX) {
        if (mark - from > EXCERPT_BEFORE) from = mark - EXCERPT_BEFORE;
        if (to - from > EXCERPT_MAX) to = from + EXCERPT_MAX;
    }
    size_t length = at.length < to - mark ? at.length : to - mark;
    return (excerpt_t){
        .text = str_sub(line, from, to),
        .mark = mark - from,
        .length = length ? length : 1,
        .cut_before = from > indent,
        .cut_after = to < line.n,
    };
}

/* Continuation bytes of UTF-8 take no column of their own. */
static bool takes_column(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

static void print_excerpt(diag_place_t at, str_t hint, int fd)
{
    char shown[EXCERPT_MAX], under[2 * EXCERPT_MAX + 1];
    excerpt_t e = excerpt_of(at);
    size_t n = 0;
    for (size_t i = 0; i < e.text.n; i++) {
        unsigned char c = (unsigned char)e.text.p[i];
        shown[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
        if (i < e.mark && takes_column(shown[i])) under[n++] = c == '\t' ? '\t' : ' ';
    }
    for (size_t i = 0; i < e.length; i++)
        if (e.mark + i >= e.text.n || takes_column(e.text.p[e.mark + i])) under[n++] = '^';
    dprintf(fd, "    %s%.*s%s\n", e.cut_before ? "..." : "", (int)e.text.n, shown,
            e.cut_after ? "..." : "");
    dprintf(fd, "    %s%.*s%s" STR_FMT "\n", e.cut_before ? "   " : "", (int)n, under,
            hint.n ? " " : "", STR_ARG(hint));
}

/* The text may quote bytes of the file; none of them may reach a terminal raw. */
static str_t printable(pool_t *pool, str_t text)
{
    char *out = pool_bytes(pool, 4 * text.n + 1);
    return str_make(out, log_escape(out, 4 * text.n, text));
}

static void print_note(const diag_t *d, const note_t *n, int fd)
{
    str_t text = printable(d->pool, n->text), hint = printable(d->pool, str_of(n->hint));
    const char *kind = n->warning ? "warning: " : "";
    if (!n->at.source) {
        dprintf(fd, "%s" STR_FMT "%s" STR_FMT "\n", kind, STR_ARG(text), hint.n ? "; " : "",
                STR_ARG(hint));
        return;
    }
    dprintf(fd, "%s:%u:%u: %s" STR_FMT "\n", n->at.source->name, n->at.line, n->at.column, kind,
            STR_ARG(text));
    print_excerpt(n->at, hint, fd);
}

static unsigned not_shown(unsigned count)
{
    return count > DIAG_SHOWN ? count - DIAG_SHOWN : 0;
}

void diag_print(const diag_t *d, int fd)
{
    const note_t *notes = sorted(d);
    unsigned more = not_shown(d->errors);
    for (uint32_t i = 0; i < d->notes.n; i++) print_note(d, &notes[i], fd);
    if (more) dprintf(fd, "and %u more error%s\n", more, more == 1 ? "" : "s");
}

/* --- for the log --- */

static void log_note(const note_t *n, const log_t *log)
{
    int level = n->warning ? LOG_WARNING : LOG_EMERG;
    const char *behind = *n->hint ? "; " : "";
    if (n->at.source)
        LOG(log, level, 0, STR_FMT " in %s:%u%s%s", STR_ARG(n->text), n->at.source->name,
            n->at.line, behind, n->hint);
    else
        LOG(log, level, 0, STR_FMT "%s%s", STR_ARG(n->text), behind, n->hint);
}

void diag_log(const diag_t *d, const log_t *log)
{
    const note_t *notes = sorted(d);
    unsigned more = not_shown(d->errors);
    for (uint32_t i = 0; i < d->notes.n; i++) log_note(&notes[i], log);
    if (more) LOG(log, LOG_EMERG, 0, "and %u more error%s", more, more == 1 ? "" : "s");
}
