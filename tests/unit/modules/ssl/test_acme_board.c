#include "modules/ssl/acme_board.h"

#include <criterion/criterion.h>

#include "core/shared/shm.h"

static acme_board_t *make(acme_board_size_t size)
{
    size_t bytes = (acme_board_bytes(size) + SLAB_PAGE - 1) / SLAB_PAGE * SLAB_PAGE;
    acme_board_t *b = acme_board_init(slab_init(shm_map(bytes), bytes), &size);
    cr_assert_not_null(b);
    return b;
}

static void expect_text(bool found, str_t got, const char *want)
{
    cr_expect(found && str_eq(got, str_of(want)), "got \"" STR_FMT "\"", STR_ARG(got));
}

Test(acme_board, a_challenge_is_answered_while_it_is_in_work)
{
    pool_t *pool = pool_create();
    acme_board_t *b = make((acme_board_size_t){2, 1});
    str_t out = STR("");
    cr_expect(!acme_board_is_challenged(b));
    cr_expect(!acme_board_by_token(b, STR(""), pool, &out));
    acme_board_challenge(b, 0, false, STR("a.test"), STR("tok"), STR("thumb"));
    acme_board_challenge(b, 1, true, STR("b.test"), STR("tok2"), STR("thumb2"));
    cr_expect(acme_board_is_challenged(b));
    expect_text(acme_board_by_token(b, STR("tok"), pool, &out), out, "tok.thumb");
    expect_text(acme_board_by_name(b, STR("b.test"), pool, &out), out, "tok2.thumb2");

    /* Each in its own way only. */
    cr_expect(!acme_board_by_token(b, STR("tok2"), pool, &out));
    cr_expect(!acme_board_by_name(b, STR("a.test"), pool, &out));
    cr_expect(!acme_board_by_token(b, STR("to"), pool, &out));
    acme_board_unchallenge(b, 0);
    cr_expect(!acme_board_by_token(b, STR("tok"), pool, &out));
    cr_expect(acme_board_is_challenged(b));
    acme_board_unchallenge(b, 1);
    cr_expect(!acme_board_is_challenged(b));
    pool_destroy(pool);
}

Test(acme_board, the_longest_texts_fit)
{
    pool_t *pool = pool_create();
    acme_board_t *b = make((acme_board_size_t){1, 1});
    char *all = pool_bytes(pool, 1000);
    memset(all, 'x', 1000);
    str_t out = STR("");
    acme_board_challenge(b, 0, true, str_make(all, ACME_BOARD_NAME), str_make(all, 1000),
                         str_make(all, 1000));
    cr_expect(acme_board_by_name(b, str_make(all, ACME_BOARD_NAME), pool, &out));
    cr_expect_eq(out.n, (size_t)(ACME_BOARD_TOKEN + 1 + ACME_BOARD_THUMBPRINT));
    pool_destroy(pool);
}

Test(acme_board, rows)
{
    acme_board_t *b = make((acme_board_size_t){1, 100});
    acme_board_row_t row;
    acme_board_read(b, 99, &row);
    cr_expect_eq(row.state, ACME_BOARD_WAITING);
    cr_expect_eq(row.next_ms, 0u);
    row = (acme_board_row_t){
        .state = ACME_BOARD_FAILED, .failures = 3, .version = 7, .error = "no"};
    acme_board_write(b, 99, &row);
    cr_expect_eq(acme_board_version(b, 99), 7u);
    cr_expect_eq(acme_board_version(b, 98), 0u);
    acme_board_read(b, 99, &row);
    cr_expect_str_eq(row.error, "no");
    cr_expect_eq(acme_board_hurries(b), 0u);
    acme_board_hurry(b);
    cr_expect_eq(acme_board_hurries(b), 1u);
}

Test(acme_board, a_long_error)
{
    char text[ACME_BOARD_ERROR * 2 + 1];
    acme_board_row_t row;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    acme_board_set_error(&row, text);
    cr_expect_eq(strlen(row.error), (size_t)ACME_BOARD_ERROR);
    memcpy(text + ACME_BOARD_ERROR - 1, "\xe2\x82\xac", 3); /* would be cut in two */
    acme_board_set_error(&row, text);
    cr_expect_eq(strlen(row.error), (size_t)ACME_BOARD_ERROR - 1);
    acme_board_set_error(&row, "");
    cr_expect_str_eq(row.error, "");
}

Test(acme_board, a_zone_that_is_too_small)
{
    acme_board_size_t size = {1, 1000};
    cr_expect_null(acme_board_init(slab_init(shm_map(SLAB_SIZE_MIN), SLAB_SIZE_MIN), &size));
}
