#include "core/io/fiber.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/asan.h"
#include "core/base/list.h"
#include "core/base/panic.h"
#include "core/io/fiber_switch.h"
#include "core/io/timer.h"

#if ASAN_WATCHES
#include <sanitizer/common_interface_defs.h>
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

enum { GUARD = 4096, STACKS_KEPT = 512, READY_BATCH = 1024 };

typedef enum state { READY, RUNNING, SUSPENDED, ENDED } state_t;

/* Stands at the top of its own stack, so that a waiting fiber touches as few pages as can be. */
struct fiber {
    fiber_context_t context;
    list_t link;          /* in the ready queue, or among the stacks kept */
    state_t state;
    int reason;           /* what the present wait returns */
    int cancelled;
    struct timer timer;
    void (*fn)(void *arg);
    void *arg;
    char *stack;          /* lowest usable byte */
    unsigned valgrind_id;
    void *asan_fake;
};

static list_t ready = {&ready, &ready};
static list_t kept = {&kept, &kept};
static unsigned kept_count, live_count;
static fiber_t *running;
static fiber_context_t outside; /* the loop's own stack */

/* --- sanitizer annotations --- */

#if ASAN_WATCHES
static const void *outside_stack;
static size_t outside_size;
static void *outside_fake;

static void before_enter(fiber_t *f)
{
    __sanitizer_start_switch_fiber(&outside_fake, f->stack, (size_t)((char *)f - f->stack));
}

static void after_enter(fiber_t *f) /* on the fiber's stack */
{
    __sanitizer_finish_switch_fiber(f->asan_fake, &outside_stack, &outside_size);
}

static void before_leave(fiber_t *f)
{
    bool ended = f->state == ENDED;
    __sanitizer_start_switch_fiber(ended ? NULL : &f->asan_fake, outside_stack, outside_size);
}

static void after_leave(void) /* on the loop's stack */
{
    __sanitizer_finish_switch_fiber(outside_fake, NULL, NULL);
}
#else
static inline void before_enter(fiber_t *f)
{
    (void)f;
}
static inline void after_enter(fiber_t *f)
{
    (void)f;
}
static inline void before_leave(fiber_t *f)
{
    (void)f;
}
static inline void after_leave(void)
{
}
#endif

/* --- stacks --- */

static fiber_t *stack_map(void)
{
    char *p = mmap(NULL, GUARD + FIBER_STACK, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if (mprotect(p, GUARD, PROT_NONE) != 0) {
        munmap(p, GUARD + FIBER_STACK);
        return NULL;
    }
    size_t own = (sizeof(fiber_t) + 63) & ~(size_t)63;
    fiber_t *f = (fiber_t *)(void *)(p + GUARD + FIBER_STACK - own);
    f->stack = p + GUARD;
    f->valgrind_id = VALGRIND_STACK_REGISTER(f->stack, (char *)f);
    list_init(&f->link);
    return f;
}

static void stack_unmap(fiber_t *f)
{
    VALGRIND_STACK_DEREGISTER(f->valgrind_id);
    munmap(f->stack - GUARD, GUARD + FIBER_STACK);
}

static fiber_t *stack_take(void)
{
    list_t *l = list_pop(&kept);
    if (!l) return stack_map();
    kept_count--;
    return LIST_OF(l, fiber_t, link);
}

static void stack_release(fiber_t *f)
{
    if (kept_count >= STACKS_KEPT) {
        stack_unmap(f);
        return;
    }
    list_push_front(&kept, &f->link);
    kept_count++;
}

void fiber_trim(void)
{
    list_t *l;
    while ((l = list_pop(&kept))) stack_unmap(LIST_OF(l, fiber_t, link));
    kept_count = 0;
}

/* --- switching --- */

static void leave(fiber_t *f, state_t state)
{
    f->state = state;
    before_leave(f);
    fiber_switch(&f->context, &outside);
    after_enter(f); /* back again; an ended fiber never is */
}

static void bottom(void *arg)
{
    fiber_t *f = arg;
    after_enter(f);
    f->fn(f->arg);
    leave(f, ENDED);
    panic("an ended fiber was resumed");
}

static void enter(fiber_t *f)
{
    running = f;
    f->state = RUNNING;
    before_enter(f);
    fiber_switch(&outside, &f->context);
    after_leave();
    running = NULL;
    if (f->state == ENDED) {
        live_count--;
        stack_release(f);
    }
}

static void make_ready(fiber_t *f)
{
    f->state = READY;
    list_push(&ready, &f->link);
}

static void timed_out(struct timer *t)
{
    fiber_t *f = LIST_OF(t, fiber_t, timer);
    if (f->state != SUSPENDED) return;
    f->reason = -ETIMEDOUT;
    make_ready(f);
}

fiber_t *fiber_start(void (*fn)(void *arg), void *arg)
{
    fiber_t *f = stack_take();
    if (!f) return NULL;
    f->fn = fn;
    f->arg = arg;
    f->reason = f->cancelled = 0;
    f->timer.fire = timed_out;
    f->asan_fake = NULL;
    fiber_switch_make(&f->context, f->stack, (size_t)((char *)f - f->stack), bottom, f);
    live_count++;
    make_ready(f);
    return f;
}

fiber_t *fiber_self(void)
{
    return running;
}

int fiber_suspend(uint64_t timeout_ms)
{
    fiber_t *f = running;
    ASSERT(f);
    if (f->cancelled) return f->cancelled;
    f->reason = 0;
    if (timeout_ms != UINT64_MAX) timer_arm(&f->timer, timeout_ms);
    leave(f, SUSPENDED);
    timer_disarm(&f->timer);
    return f->cancelled ? f->cancelled : f->reason;
}

void fiber_wake(fiber_t *f)
{
    if (f->state == SUSPENDED) make_ready(f);
}

void fiber_cancel(fiber_t *f, int err)
{
    ASSERT(err < 0);
    if (!f->cancelled) f->cancelled = err;
    fiber_wake(f);
}

void fiber_uncancel(fiber_t *f)
{
    f->cancelled = 0;
}

int fiber_cancelled(const fiber_t *f)
{
    return f->cancelled;
}

int fiber_sleep(uint64_t ms)
{
    int r = fiber_suspend(ms);
    return r == -ETIMEDOUT ? 0 : r;
}

void fiber_yield(void)
{
    fiber_t *f = running;
    ASSERT(f);
    list_push(&ready, &f->link);
    leave(f, READY);
}

bool fiber_run_ready(void)
{
    list_t *l;
    for (int i = 0; i < READY_BATCH && (l = list_pop(&ready)); i++)
        enter(LIST_OF(l, fiber_t, link));
    return !list_empty(&ready);
}

bool fiber_any_ready(void)
{
    return !list_empty(&ready);
}

unsigned fiber_count(void)
{
    return live_count;
}
