/*
 * A program of its own, without a test runner, so that it can be built for another architecture or
 * with another switch of stacks: do fibers keep their registers and their stacks? Exits with 0 when
 * they do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/fiber.h"

enum { FIBERS = 10000, ROUNDS = 5, DEPTH = 100 };

/*
 * Fills the callee-saved registers with values made from seed, calls yield, and returns how many
 * have changed.
 */
uint64_t check_registers(uint64_t seed, void (*yield)(void));

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl check_registers\n"
        ".type check_registers, @function\n"
        "check_registers:\n"
        "    endbr64\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    push %rdi\n"
        "    lea 1(%rdi), %rbx; lea 2(%rdi), %rbp; lea 3(%rdi), %r12\n"
        "    lea 4(%rdi), %r13; lea 5(%rdi), %r14; lea 6(%rdi), %r15\n"
        "    call *%rsi\n"
        "    pop %rdi\n"
        "    xor %eax, %eax\n"
        "    sub %rdi, %rbx; sub %rdi, %rbp; sub %rdi, %r12\n"
        "    sub %rdi, %r13; sub %rdi, %r14; sub %rdi, %r15\n"
        "    cmp $1, %rbx; je 1f; inc %eax; 1:\n"
        "    cmp $2, %rbp; je 1f; inc %eax; 1:\n"
        "    cmp $3, %r12; je 1f; inc %eax; 1:\n"
        "    cmp $4, %r13; je 1f; inc %eax; 1:\n"
        "    cmp $5, %r14; je 1f; inc %eax; 1:\n"
        "    cmp $6, %r15; je 1f; inc %eax; 1:\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n"
        ".size check_registers, .-check_registers\n");
#elif defined(__aarch64__)
#define CHECK(reg, n) "    sub x1, " reg ", x2; cmp x1, #" n "; cinc x0, x0, ne\n"
#define CHECK_FP(reg, n) "    fmov x1, " reg "; sub x1, x1, x2; cmp x1, #" n "; cinc x0, x0, ne\n"
#define FILL(reg, n) "    add " reg ", x0, #" n "\n"
#define FILL_FP(reg, n) "    add x9, x0, #" n "; fmov " reg ", x9\n"
/* clang-format off */
#define EACH(do_int, do_fp) \
    do_int("x19", "1") do_int("x20", "2") do_int("x21", "3") do_int("x22", "4") \
    do_int("x23", "5") do_int("x24", "6") do_int("x25", "7") do_int("x26", "8") \
    do_int("x27", "9") do_int("x28", "10") \
    do_fp("d8", "11") do_fp("d9", "12") do_fp("d10", "13") do_fp("d11", "14") \
    do_fp("d12", "15") do_fp("d13", "16") do_fp("d14", "17") do_fp("d15", "18")
/* clang-format on */
__asm__(".text\n"
        ".globl check_registers\n"
        ".type check_registers, %function\n"
        "check_registers:\n"
        "    stp x29, x30, [sp, #-176]!\n"
        "    mov x29, sp\n"
        "    stp x19, x20, [sp, #16]; stp x21, x22, [sp, #32]; stp x23, x24, [sp, #48]\n"
        "    stp x25, x26, [sp, #64]; stp x27, x28, [sp, #80]; stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]\n"
        "    str x0, [sp, #160]\n" EACH(
            FILL, FILL_FP) "    blr x1\n"
                           "    ldr x2, [sp, #160]\n"
                           "    mov x0, #0\n" EACH(
                               CHECK, CHECK_FP) "    ldp x19, x20, [sp, #16]; ldp x21, x22, [sp, "
                                                "#32]; ldp x23, x24, [sp, #48]\n"
                                                "    ldp x25, x26, [sp, #64]; ldp x27, x28, [sp, "
                                                "#80]; ldp d8, d9, [sp, #96]\n"
                                                "    ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, "
                                                "#128]; ldp d14, d15, [sp, #144]\n"
                                                "    ldp x29, x30, [sp], #176\n"
                                                "    ret\n"
                                                ".size check_registers, .-check_registers\n");
#else
uint64_t check_registers(uint64_t seed, void (*yield)(void))
{
    (void)seed;
    yield();
    return 0;
}
#endif
__asm__(".section .note.GNU-stack, \"\", %progbits\n.text\n");

static unsigned long switches;

static void fail(const char *what)
{
    printf("%s\n", what);
    exit(1);
}

static unsigned __attribute__((noinline)) descend(unsigned depth, unsigned number)
{
    volatile unsigned room[64];
    for (unsigned i = 0; i < 64; i++) room[i] = number + depth;
    if (depth == 0) fiber_yield();
    unsigned sum = depth ? descend(depth - 1, number) : 0;
    for (unsigned i = 0; i < 64; i++)
        if (room[i] != number + depth) fail("a frame has been written over");
    return sum + 1;
}

static void work(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    volatile double kept = number * 1.5;
    for (int i = 0; i < ROUNDS; i++) {
        if (check_registers((uint64_t)number * 1000003 << 8, fiber_yield) != 0)
            fail("a callee-saved register has changed");
        switches++;
    }
    if (number % 100 == 0 && descend(DEPTH, number) != DEPTH + 1)
        fail("a deep call has lost its way");
    if (kept != number * 1.5) fail("a number has changed");
}

int main(void)
{
    for (unsigned i = 0; i < FIBERS; i++)
        if (!fiber_start(work, (void *)(uintptr_t)i)) fail("no stack");
    while (fiber_run_ready()) continue;
    if (fiber_count() != 0) fail("a fiber has not ended");
    if (switches != (unsigned long)FIBERS * ROUNDS) fail("a fiber has not run");
    fiber_trim();
    printf("%lu switches\n", switches);
    return 0;
}
