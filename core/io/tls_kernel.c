#include "core/io/tls_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/io/timer.h"

#ifdef OPENSSL_NO_KTLS
enum { LIBRARY_HAS_IT = false };
#else
enum { LIBRARY_HAS_IT = true };
#endif

static bool found;

/* What OpenSSL hands over begins with the kernel's own struct for the cipher; 0: not known. */
static socklen_t size_of(const struct tls_crypto_info *keys)
{
    if (keys->version != TLS_1_2_VERSION && keys->version != TLS_1_3_VERSION) return 0;
    switch (keys->cipher_type) {
    case TLS_CIPHER_AES_GCM_128: return sizeof(struct tls12_crypto_info_aes_gcm_128);
    case TLS_CIPHER_AES_GCM_256: return sizeof(struct tls12_crypto_info_aes_gcm_256);
    case TLS_CIPHER_AES_CCM_128: return sizeof(struct tls12_crypto_info_aes_ccm_128);
    case TLS_CIPHER_CHACHA20_POLY1305:
        return sizeof(struct tls12_crypto_info_chacha20_poly1305);
    default: return 0;
    }
}

static bool install(int fd)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0;
}

static bool give_keys(int fd, const void *keys)
{
    socklen_t n = size_of(keys);
    return n && setsockopt(fd, SOL_TLS, TLS_TX, keys, n) == 0;
}

bool tls_kernel_take(int fd, const void *keys)
{
    return found && install(fd) && give_keys(fd, keys);
}

ssize_t tls_kernel_send(int fd, unsigned char type, const void *p, size_t n)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(type))];
    } told;
    struct iovec iov = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &told,
                       .msg_controllen = sizeof(told)};
    memset(&told, 0, sizeof(told));
    told.head = (struct cmsghdr){.cmsg_level = SOL_TLS, .cmsg_type = TLS_SET_RECORD_TYPE,
                                 .cmsg_len = CMSG_LEN(sizeof(type))};
    *CMSG_DATA(&told.head) = type;
    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

/* --- the end --- */

enum { LINGER_MS = 30000, LOOK_MS = 50, LINGERING_MOST = 256 };

typedef struct lingering {
    struct timer timer;
    uint64_t until;
    int fd;
} lingering_t;

static unsigned lingering;

/* The kernel goes on with what waits when no more than two thirds of the buffer are taken. */
bool tls_kernel_settled(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t n = sizeof(memory);
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &n) < 0) return true;
    return memory[SK_MEMINFO_WMEM_QUEUED] <= memory[SK_MEMINFO_SNDBUF] / 2;
}

static void look(struct timer *timer)
{
    lingering_t *it = (lingering_t *)timer; /* its first member */
    if (clock_ms() < it->until && !tls_kernel_settled(it->fd)) {
        timer_arm(timer, LOOK_MS);
        return;
    }
    close(it->fd);
    free(it);
    lingering--;
}

void tls_kernel_linger(int fd)
{
    int copy = lingering < LINGERING_MOST ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    lingering_t *it = copy < 0 ? NULL : calloc(1, sizeof(*it));
    if (!it) {
        if (copy >= 0) close(copy);
        return;
    }
    *it = (lingering_t){.timer.fire = look, .until = clock_ms() + LINGER_MS, .fd = copy};
    timer_arm(&it->timer, LOOK_MS);
    lingering++;
}

/* --- finding out --- */

/* A socket connected to itself over the loopback; -1: errno. */
static int connect_self(void)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *at = (struct sockaddr *)&self;
    socklen_t n = sizeof(self);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (bind(fd, at, n) == 0 && getsockname(fd, at, &n) == 0 && connect(fd, at, n) == 0) return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

/* The cipher that most clients agree on, with keys that are all zero. */
static const char *try_on(int fd)
{
    static char other[128];
    struct tls12_crypto_info_aes_gcm_128 keys = {
        .info = {.version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128}};
    const char *what = "takes no keys of AES-GCM";
    if (install(fd)) {
        if (give_keys(fd, &keys)) return NULL;
    } else if (errno == ENOENT) {
        return "the kernel has no tls module; modprobe tls";
    } else {
        what = "has no TLS sockets";
    }
    snprintf(other, sizeof(other), "the kernel %s (%d: %s)", what, errno, strerror(errno));
    return other;
}

const char *tls_kernel_find(void)
{
    found = false;
    if (!LIBRARY_HAS_IT) return "OpenSSL was built without it";
    int fd = connect_self();
    if (fd < 0) return "it cannot be tried, the loopback has no 127.0.0.1";
    const char *lack = try_on(fd);
    close(fd);
    found = !lack;
    return lack;
}
