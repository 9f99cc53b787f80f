#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/process/channel.h"

Test(channel, carries_messages_in_order)
{
    int ends[2], fd;
    channel_message_t m;
    cr_assert_eq(channel_open(ends), 0);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 0);
    cr_assert_eq(channel_send(ends[0], CHANNEL_RETIRE, 3, -1), 0);
    cr_assert_eq(channel_send(ends[0], CHANNEL_QUIT, 1000, -1), 0);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 1);
    cr_assert(m.type == CHANNEL_RETIRE && m.value == 3 && fd == -1);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 1);
    cr_assert(m.type == CHANNEL_QUIT && m.value == 1000);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 0);
    close(ends[0]);
    close(ends[1]);
}

Test(channel, carries_descriptors)
{
    int ends[2], pipe_ends[2], fd;
    char c = 0;
    channel_message_t m;
    cr_assert_eq(channel_open(ends), 0);
    cr_assert_eq(pipe(pipe_ends), 0);
    cr_assert_eq(channel_send(ends[0], CHANNEL_LOG, 7, pipe_ends[1]), 0);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 1);
    cr_assert(m.type == CHANNEL_LOG && m.value == 7 && fd >= 0 && fd != pipe_ends[1]);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_assert_eq(write(fd, "x", 1), 1);
    cr_assert_eq(read(pipe_ends[0], &c, 1), 1);
    cr_assert_eq(c, 'x');
}

Test(channel, tells_that_the_other_side_has_gone)
{
    int ends[2], fd;
    channel_message_t m;
    cr_assert_eq(channel_open(ends), 0);
    cr_assert_eq(channel_send(ends[0], CHANNEL_READY, 0, -1), 0);
    close(ends[0]);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), 1);
    cr_assert_eq(channel_receive(ends[1], &m, &fd), -ECONNRESET);
    cr_assert_eq(channel_send(ends[1], CHANNEL_READY, 0, -1), -EPIPE);
    close(ends[1]);
}
