/*
 * The switch of fiber_switch.h: callee-saved registers go onto the stack that is left, the stack
 * pointers are exchanged, and the same registers come off the one that is entered.
 */
#if defined(__x86_64__) && !defined(FIBER_UCONTEXT)

    .text
    .globl fiber_switch_stack
    .type fiber_switch_stack, @function
    .p2align 4
fiber_switch_stack:             /* rdi: where to store sp, rsi: sp to load */
    .cfi_startproc
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .cfi_endproc
    .size fiber_switch_stack, .-fiber_switch_stack

    .globl fiber_switch_entry
    .type fiber_switch_entry, @function
    .p2align 4
fiber_switch_entry:             /* r12: entry, r13: its argument; the bottom frame of a fiber */
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    movq %r13, %rdi
    call *%r12
    ud2
    .cfi_endproc
    .size fiber_switch_entry, .-fiber_switch_entry

    /* Indirect branch tracking holds here, a shadow stack does not: say so to the linker. */
    .section .note.gnu.property, "a"
    .p2align 3
    .long 4, 16, 5
    .asciz "GNU"
    .long 0xc0000002, 4, 1, 0

#elif defined(__aarch64__) && !defined(FIBER_UCONTEXT)

    .text
    .globl fiber_switch_stack
    .type fiber_switch_stack, %function
    .p2align 4
fiber_switch_stack:             /* x0: where to store sp, x1: sp to load */
    .cfi_startproc
    hint #34                    /* bti c */
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .cfi_endproc
    .size fiber_switch_stack, .-fiber_switch_stack

    .globl fiber_switch_entry
    .type fiber_switch_entry, %function
    .p2align 4
fiber_switch_entry:             /* x20: entry, x19: its argument; the bottom frame of a fiber */
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x19
    blr x20
    brk #1
    .cfi_endproc
    .size fiber_switch_entry, .-fiber_switch_entry

#endif

    .section .note.GNU-stack, "", %progbits
