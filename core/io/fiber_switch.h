/*
 * fiber_switch: changes stacks. Assembly on x86-64 and aarch64, ucontext elsewhere (or when built
 * with FIBER_UCONTEXT, which the tests do to hold one against the other). Only fiber.c uses it.
 */
#ifndef CORE_IO_FIBER_SWITCH_H
#define CORE_IO_FIBER_SWITCH_H

#include <stddef.h>

#if !defined(FIBER_UCONTEXT) && !defined(__x86_64__) && !defined(__aarch64__)
#define FIBER_UCONTEXT 1
#endif

typedef struct fiber_context {
#ifdef FIBER_UCONTEXT
    void *ucontext; /* on the context's own stack */
#else
    void *sp;
#endif
} fiber_context_t;

/* Prepares a context that will call entry(arg) at the top of the stack; entry must never return. */
void fiber_switch_make(fiber_context_t *c, void *stack, size_t size, void (*entry)(void *arg),
                       void *arg);

/* Saves the running context in *from and continues *to. */
void fiber_switch(fiber_context_t *from, fiber_context_t *to);

#endif
