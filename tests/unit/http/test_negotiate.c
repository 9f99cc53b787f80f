#include <criterion/criterion.h>

#include "http/negotiate.h"

static pool_t *pool;
static header_list_t list;

static void setup(void)
{
    pool = pool_create();
    header_list_init(&list, pool);
}

static void teardown(void)
{
    pool_destroy(pool);
}

TestSuite(negotiate, .init = setup, .fini = teardown);

static negotiate_t said(const char *accept)
{
    header_list_clear(&list);
    if (accept) cr_assert(header_add_id(&list, HEADER_ACCEPT_ENCODING, str_of(accept)));
    return negotiate_read(&list);
}

static coding_t gzip_or_not(const char *accept)
{
    static const coding_t offered[] = {CODING_GZIP};
    negotiate_t n = said(accept);
    return negotiate_choose(&n, offered, 1);
}

static coding_t any_of_three(const char *accept)
{
    static const coding_t offered[] = {CODING_ZSTD, CODING_BR, CODING_GZIP};
    negotiate_t n = said(accept);
    return negotiate_choose(&n, offered, 3);
}

typedef struct row {
    const char *accept, *rule;
    coding_t gzip_alone, of_three;
} row_t;

#define NONE CODING_IDENTITY
#define GZIP CODING_GZIP
#define BR CODING_BR
#define ZSTD CODING_ZSTD

static const row_t rows[] = {
    /* The examples of RFC 9110 12.5.3. */
    {"compress, gzip", "9110 12.5.3 example", GZIP, GZIP},
    {"", "9110 12.5.3 example: empty wants no coding", NONE, NONE},
    {"*", "9110 12.5.3 example", GZIP, ZSTD},
    {"compress;q=0.5, gzip;q=1.0", "9110 12.5.3 example", GZIP, GZIP},
    {"gzip;q=1.0, identity; q=0.5, *;q=0", "9110 12.5.3 example", GZIP, GZIP},
    /* No field: whatever is done is right; nothing was asked for. */
    {NULL, "9110 12.5.3: no field", NONE, NONE},
    /* The highest weight that is not 0 is preferred. */
    {"gzip", "listed", GZIP, GZIP},
    {"gzip, br", "equal weights: our order", GZIP, BR},
    {"br, gzip, zstd", "equal weights: our order", GZIP, ZSTD},
    {"gzip;q=0.9, br;q=0.8", "higher weight", GZIP, GZIP},
    {"gzip;q=0.001", "any weight but 0 is acceptable", GZIP, GZIP},
    {"gzip;q=0.2, identity;q=0.3", "identity is liked better", NONE, NONE},
    {"gzip;q=0.3, identity;q=0.3", "equal weights: the coding", GZIP, GZIP},
    {"identity", "identity alone", NONE, NONE},
    {"deflate, compress", "nothing that we have", NONE, NONE},
    {"zstd;q=0.5, br;q=0.500, gzip;q=0.499", "three digits", GZIP, ZSTD},
    /* q=0 is "not acceptable". */
    {"gzip;q=0", "12.4.2: 0 is not acceptable", NONE, NONE},
    {"gzip;q=0.000", "12.4.2: 0 is not acceptable", NONE, NONE},
    {"gzip;q=0, *", "the listed one is not matched by *", NONE, ZSTD},
    {"*;q=0", "all are refused: sent without", NONE, NONE},
    {"identity;q=0", "identity refused, no other listed: sent without", NONE, NONE},
    {"identity;q=0, gzip;q=0.1", "identity refused", GZIP, GZIP},
    {"identity;q=0, *;q=0.1", "identity refused", GZIP, ZSTD},
    {"gzip;q=0, identity;q=0", "all are refused: sent without", NONE, NONE},
    /* "*" matches any coding not listed, identity too. */
    {"*;q=0.5", "equal weights: the coding", GZIP, ZSTD},
    {"gzip;q=0.5, *;q=0.1", "* is for the others", GZIP, GZIP},
    {"gzip;q=0.5, *", "* is for the others, and identity", NONE, ZSTD},
    {"br;q=0, zstd;q=0, *;q=0.7", "* is for what is left", GZIP, GZIP},
    {"*;q=0, gzip", "* is for the others", GZIP, GZIP},
    /* Names and "q" in any case (8.4.1, 12.4.2), x-gzip (8.4.1.3), white space (5.6.1, 5.6.3). */
    {"GZip", "8.4.1: case", GZIP, GZIP},
    {"x-gzip", "8.4.1.3", GZIP, GZIP},
    {"X-GZIP;Q=0.5", "12.4.2: q in any case", GZIP, GZIP},
    {"gzip ; q=0", "OWS around ;", NONE, NONE},
    {"gzip\t;\tq=0.5 , identity ; q=0.4", "OWS around ;", GZIP, GZIP},
    {", ,gzip,,", "5.6.1.2: empty elements", GZIP, GZIP},
    {"  gzip  ", "OWS around it all", GZIP, GZIP},
    /* What is no weight at all is not taken for one. */
    {"gzip;q=1.001", "12.4.2: more than 1", NONE, NONE},
    {"gzip;q=2", "12.4.2: more than 1", NONE, NONE},
    {"gzip;q=1.000", "12.4.2: three zeros", GZIP, GZIP},
    {"gzip;q=1.", "12.4.2: no digit is needed", GZIP, GZIP},
    {"gzip;q=0.", "12.4.2: no digit is needed", NONE, NONE},
    {"gzip;q=0.1234", "12.4.2: four digits", NONE, NONE},
    {"gzip;q=.5", "12.4.2: no digit before", NONE, NONE},
    {"gzip;q=-1", "12.4.2: sign", NONE, NONE},
    {"gzip;q=0,5", "a comma ends the member", NONE, NONE},
    {"gzip;q=", "12.4.2: nothing", NONE, NONE},
    {"gzip;q", "12.4.2: nothing", NONE, NONE},
    {"gzip;q=00.5", "12.4.2: two digits before", NONE, NONE},
    {"gzip;level=9", "not a weight", NONE, NONE},
    {"gzip;q=x, br", "the others stand", NONE, BR},
    {"gzipped, xgzip, gzi, gzip2", "other names", NONE, NONE},
    {"\"gzip\"", "a string is no name", NONE, NONE},
    /* Listed twice: the first. */
    {"gzip;q=0, gzip", "the first counts", NONE, NONE},
    {"gzip, gzip;q=0", "the first counts", GZIP, GZIP},
    {"x-gzip;q=0, gzip", "x-gzip is gzip", NONE, NONE},
    /* As browsers and tools send it. */
    {"gzip, deflate, br, zstd", "browsers", GZIP, ZSTD},
    {"gzip, deflate", "tools", GZIP, GZIP},
};

Test(negotiate, chooses_as_rfc_9110_says)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const row_t *row = &rows[i];
        const char *shown = row->accept ? row->accept : "(none)";
        coding_t one = gzip_or_not(row->accept), three = any_of_three(row->accept);
        cr_expect_eq(one, row->gzip_alone, "%s (%s): %d", shown, row->rule, one);
        cr_expect_eq(three, row->of_three, "%s (%s): %d of three", shown, row->rule, three);
    }
}

Test(negotiate, reads_all_lines_of_the_field)
{
    negotiate_t n = said("br;q=0.5");
    cr_assert(header_add_id(&list, HEADER_ACCEPT_ENCODING, STR("gzip;q=0.25, identity;q=0")));
    n = negotiate_read(&list);
    cr_expect_eq(n.weight[CODING_BR], 500);
    cr_expect_eq(n.weight[CODING_GZIP], 250);
    cr_expect_eq(n.weight[CODING_IDENTITY], 0);
    cr_expect_eq(n.weight[CODING_ZSTD], 0);
}

Test(negotiate, knows_codings_by_name)
{
    cr_expect_eq(negotiate_coding(STR("Gzip")), CODING_GZIP);
    cr_expect_eq(negotiate_coding(STR("x-gzip")), CODING_GZIP);
    cr_expect_eq(negotiate_coding(STR("br")), CODING_BR);
    cr_expect_eq(negotiate_coding(STR("zstd")), CODING_ZSTD);
    cr_expect_eq(negotiate_coding(STR("identity")), CODING_IDENTITY);
    cr_expect_eq(negotiate_coding(STR("Deflate")), CODING_DEFLATE);
    cr_expect_eq(negotiate_coding(STR("compress")), CODING_COUNT);
    cr_expect_eq(negotiate_coding(STR("")), CODING_COUNT);
    for (coding_t c = CODING_GZIP; c < CODING_COUNT; c++)
        cr_expect_eq(negotiate_coding(negotiate_name(c)), c);
    cr_expect(!negotiate_name(CODING_IDENTITY).p);
}
