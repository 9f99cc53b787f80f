#include "core/process/bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/io/loop.h"
#include "core/process/worker.h"

static struct {
    int fds[BELLS];
    bool made, listening;
    list_t ears;
    loop_fd_t io;
} bells = {.ears = {&bells.ears, &bells.ears}};

bool bell_make(void)
{
    for (unsigned i = 0; i < BELLS && !bells.made; i++) {
        bells.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (bells.fds[i] >= 0) continue;
        while (i > 0) close(bells.fds[--i]);
        return false;
    }
    bells.made = true;
    return true;
}

unsigned bell_mine(void)
{
    int row = worker_row();
    return row < 0 ? 0 : (unsigned)row % BELLS;
}

/* Nobody reads the counters: every write is an edge for epoll, and 2^64 of them do not come. */
static void ring(unsigned i)
{
    static const uint64_t one = 1;
    ssize_t n = write(bells.fds[i], &one, sizeof(one));
    (void)n;
}

static void hear(loop_fd_t *io, unsigned events)
{
    (void)io, (void)events;
    LIST_EACH_SAFE(it, &bells.ears)
    {
        bell_ear_t *ear = LIST_OF(it, bell_ear_t, link);
        ear->heard(ear);
    }
}

void bell_ring(uint32_t mask)
{
    if (!bells.made) {
        if (mask) hear(NULL, 0);
        return;
    }
    for (mask &= (1u << BELLS) - 1; mask; mask &= mask - 1) ring((unsigned)__builtin_ctz(mask));
}

int bell_listen(bell_ear_t *ear)
{
    list_push(&bells.ears, &ear->link);
    if (bells.listening || !bells.made) return 0;
    bells.io = (loop_fd_t){.on_ready = hear};
    int err = loop_add(&bells.io, bells.fds[bell_mine()]);
    bells.listening = err == 0;
    return err;
}

void bell_deaf(void)
{
    while (list_pop(&bells.ears)) continue;
    if (bells.listening) loop_remove(&bells.io);
    bells.listening = false;
}
