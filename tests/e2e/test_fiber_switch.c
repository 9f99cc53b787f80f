/* The switch of stacks in all its forms: tests/cross/fiber_check.c built for each, and run. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/e2e/harness.h"
#include "tests/e2e/keeper.h"

#define SOURCES \
    "tests/cross/fiber_check.c core/io/fiber.c core/io/fiber_switch.c core/io/fiber_switch_asm.S" \
    " core/io/timer.c core/base/clock.c core/base/panic.c core/base/str.c"

static void run(const char *command, const char *directory)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    const char *output = file_path("output.txt");
    int status = -1;
    pid_t pid = keeper_run(argv, directory, output);
    cr_assert(keeper_wait(pid, 4 * PATIENCE_MS, &status), "it does not end: %s", command);
    cr_assert_eq(status, 0, "%s\n%s", command, file_read(output));
}

/* The tests run in the top directory of the sources. */
static void check(const char *compiler, const char *flags, const char *emulator)
{
    char here[4096];
    cr_assert(getcwd(here, sizeof(here)));
    const char *program = file_path("fiber_check");
    run(text("%s -std=gnu11 -D_GNU_SOURCE -O2 -g -I. %s -o %s " SOURCES, compiler, flags, program),
        here);
    run(text("%s %s", emulator, program), harness_dir());
    assert_has(file_read("output.txt"), "50000 switches");
}

E2E(fiber_switch, in_assembly)
{
    check("cc", "", "");
}

E2E(fiber_switch, with_ucontext)
{
    check("cc", "-DFIBER_UCONTEXT", "");
}

E2E(fiber_switch, in_assembly_of_aarch64)
{
    check("aarch64-linux-gnu-gcc", "-static", "qemu-aarch64");
}
