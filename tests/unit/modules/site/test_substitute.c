#include "modules/site/substitute.h"

#include <criterion/criterion.h>

static char out[256];
static size_t n;
static int fails;

static void begin(void)
{
    n = 0;
    fails = 0;
}

static void end(void)
{
    buf_trim();
}

TestSuite(substitute, .init = begin, .fini = end);

static int send(void *arg, const piece_t *pieces, unsigned count)
{
    (void)arg;
    for (unsigned i = 0; i < count; i++) {
        cr_assert_leq(n + pieces[i].n, sizeof(out));
        memcpy(out + n, pieces[i].p, pieces[i].n);
        n += pieces[i].n;
    }
    return fails;
}

/* The result must be the same wherever the input is cut in two. */
static void check(const substitute_pair_t *pairs, unsigned count, bool once, const char *in,
                  const char *expected)
{
    for (size_t cut = 0; cut <= strlen(in); cut++) {
        substitute_pair_t own[4];
        memcpy(own, pairs, count * sizeof(*pairs));
        substitute_t s = {.pairs = own, .count = count, .once = once};
        n = 0;
        substitute_begin(&s);
        cr_assert_eq(substitute_feed(&s, str_make(in, cut), send, NULL), 0);
        cr_assert_eq(substitute_feed(&s, str_of(in + cut), send, NULL), 0);
        cr_assert_eq(substitute_end(&s, send, NULL), 0);
        cr_assert(n == strlen(expected) && memcmp(out, expected, n) == 0, "cut at %zu: %.*s", cut,
                  (int)n, out);
    }
}

#define PAIR(a, b) {.match = STR_INIT(a), .with = STR_INIT(b)}
#define CHECK(once, in, expected, ...) \
    do { \
        substitute_pair_t pairs_[] = {__VA_ARGS__}; \
        check(pairs_, sizeof(pairs_) / sizeof(pairs_[0]), once, in, expected); \
    } while (0)

Test(substitute, replaces_wherever_it_is_cut)
{
    CHECK(false, "one two one", "1 two 1", PAIR("one", "1"));
    CHECK(false, "aaaa", "bb", PAIR("aa", "b"));
    CHECK(false, "aaaaa", "bba", PAIR("aa", "b"));
    CHECK(false, "xaab aaab", "x! a!", PAIR("aab", "!"));
    CHECK(false, "</HEAD>", "x</head>", PAIR("</head>", "x</head>"));
    CHECK(false, "abc", "", PAIR("a", ""), PAIR("b", ""), PAIR("c", ""));
    CHECK(false, "ends in par", "ends in par", PAIR("part", "x"));
    CHECK(false, "", "", PAIR("a", "b"));
}

Test(substitute, the_leftmost_and_then_the_first_pair_counts)
{
    CHECK(false, "abcd", "xd", PAIR("bc", "y"), PAIR("abc", "x"));
    CHECK(false, "abcd", "xcd", PAIR("ab", "x"), PAIR("abc", "y"));
    CHECK(false, "abcd", "yd", PAIR("abc", "y"), PAIR("ab", "x"));
    CHECK(false, "ab", "x", PAIR("abc", "y"), PAIR("ab", "x"));
    CHECK(false, "abx", "xx", PAIR("abc", "y"), PAIR("ab", "x"));
}

Test(substitute, once_is_once_for_each_pair)
{
    CHECK(true, "a b a b", "1 2 a b", PAIR("a", "1"), PAIR("b", "2"));
    CHECK(true, "nothing", "nothing", PAIR("", "x"));
}

Test(substitute, holds_no_more_than_it_must)
{
    substitute_pair_t pairs[] = {PAIR("filter", "x")};
    substitute_t s = {.pairs = pairs, .count = 1};
    substitute_begin(&s);
    cr_assert_eq(substitute_feed(&s, STR("abc fil"), send, NULL), 0);
    cr_assert_eq(n, 4, "what cannot be the beginning of a match goes on at once");
    cr_assert_eq(substitute_feed(&s, STR("m"), send, NULL), 0);
    cr_assert_eq(n, 8);
    fails = -5;
    cr_assert_eq(substitute_feed(&s, STR("m"), send, NULL), -5);
    substitute_free(&s);
    substitute_free(&s);
}

Test(substitute, takes_much)
{
    static char in[100 * 1000];
    static const char word[] = "filler";
    substitute_pair_t pairs[] = {PAIR("filler", "")};
    substitute_t s = {.pairs = pairs, .count = 1};
    for (size_t i = 0; i < sizeof(in); i++) in[i] = word[i % 6];
    substitute_begin(&s);
    cr_assert_eq(substitute_feed(&s, str_make(in, sizeof(in)), send, NULL), 0);
    cr_assert_eq(substitute_end(&s, send, NULL), 0);
    cr_assert_eq(n, sizeof(in) % 6);
}
