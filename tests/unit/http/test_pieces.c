#include "http/pieces.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/io/fiber.h"
#include "core/io/loop.h"

enum { LENGTH = 1000 * 1000 };

static char content[LENGTH];
static size_t taken, largest, seen;
static int result, fail_at;
static bool same;

static void begin(void)
{
    cr_assert_eq(loop_open(), 0);
    for (size_t i = 0; i < LENGTH; i++) content[i] = (char)(i * 7 / 3);
    taken = largest = seen = 0;
    same = true;
    fail_at = LENGTH + 1;
}

static void end(void)
{
    loop_close();
    fiber_trim();
    buf_trim();
}

TestSuite(pieces, .init = begin, .fini = end);

static int take(filter_t *f, request_t *r, const char *p, size_t n)
{
    (void)f, (void)r;
    same = same && taken + n <= LENGTH && memcmp(p, content + taken, n) == 0;
    taken += n;
    if (n > largest) largest = n;
    return taken >= (size_t)fail_at ? -EPIPE : 0;
}

static void run(void *pieces)
{
    const piece_t *p = pieces;
    result = pieces_each(NULL, NULL, p, p[1].n ? 2 : 1, take);
}

static void look(void *arg)
{
    (void)arg;
    seen = taken;
}

static void run_all(piece_t *pieces)
{
    result = 1;
    fiber_start(run, pieces);
    fiber_start(look, NULL);
    for (int i = 0; i < 100 && result == 1; i++) loop_turn(0);
}

Test(pieces, memory_is_taken_in_parts_between_which_others_have_their_turn)
{
    piece_t pieces[2] = {PIECE_MEMORY(str_make(content, LENGTH))};
    run_all(pieces);
    cr_expect_eq(result, 0);
    cr_expect_eq(taken, LENGTH);
    cr_expect(same);
    cr_expect_leq(largest, PIECES_PART_MOST);
    cr_expect_lt(seen, 2 * PIECES_TURN_MOST, "nobody else ran until %zu", seen);
    cr_expect_gt(seen, 0);
}

static int file_of(size_t n)
{
    char name[] = "/tmp/proxyd-pieces-XXXXXX";
    int fd = mkstemp(name);
    cr_assert_geq(fd, 0);
    unlink(name);
    cr_assert_eq(write(fd, content, n), (ssize_t)n);
    return fd;
}

Test(pieces, so_are_files)
{
    int fd = file_of(LENGTH);
    piece_t pieces[2] = {{.n = 1000, .fd = fd}, {.n = LENGTH - 1000, .fd = fd, .at = 1000}};
    run_all(pieces);
    cr_expect_eq(result, 0);
    cr_expect_eq(taken, LENGTH);
    cr_expect(same);
    cr_expect_lt(seen, 2 * PIECES_TURN_MOST);
    close(fd);
}

Test(pieces, a_file_that_is_too_short_is_an_error)
{
    int fd = file_of(5000);
    piece_t pieces[2] = {{.n = 6000, .fd = fd}};
    run_all(pieces);
    cr_expect_eq(result, -EIO);
    close(fd);
}

Test(pieces, an_error_ends_it)
{
    piece_t pieces[2] = {PIECE_MEMORY(str_make(content, LENGTH))};
    fail_at = 300 * 1000;
    run_all(pieces);
    cr_expect_eq(result, -EPIPE);
    cr_expect_lt(taken, 400 * 1000);
}
