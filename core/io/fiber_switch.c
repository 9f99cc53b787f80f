#include "core/io/fiber_switch.h"

#include <stdint.h>
#include <string.h>

#ifdef FIBER_UCONTEXT

#include <ucontext.h>

/* makecontext passes ints only, so the pointers go in halves. */
static void enter(unsigned entry_hi, unsigned entry_lo, unsigned arg_hi, unsigned arg_lo)
{
    void (*entry)(void *) = (void (*)(void *))(uintptr_t)((uint64_t)entry_hi << 32 | entry_lo);
    entry((void *)(uintptr_t)((uint64_t)arg_hi << 32 | arg_lo));
}

void fiber_switch_make(fiber_context_t *c, void *stack, size_t size, void (*entry)(void *arg),
                       void *arg)
{
    size_t own = (sizeof(ucontext_t) + 15) & ~(size_t)15;
    ucontext_t *u = (ucontext_t *)(void *)((char *)stack + size - own);
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)arg;
    getcontext(u);
    u->uc_stack.ss_sp = stack;
    u->uc_stack.ss_size = size - own;
    u->uc_link = NULL;
    makecontext(u, (void (*)(void))enter, 4, (unsigned)(e >> 32), (unsigned)e, (unsigned)(a >> 32),
                (unsigned)a);
    c->ucontext = u;
}

void fiber_switch(fiber_context_t *from, fiber_context_t *to)
{
    static ucontext_t outside; /* the loop's own context has no stack of ours to stand on */
    if (!from->ucontext) from->ucontext = &outside;
    swapcontext(from->ucontext, to->ucontext);
}

#else

/* In fiber_switch_*.S: saves the callee-saved registers, stores sp in *from, loads to's. */
void *fiber_switch_stack(void **from, void *to);
void fiber_switch_entry(void);

#if defined(__x86_64__)
enum { SAVED = 7 }; /* r15 r14 r13 r12 rbx rbp and the mxcsr/x87 control words */
enum { SLOT_ARG = 3, SLOT_ENTRY = 4 }; /* popped into r13, r12 */
#else
enum { SAVED = 20 }; /* x19..x30, d8..d15 */
enum { SLOT_ARG = 0, SLOT_ENTRY = 1, SLOT_RETURN = 11 }; /* x19, x20, x30 */
#endif

void fiber_switch_make(fiber_context_t *c, void *stack, size_t size, void (*entry)(void *arg),
                       void *arg)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
#if defined(__x86_64__)
    uintptr_t *sp = (uintptr_t *)top - SAVED - 1;
    memset(sp, 0, (SAVED + 1) * sizeof(*sp));
    sp[0] = 0x1f80 | (uintptr_t)0x037f << 32; /* default mxcsr and x87 control word */
    sp[SLOT_ARG] = (uintptr_t)arg;
    sp[SLOT_ENTRY] = (uintptr_t)entry;
    sp[SAVED] = (uintptr_t)fiber_switch_entry;
#else
    uintptr_t *sp = (uintptr_t *)top - SAVED;
    memset(sp, 0, SAVED * sizeof(*sp));
    sp[SLOT_ARG] = (uintptr_t)arg;
    sp[SLOT_ENTRY] = (uintptr_t)entry;
    sp[SLOT_RETURN] = (uintptr_t)fiber_switch_entry;
#endif
    c->sp = sp;
}

void fiber_switch(fiber_context_t *from, fiber_context_t *to)
{
    fiber_switch_stack(&from->sp, to->sp);
}

#endif
