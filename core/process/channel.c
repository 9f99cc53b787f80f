#include "core/process/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} control_t;

int channel_open(int ends[2])
{
    int rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
    return rc < 0 ? -errno : 0;
}

int channel_send(int channel, channel_type_t type, uint32_t value, int fd)
{
    channel_message_t message = {.type = type, .value = value};
    struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
    control_t control = {0};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(channel, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int channel_receive(int channel, channel_message_t *out, int *fd)
{
    struct iovec iov = {.iov_base = out, .iov_len = sizeof(*out)};
    control_t control;
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    *fd = -1;
    ssize_t n = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0) return -ECONNRESET;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    return n == sizeof(*out) ? 1 : -EPROTO;
}
