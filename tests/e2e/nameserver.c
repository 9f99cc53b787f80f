#include "tests/e2e/nameserver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAMES = 32, NAME = 128, TEXT = 512, MESSAGE = 1500 };

typedef struct known {
    char name[NAME], answer[TEXT];
    unsigned asked, asked_tcp;
} known_t;

struct nameserver {
    pthread_t thread;
    pthread_mutex_t lock;
    int udp, tcp, stop[2];
    known_t names[NAMES];
    unsigned count;
};

typedef struct message {
    unsigned char b[MESSAGE];
    size_t n;        /* bytes */
    size_t question; /* the end of the question section */
    char name[NAME];
    unsigned type;
} message_t;

/* --- messages --- */

static void put16(message_t *m, unsigned v)
{
    m->b[m->n++] = (unsigned char)(v >> 8);
    m->b[m->n++] = (unsigned char)v;
}

static void put_name(message_t *m, const char *name)
{
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, ".");
        m->b[m->n++] = (unsigned char)n;
        memcpy(m->b + m->n, p, n);
        m->n += n;
        p += n + (p[n] == '.');
    }
    m->b[m->n++] = 0;
}

/* The head of a record for the name that was asked for; where its length stands. */
static size_t begin_record(message_t *m, unsigned type, unsigned ttl)
{
    put16(m, 0xc00c);
    put16(m, type);
    put16(m, ns_c_in);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    put16(m, 0);
    m->b[7]++;
    return m->n - 2;
}

static void end_record(message_t *m, size_t at)
{
    size_t n = m->n - at - 2;
    m->b[at] = (unsigned char)(n >> 8);
    m->b[at + 1] = (unsigned char)n;
}

static bool read_question(message_t *m)
{
    size_t at = 12, n = 0;
    if (m->n < 17 || m->b[2] & 0x80 || m->b[5] != 1) return false;
    while (at < m->n && m->b[at]) {
        size_t label = m->b[at++];
        if (label > 63 || at + label >= m->n || n + label + 2 > sizeof(m->name)) return false;
        if (n) m->name[n++] = '.';
        memcpy(m->name + n, m->b + at, label);
        n += label;
        at += label;
    }
    m->name[n] = '\0';
    if (at + 5 > m->n) return false;
    m->type = (unsigned)m->b[at + 1] << 8 | m->b[at + 2];
    m->n = m->question = at + 5; /* what else there is (EDNS) is not answered */
    return true;
}

/* --- answers --- */

static void put_addresses(message_t *m, unsigned type, unsigned ttl, char *rest)
{
    char *save, *word;
    int family = type == ns_t_a ? AF_INET : AF_INET6;
    size_t n = type == ns_t_a ? 4 : 16;
    for (word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        size_t at = begin_record(m, type, ttl);
        if (inet_pton(family, word, m->b + m->n) != 1) abort();
        m->n += n;
        end_record(m, at);
    }
}

static void put_services(message_t *m, unsigned ttl, char *rest)
{
    char *save, *item;
    for (item = strtok_r(rest, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        unsigned priority, weight, port;
        char target[NAME];
        if (sscanf(item, "%u %u %u %127s", &priority, &weight, &port, target) != 4) abort();
        size_t at = begin_record(m, ns_t_srv, ttl);
        put16(m, priority);
        put16(m, weight);
        put16(m, port);
        put_name(m, target);
        end_record(m, at);
    }
}

static void put_records(message_t *m, char *text)
{
    int n = 0;
    char type[8];
    unsigned ttl;
    if (sscanf(text, "%7s %u %n", type, &ttl, &n) != 2) abort();
    if (strcmp(type, "A") == 0 && m->type == ns_t_a) put_addresses(m, ns_t_a, ttl, text + n);
    if (strcmp(type, "AAAA") == 0 && m->type == ns_t_aaaa)
        put_addresses(m, ns_t_aaaa, ttl, text + n);
    if (strcmp(type, "SRV") == 0 && m->type == ns_t_srv) put_services(m, ttl, text + n);
}

static bool take(char **text, const char *word)
{
    size_t n = strlen(word);
    if (strncmp(*text, word, n) != 0) return false;
    *text += n;
    return true;
}

/* Makes an answer of the question. False: there is none. */
static bool make_answer(message_t *m, char *text, bool tcp)
{
    m->b[2] = 0x84 | (m->b[2] & 1); /* an authoritative response */
    m->b[3] = 0x80;
    memset(m->b + 6, 0, 6);
    if (take(&text, "SILENT")) return false;
    if (take(&text, "SERVFAIL")) return m->b[3] |= ns_r_servfail;
    if (take(&text, "NXDOMAIN")) return m->b[3] |= ns_r_nxdomain;
    if (take(&text, "REFUSED")) return m->b[3] |= ns_r_refused;
    if (take(&text, "TRUNCATED ") && !tcp) {
        m->b[2] |= 2;
        return true;
    }
    if (take(&text, "MISMATCHED ")) m->b[13] ^= 1; /* the first letter of the name */
    put_records(m, text);
    return true;
}

static bool answer(nameserver_t *ns, message_t *m, bool tcp)
{
    char text[TEXT] = "NXDOMAIN";
    if (!read_question(m)) return false;
    pthread_mutex_lock(&ns->lock);
    for (unsigned i = 0; i < ns->count; i++) {
        known_t *k = &ns->names[i];
        if (strcasecmp(k->name, m->name) != 0) continue;
        memcpy(text, k->answer, sizeof(text));
        k->asked++;
        k->asked_tcp += tcp;
    }
    pthread_mutex_unlock(&ns->lock);
    return make_answer(m, text, tcp);
}

/* --- the thread --- */

static void serve_udp(nameserver_t *ns)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    message_t m = {0};
    ssize_t n = recvfrom(ns->udp, m.b, 512, MSG_DONTWAIT, (struct sockaddr *)&peer, &len);
    if (n <= 0) return;
    m.n = (size_t)n;
    if (answer(ns, &m, false)) sendto(ns->udp, m.b, m.n, 0, (struct sockaddr *)&peer, len);
}

static void serve_tcp(nameserver_t *ns)
{
    message_t m = {0};
    unsigned char head[2];
    const struct timeval patience = {.tv_sec = 2};
    int fd = accept4(ns->tcp, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (recv(fd, head, 2, MSG_WAITALL) == 2) {
        size_t n = (size_t)head[0] << 8 | head[1];
        if (n > 512 || recv(fd, m.b, n, MSG_WAITALL) != (ssize_t)n) break;
        m.n = n;
        if (!answer(ns, &m, true)) continue;
        head[0] = (unsigned char)(m.n >> 8);
        head[1] = (unsigned char)m.n;
        send(fd, head, 2, MSG_NOSIGNAL | MSG_MORE);
        send(fd, m.b, m.n, MSG_NOSIGNAL);
    }
    close(fd);
}

static void *serve(void *arg)
{
    nameserver_t *ns = arg;
    struct pollfd p[] = {{ns->udp, POLLIN, 0}, {ns->tcp, POLLIN, 0}, {ns->stop[0], POLLIN, 0}};
    while (poll(p, 3, -1) > 0 && !p[2].revents) {
        if (p[0].revents) serve_udp(ns);
        if (p[1].revents) serve_tcp(ns);
    }
    return NULL;
}

static void stop(void *arg)
{
    nameserver_t *ns = arg;
    close(ns->stop[1]);
    pthread_join(ns->thread, NULL);
    close(ns->stop[0]);
    close(ns->udp);
    close(ns->tcp);
}

/* --- for the test --- */

static int bound(int type, uint16_t port)
{
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

nameserver_t *nameserver_start(const char *name)
{
    nameserver_t *ns = POOL_NEW(harness_pool, nameserver_t);
    uint16_t port = harness_port(name);
    pthread_mutex_init(&ns->lock, NULL);
    ns->udp = bound(SOCK_DGRAM, port);
    ns->tcp = bound(SOCK_STREAM, port);
    cr_assert_eq(listen(ns->tcp, 64), 0);
    cr_assert_eq(pipe(ns->stop), 0);
    cr_assert_eq(pthread_create(&ns->thread, NULL, serve, ns), 0);
    harness_at_end(stop, ns);
    return ns;
}

static known_t *find(nameserver_t *ns, const char *name)
{
    for (unsigned i = 0; i < ns->count; i++)
        if (strcmp(ns->names[i].name, name) == 0) return &ns->names[i];
    return NULL;
}

void nameserver_set(nameserver_t *ns, const char *name, const char *answer_text)
{
    const char *text_ = harness_expand(answer_text);
    pthread_mutex_lock(&ns->lock);
    known_t *k = find(ns, name);
    if (!k) {
        k = &ns->names[ns->count++];
        snprintf(k->name, sizeof(k->name), "%s", name);
    }
    snprintf(k->answer, sizeof(k->answer), "%s", text_);
    pthread_mutex_unlock(&ns->lock);
}

static unsigned count(nameserver_t *ns, const char *name, bool tcp)
{
    pthread_mutex_lock(&ns->lock);
    const known_t *k = find(ns, name);
    unsigned n = !k ? 0 : tcp ? k->asked_tcp : k->asked;
    pthread_mutex_unlock(&ns->lock);
    return n;
}

unsigned nameserver_asked(nameserver_t *ns, const char *name)
{
    return count(ns, name, false);
}

unsigned nameserver_asked_tcp(nameserver_t *ns, const char *name)
{
    return count(ns, name, true);
}
