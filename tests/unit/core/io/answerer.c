#include "tests/unit/core/io/answerer.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/shm.h"

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TYPE_SRV = 33, MESSAGE_MAX = 8192 };
enum { FORMERR = 1, SERVFAIL = 2, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5 };

answerer_served_t *answerer_served;
net_addr_t answerer_addr;
static pid_t process;

typedef struct message {
    unsigned char b[MESSAGE_MAX];
    size_t n;
} message_t;

static void put16(message_t *m, unsigned v)
{
    m->b[m->n++] = (unsigned char)(v >> 8);
    m->b[m->n++] = (unsigned char)v;
}

/* A record whose owner stands at an offset of the message. */
static void put_record(message_t *m, size_t owner, unsigned type, unsigned ttl, const void *data,
                       size_t n)
{
    put16(m, 0xc000 | (unsigned)owner);
    put16(m, type);
    put16(m, 1);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    put16(m, (unsigned)n);
    memcpy(m->b + m->n, data, n);
    m->n += n;
    m->b[7]++; /* answers, up to 255 */
}

static void put_v4(message_t *m, size_t owner, unsigned ttl, unsigned char last)
{
    put_record(m, owner, TYPE_A, ttl, (unsigned char[4]){192, 0, 2, last}, 4);
}

static void put_v6(message_t *m, unsigned ttl, unsigned char last)
{
    unsigned char bytes[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = last};
    put_record(m, 12, TYPE_AAAA, ttl, bytes, 16);
}

static bool is(const message_t *m, const char *label)
{
    return m->b[12] == strlen(label) && memcmp(m->b + 13, label, strlen(label)) == 0;
}

/* name CNAME 20, target CNAME 10, third A 300: the least counts. */
static void put_chain(message_t *m)
{
    size_t first = m->n + 12;
    put_record(m, 12, TYPE_CNAME, 20, "\3one\4test", 10);
    size_t second = m->n + 12;
    put_record(m, first, TYPE_CNAME, 10, "\3two\4test", 10);
    put_v4(m, second, 300, 7);
}

/* Two services; TTLs 90 and 30. */
static void put_services(message_t *m)
{
    put_record(m, 12, TYPE_SRV, 90, "\0\12\0\5\37\220\3one\4test", 16);
    put_record(m, 12, TYPE_SRV, 30, "\0\24\0\0\0\120\3two\4test", 16);
}

static const struct {
    const char *label;
    unsigned rcode;
} failures[] = {{"nx", NXDOMAIN}, {"broken", SERVFAIL}, {"refused", REFUSED}};

static void put_answers(message_t *m, unsigned type, bool tcp)
{
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if (is(m, failures[i].label)) m->b[3] |= (unsigned char)failures[i].rcode;
    if (is(m, "big") && !tcp) m->b[2] |= 2; /* TC */
    if (is(m, "big") && tcp && type == TYPE_A)
        for (unsigned char i = 0; i < 100; i++) put_v4(m, 12, 300, i);
    if (is(m, "both") && type == TYPE_A) put_v4(m, 12, 300, 1), put_v4(m, 12, 60, 2);
    if (is(m, "both") && type == TYPE_AAAA) put_v6(m, 200, 3);
    if (is(m, "six") && type == TYPE_AAAA) put_v6(m, 200, 6);
    if (is(m, "half") && type == TYPE_A) put_v4(m, 12, 300, 4);
    if (is(m, "zero") && type == TYPE_A) put_v4(m, 12, 0, 5);
    if (is(m, "forever") && type == TYPE_A) put_v4(m, 12, 0x7fffffff, 5);
    if (is(m, "wrong") && type == TYPE_A) put_record(m, 12, TYPE_A, 300, "abc", 3);
    if (is(m, "cut") && type == TYPE_A) put_v4(m, 12, 300, 5), m->n -= 2;
    if (is(m, "chain") && type == TYPE_A) put_chain(m);
    if (is(m, "_web") && type == TYPE_SRV) put_services(m);
    if (is(m, "_cut") && type == TYPE_SRV) put_services(m), m->n -= 3;
    if (is(m, "_big") && !tcp) m->b[2] |= 2;
    if (is(m, "_big") && tcp) put_services(m);
}

/* Makes the reply of a query in place; false: none. */
static bool reply(message_t *m, bool tcp)
{
    size_t at = 12;
    if (m->n < 17) return false;
    while (at < m->n && m->b[at]) at += m->b[at] + 1u;
    if (at + 5 > m->n) return false;
    unsigned type = m->b[at + 1] << 8 | m->b[at + 2];
    m->n = at + 5;
    m->b[2] |= 0x80;
    m->b[3] = 0x80;
    memset(m->b + 6, 0, 6);
    if (is(m, "silent") || (is(m, "half") && type == TYPE_AAAA)) return false;
    if (is(m, "garbage")) memset(m->b + 2, 0xff, m->n - 2);
    else put_answers(m, type, tcp);
    return true;
}

static void serve_udp(int fd)
{
    static message_t m;
    net_addr_t peer = {.len = sizeof(peer.in6)};
    ssize_t n = recvfrom(fd, m.b, MESSAGE_MAX, 0, &peer.sa, &peer.len);
    if (n <= 0) return;
    m.n = (size_t)n;
    __atomic_add_fetch(&answerer_served->udp, 1, __ATOMIC_SEQ_CST);
    if (!reply(&m, false)) return;
    if (is(&m, "empty")) sendto(fd, "", 0, 0, &peer.sa, peer.len); /* before the true answer */
    sendto(fd, m.b, m.n, 0, &peer.sa, peer.len);
}

static void serve_tcp(int listener)
{
    static message_t m;
    unsigned char head[2];
    int fd = accept(listener, NULL, NULL);
    if (recv(fd, head, 2, MSG_WAITALL) == 2) {
        m.n = (size_t)(head[0] << 8 | head[1]);
        if (m.n <= MESSAGE_MAX && recv(fd, m.b, m.n, MSG_WAITALL) == (ssize_t)m.n) {
            __atomic_add_fetch(&answerer_served->tcp, 1, __ATOMIC_SEQ_CST);
            bool any = reply(&m, true);
            head[0] = (unsigned char)(m.n >> 8), head[1] = (unsigned char)m.n;
            if (any && send(fd, head, 2, 0) == 2) send(fd, m.b, m.n, 0);
        }
    }
    recv(fd, head, 1, 0); /* until the client closes */
    close(fd);
}

void answerer_start(void)
{
    answerer_served = shm_map(sizeof(*answerer_served));
    cr_assert(net_parse(STR("127.0.0.1"), 0, &answerer_addr));
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = -1;
    for (int i = 0; i < 20 && tcp < 0; i++) { /* a port that is free for both */
        net_set_port(&answerer_addr, 0);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        cr_assert_eq(bind(fd, &answerer_addr.sa, answerer_addr.len), 0);
        cr_assert(net_local(fd, &answerer_addr));
        if (bind(udp, &answerer_addr.sa, answerer_addr.len) == 0) tcp = fd;
        else close(fd);
    }
    cr_assert_eq(listen(tcp, 5), 0);
    process = fork();
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            struct pollfd p[2] = {{.fd = udp, .events = POLLIN}, {.fd = tcp, .events = POLLIN}};
            poll(p, 2, -1);
            if (p[0].revents) serve_udp(udp);
            if (p[1].revents) serve_tcp(tcp);
        }
    }
    close(udp);
    close(tcp);
}

void answerer_stop(void)
{
    int status;
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
}
