#include "modules/site/autoindex_page.h"

#include <stdlib.h>

#include "core/base/clock.h"
#include "http/uri.h"

/* Widths of the columns, and what one byte of a name can become. */
enum { NAME_WIDTH = 50, EXACT_WIDTH = 19, ROUND_WIDTH = 7, GROWS_MOST = 6 };

/* --- sorting --- */

static int compare(const void *a, const void *b)
{
    const autoindex_entry_t *x = a, *y = b;
    if (x->directory != y->directory) return x->directory ? -1 : 1;
    return str_cmp(x->name, y->name);
}

void autoindex_page_sort(autoindex_entries_t *entries)
{
    if (entries->n) qsort(entries->v, entries->n, sizeof(*entries->v), compare);
}

/* --- text --- */

static str_t escape_html(pool_t *pool, str_t s)
{
    char *out = pool_bytes(pool, s.n * GROWS_MOST + 1), *end = out;
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&': end = stpcpy(end, "&amp;"); break;
        case '<': end = stpcpy(end, "&lt;"); break;
        case '>': end = stpcpy(end, "&gt;"); break;
        case '"': end = stpcpy(end, "&quot;"); break;
        default: *end++ = s.p[i];
        }
    }
    return str_make(out, (size_t)(end - out));
}

static str_t escape_json(pool_t *pool, str_t s)
{
    static const char digits[] = "0123456789abcdef";
    char *out = pool_bytes(pool, s.n * GROWS_MOST + 1), *end = out;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20) {
            end = stpcpy(end, "\\u00");
            *end++ = digits[c >> 4];
            *end++ = digits[c & 15];
            continue;
        }
        if (c == '"' || c == '\\') *end++ = '\\';
        *end++ = (char)c;
    }
    return str_make(out, (size_t)(end - out));
}

/* Text that grows. */
typedef struct page {
    pool_t *pool;
    VEC(str_t) parts;
    size_t size;
} page_t;

static void put(page_t *page, str_t s)
{
    *VEC_PUSH(page->pool, &page->parts) = s;
    page->size += s.n;
}

static str_t whole(const page_t *page)
{
    char *out = pool_bytes(page->pool, page->size + 1), *end = out;
    VEC_EACH(const str_t, part, &page->parts) end = mempcpy(end, part->p, part->n);
    return str_make(out, page->size);
}

/* --- HTML --- */

/* Where to cut a name so that it has at most `most` characters, none of them halved. */
static size_t cut_at(str_t name, size_t most)
{
    size_t characters = 0, i = 0;
    for (; i < name.n; i++) {
        if (((unsigned char)name.p[i] & 0xc0) == 0x80) continue;
        if (characters++ == most) break;
    }
    return i;
}

static size_t width_of(str_t name)
{
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) n += ((unsigned char)name.p[i] & 0xc0) != 0x80;
    return n;
}

static str_t size_text(pool_t *pool, const autoindex_entry_t *e, bool exact)
{
    static const char units[] = " KMGTPE";
    unsigned unit = 0;
    uint64_t size = e->size;
    if (e->directory) return STR("-");
    if (exact) return pool_printf(pool, "%llu", (unsigned long long)size);
    for (; size >= 1024 && units[unit + 1]; unit++) size = (size + 512) / 1024;
    return unit ? pool_printf(pool, "%llu%c", (unsigned long long)size, units[unit])
                : pool_printf(pool, "%llu", (unsigned long long)size);
}

static str_t time_text(pool_t *pool, time_t t, bool local)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;
    if (local) localtime_r(&t, &tm);
    else gmtime_r(&t, &tm);
    return pool_printf(pool, "%02d-%s-%d %02d:%02d", tm.tm_mday, months[tm.tm_mon],
                       tm.tm_year + 1900, tm.tm_hour, tm.tm_min);
}

static void put_entry(page_t *page, const autoindex_entry_t *e, autoindex_style_t style)
{
    pool_t *pool = page->pool;
    str_t name = e->directory ? pool_concat(pool, e->name, STR("/")) : e->name;
    str_t target = uri_escape(pool, e->name, URI_ESCAPE_COMPONENT);
    size_t width = width_of(name);
    bool cut = width > NAME_WIDTH;
    str_t shown = cut ? str_sub(name, 0, cut_at(name, NAME_WIDTH - 3)) : name;
    put(page, pool_printf(pool, "<a href=\"" STR_FMT "%s\">" STR_FMT "%s</a>%*s ", STR_ARG(target),
                          e->directory ? "/" : "", STR_ARG(escape_html(pool, shown)),
                          cut ? "..&gt;" : "", cut ? 0 : (int)(NAME_WIDTH - width), ""));
    str_t size = size_text(pool, e, style.exact_size);
    put(page,
        pool_printf(pool, STR_FMT " %*.*s\n", STR_ARG(time_text(pool, e->mtime, style.local_time)),
                    style.exact_size ? EXACT_WIDTH : ROUND_WIDTH, STR_ARG(size)));
}

str_t autoindex_page_html(pool_t *pool, str_t uri, const autoindex_entries_t *entries,
                          autoindex_style_t style)
{
    page_t page = {.pool = pool};
    str_t title = escape_html(pool, uri);
    put(&page, pool_printf(pool,
                           "<html>\n<head><title>Index of " STR_FMT "</title></head>\n<body>\n"
                           "<h1>Index of " STR_FMT "</h1><hr><pre><a href=\"../\">../</a>\n",
                           STR_ARG(title), STR_ARG(title)));
    VEC_EACH(const autoindex_entry_t, e, entries) put_entry(&page, e, style);
    put(&page, STR("</pre><hr></body>\n</html>\n"));
    return whole(&page);
}

/* --- JSON --- */

str_t autoindex_page_json(pool_t *pool, const autoindex_entries_t *entries)
{
    page_t page = {.pool = pool};
    put(&page, STR("["));
    VEC_EACH(const autoindex_entry_t, e, entries) {
        char date[CLOCK_HTTP_DATE_LEN];
        str_t name = escape_json(pool, e->name);
        clock_put_http_date(date, e->mtime);
        put(&page,
            pool_printf(pool, "%s\n{ \"name\":\"" STR_FMT "\", \"type\":\"%s\", \"mtime\":\"%.*s\"",
                        e == entries->v ? "" : ",", STR_ARG(name),
                        e->directory ? "directory"
                        : e->regular ? "file"
                                     : "other",
                        CLOCK_HTTP_DATE_LEN, date));
        put(&page, e->regular ? pool_printf(pool, ", \"size\":%llu }", (unsigned long long)e->size)
                              : STR(" }"));
    }
    put(&page, STR("\n]"));
    return whole(&page);
}
