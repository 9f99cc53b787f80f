#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/str.h"
#include "http/scan.h"

/* A page between two that must not be touched. */
static char *guarded_page(size_t *size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(p != MAP_FAILED);
    cr_assert_eq(mprotect(p + page, page, PROT_READ | PROT_WRITE), 0);
    *size = page;
    return p + page;
}

/* RFC 9110 5.6.2, spelled out once more. */
static bool is_tchar(int c)
{
    return c && strchr("!#$%&'*+-.^_`|~0123456789"
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", c);
}

static bool is_text(int c)
{
    return c == '\t' || (c >= 0x20 && c <= 0x7e) || c >= 0x80;
}

static bool is_target(int c)
{
    return c > 0x20 && c != 0x7f && c != '#';
}

/* Every byte value at every place of every length up to three vectors, ending at the guard page. */
static void stops_where_it_must(void)
{
    size_t page;
    char *base = guarded_page(&page), *end = base + page;
    for (size_t n = 1; n <= 100; n += n < 70 ? 1 : 7) {
        char *p = end - n;
        memset(p, 'a', n);
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c++) {
                p[at] = (char)c;
                scan_line_t line = scan_line(p, p, end);
                cr_assert(line.token == (is_tchar(c) ? end : p + at), "%zu %zu %d", n, at, c);
                cr_assert(line.text == (is_text(c) ? end : p + at), "%zu %zu %d", n, at, c);
                cr_assert(scan_text(p, p, end) == line.text, "%zu %zu %d", n, at, c);
                cr_assert(scan_target(p, p, end) == (is_target(c) ? end : p + at), "%zu %zu %d", n,
                          at, c);
            }
            p[at] = 'a';
        }
    }
}

/* What stands behind `end` or in front of p must not count, wherever the vectors lie. */
static void minds_its_bounds(void)
{
    char bytes[160];
    for (size_t from = 0; from < 80; from++) {
        for (size_t n = 0; n <= 80; n++) {
            memset(bytes, '\r', sizeof(bytes));
            memset(bytes + from, 'x', n);
            const char *p = bytes + from, *end = p + n;
            scan_line_t line = scan_line(bytes, p, end);
            cr_assert(line.token == end && line.text == end, "%zu %zu", from, n);
            cr_assert(scan_text(bytes, p, end) == end);
            cr_assert(scan_target(bytes, p, end) == end);
            line = scan_line(bytes, p, end + 1);
            cr_assert(line.token == end && line.text == end, "%zu %zu", from, n);
        }
    }
}

/* A line at the start of readable memory, shorter than a vector, and one that fills the page. */
static void reads_nothing_before_base(void)
{
    size_t page;
    char *base = guarded_page(&page);
    memset(base, 'a', page);
    for (size_t n = 0; n <= 70; n++) {
        cr_assert(scan_text(base, base, base + n) == base + n);
        cr_assert(scan_target(base, base, base + n) == base + n);
        cr_assert(scan_line(base, base, base + n).token == base + n);
    }
    base[page - 1] = '\n';
    cr_assert(scan_line(base, base, base + page).text == base + page - 1);
    cr_assert(scan_line(base, base, base + page).token == base + page - 1);
}

static void check(scan_kind_t kind)
{
    if (!scan_use(kind)) return; /* a CPU without it */
    stops_where_it_must();
    minds_its_bounds();
    reads_nothing_before_base();
    scan_use(scan_best());
}

Test(scan, plain)
{
    check(SCAN_PLAIN);
}

Test(scan, sse2)
{
    check(SCAN_SSE2);
}

Test(scan, avx2)
{
    check(SCAN_AVX2);
}

Test(scan, refuses_what_the_cpu_lacks)
{
    scan_kind_t best = scan_best();
    cr_expect(scan_use(SCAN_PLAIN));
    cr_expect(scan_use(best));
    if (best < SCAN_AVX2) cr_expect(!scan_use(SCAN_AVX2));
}
