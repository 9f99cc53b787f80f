#include "core/io/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "core/base/list.h"
#include "core/io/loop.h"

enum {
    TRIES = 3,
    TRY_MIN_MS = 100, /* until the first repetition; it doubles with each */
    TRY_MAX_MS = 2000,
};

/* A socket of c-ares. */
typedef struct watch {
    list_t link;
    loop_fd_t io;
    dns_t *dns;
    bool read, write;
} watch_t;

struct dns {
    ares_channel channel;
    bool search, closing;
    fiber_t *driver;      /* NULL: nothing under way */
    unsigned outstanding; /* questions */
    list_t watches;
};

/* c-ares tells with each answer what it belongs to. */
typedef struct asked {
    dns_t *dns;
    dns_question_t *q;
} asked_t;

static const struct {
    int status, err;
    const char *why;
} outcomes[] = {
    {ARES_SUCCESS, 0, NULL},
    {ARES_ENODATA, -ENOENT, "3: Host not found"},
    {ARES_ENOTFOUND, -ENOENT, "3: Host not found"},
    {ARES_EBADNAME, -ENOENT, "3: Host not found"},
    {ARES_ETIMEOUT, -ETIMEDOUT, "110: Operation timed out"},
    {ARES_EFORMERR, -EIO, "1: Format error"},
    {ARES_EBADRESP, -EIO, "1: Format error"},
    {ARES_ENOTIMP, -EIO, "4: Unimplemented"},
    {ARES_EREFUSED, -EIO, "5: Operation refused"},
    {ARES_ECANCELLED, -ECANCELED, "resolver closed"},
    {ARES_EDESTRUCTION, -ECANCELED, "resolver closed"},
};

static int outcome(int status, const char **why)
{
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (outcomes[i].status != status) continue;
        *why = outcomes[i].why;
        return outcomes[i].err;
    }
    *why = "2: Server failure";
    return -EIO;
}

int dns_no_name(const char **why)
{
    return outcome(ARES_EBADNAME, why);
}

int dns_timed_out(const char **why)
{
    return outcome(ARES_ETIMEOUT, why);
}

/* --- questions --- */

/* The least TTL in the answer section (RFC 1035 4.1), which c-ares keeps to itself for SRV. */
static uint32_t least_ttl(const unsigned char *answer, int len)
{
    enum { HEAD = 12, QUESTION = 4, RECORD = 10 };
    uint32_t least = UINT32_MAX;
    const unsigned char *p = answer + HEAD, *end = answer + len;
    unsigned questions = (unsigned)answer[4] << 8 | answer[5];
    unsigned records = questions + ((unsigned)answer[6] << 8 | answer[7]);
    for (unsigned i = 0; i < records; i++) {
        char *name;
        long n;
        if (ares_expand_name(p, answer, len, &name, &n) != ARES_SUCCESS) break;
        ares_free_string(name);
        p += n;
        if (end - p < (i < questions ? QUESTION : RECORD)) break;
        if (i < questions) {
            p += QUESTION;
            continue;
        }
        uint32_t ttl = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7];
        if (ttl > INT32_MAX) ttl = 0; /* RFC 2181 8 */
        if (ttl < least) least = ttl;
        ptrdiff_t data = (ptrdiff_t)(p[8] << 8 | p[9]);
        if (end - p - RECORD < data) break;
        p += RECORD + data;
    }
    return least;
}

static int parse_services(dns_question_t *q, const unsigned char *answer, int len)
{
    struct ares_srv_reply *found;
    int status = ares_parse_srv_reply(answer, len, &found);
    if (status != ARES_SUCCESS) return status;
    q->services = calloc(DNS_ADDRS_MAX, sizeof(*q->services));
    for (const struct ares_srv_reply *s = found; q->services && s; s = s->next) {
        if (q->count == DNS_ADDRS_MAX) break;
        if (!s->host[0] || strlen(s->host) >= sizeof(q->services->target)) continue;
        dns_service_t *to = &q->services[q->count++];
        *to = (dns_service_t){.priority = s->priority, .weight = s->weight, .port = s->port};
        memcpy(to->target, s->host, strlen(s->host));
    }
    ares_free_data(found);
    q->ttl = least_ttl(answer, len);
    return !q->services ? ARES_ENOMEM : q->count ? ARES_SUCCESS : ARES_ENODATA;
}

/* The addresses of an answer; c-ares has lowered their TTLs to the least of the CNAMEs before
   them. */
static int parse_answer(dns_question_t *q, const unsigned char *answer, int len)
{
    static union {
        struct ares_addrttl v4[DNS_ADDRS_MAX];
        struct ares_addr6ttl v6[DNS_ADDRS_MAX];
    } found;
    bool v4 = q->family == AF_INET;
    int n = DNS_ADDRS_MAX;
    int status = v4 ? ares_parse_a_reply(answer, len, NULL, found.v4, &n)
                    : ares_parse_aaaa_reply(answer, len, NULL, found.v6, &n);
    if (status != ARES_SUCCESS) return status;
    if (n <= 0) return ARES_ENODATA;
    q->bytes = calloc((size_t)n, sizeof(*q->bytes));
    if (!q->bytes) return ARES_ENOMEM;
    q->count = (unsigned)n;
    q->ttl = UINT32_MAX;
    for (int i = 0; i < n; i++) {
        int ttl = v4 ? found.v4[i].ttl : found.v6[i].ttl;
        if (ttl < 0) ttl = 0; /* RFC 2181 8 */
        if ((uint32_t)ttl < q->ttl) q->ttl = (uint32_t)ttl;
        if (v4) memcpy(q->bytes[i], &found.v4[i].ipaddr, sizeof(found.v4[i].ipaddr));
        else memcpy(q->bytes[i], &found.v6[i].ip6addr, sizeof(found.v6[i].ip6addr));
    }
    return ARES_SUCCESS;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    asked_t *asked = arg;
    dns_question_t *q = asked->q;
    (void)timeouts;
    asked->dns->outstanding--;
    free(asked);
    if (status == ARES_SUCCESS)
        status = q->family == AF_UNSPEC ? parse_services(q, answer, len)
                                        : parse_answer(q, answer, len);
    q->err = outcome(status, &q->why);
    q->done(q);
}

void dns_ask(dns_t *dns, dns_question_t *q, const char *name)
{
    int type = q->family == AF_INET ? ns_t_a : q->family == AF_INET6 ? ns_t_aaaa : ns_t_srv;
    asked_t *asked = malloc(sizeof(*asked));
    if (!asked) {
        q->err = outcome(ARES_ENOMEM, &q->why);
        q->done(q);
        return;
    }
    *asked = (asked_t){.dns = dns, .q = q};
    dns->outstanding++;
    if (dns->search && !strchr(name, '.'))
        ares_search(dns->channel, name, ns_c_in, type, on_answer, asked);
    else
        ares_query(dns->channel, name, ns_c_in, type, on_answer, asked);
}

void dns_forget(dns_question_t *q)
{
    free(q->bytes);
    free(q->services);
    *q = (dns_question_t){.family = q->family, .done = q->done};
}

/* --- c-ares on the loop --- */

static void on_event(loop_fd_t *io, unsigned events)
{
    dns_t *dns = LIST_OF(io, watch_t, io)->dns;
    (void)events;
    if (dns->driver) fiber_wake(dns->driver);
}

static watch_t *find_watch(dns_t *dns, ares_socket_t fd)
{
    LIST_EACH(l, &dns->watches) {
        watch_t *w = LIST_OF(l, watch_t, link);
        if (w->io.fd == fd) return w;
    }
    return NULL;
}

/* c-ares opens a socket, wants other events of it, or (neither) is about to close it. */
static void on_socket(void *arg, ares_socket_t fd, int want_read, int want_write)
{
    dns_t *dns = arg;
    watch_t *w = find_watch(dns, fd);
    if (!want_read && !want_write) {
        if (!w) return;
        loop_remove(&w->io);
        list_remove(&w->link);
        free(w);
        return;
    }
    if (!w) {
        w = calloc(1, sizeof(*w));
        if (!w) return; /* unheard answers are timeouts */
        w->dns = dns;
        w->io.on_ready = on_event;
        list_push(&dns->watches, &w->link);
        (void)loop_add(&w->io, fd); /* as above */
    }
    w->read = want_read;
    w->write = want_write;
}

/*
 * Lets c-ares work on one socket that is ready. It reads as much as it likes, not until nothing is
 * left, so the kernel is asked rather than the edges remembered.
 */
static bool process_one(dns_t *dns)
{
    LIST_EACH(l, &dns->watches) {
        watch_t *w = LIST_OF(l, watch_t, link);
        struct pollfd p = {.fd = w->io.fd};
        p.events = (short)((w->read ? POLLIN : 0) | (w->write ? POLLOUT : 0));
        if (poll(&p, 1, 0) <= 0) continue;
        bool readable = p.revents & (POLLIN | POLLERR | POLLHUP);
        ares_process_fd(dns->channel, readable ? p.fd : ARES_SOCKET_BAD,
                        p.revents & POLLOUT ? p.fd : ARES_SOCKET_BAD);
        return true; /* the list may be another one now */
    }
    return false;
}

static uint64_t next_timeout_ms(dns_t *dns)
{
    struct timeval tv;
    if (!ares_timeout(dns->channel, NULL, &tv)) return UINT64_MAX;
    return (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1;
}

static void release(dns_t *dns)
{
    ares_library_cleanup();
    free(dns);
}

static void drive(void *arg)
{
    dns_t *dns = arg;
    while (!dns->closing && dns->outstanding) {
        if (process_one(dns)) {
            fiber_yield();
            continue;
        }
        if (fiber_suspend(next_timeout_ms(dns)) == -ETIMEDOUT && !dns->closing)
            ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    dns->driver = NULL;
    if (dns->closing) release(dns);
}

bool dns_drive(dns_t *dns)
{
    if (dns->driver) fiber_wake(dns->driver); /* a new question may be due sooner */
    else dns->driver = fiber_start(drive, dns);
    return dns->driver;
}

/* --- opening and closing --- */

static bool set_servers(dns_t *dns, const net_addr_t *servers, unsigned count)
{
    struct ares_addr_port_node *nodes;
    if (count == 0) return true;
    nodes = calloc(count, sizeof(*nodes));
    if (!nodes) return false;
    for (unsigned i = 0; i < count; i++) {
        const net_addr_t *a = &servers[i];
        str_t bytes = net_bytes(a);
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
        nodes[i].family = a->sa.sa_family;
        nodes[i].udp_port = nodes[i].tcp_port = net_port(a);
        memcpy(&nodes[i].addr, bytes.p, bytes.n);
    }
    int status = ares_set_servers_ports(dns->channel, nodes);
    free(nodes);
    return status == ARES_SUCCESS;
}

static bool open_channel(dns_t *dns, uint64_t timeout_ms)
{
    uint64_t first_try = timeout_ms / TRIES;
    if (first_try < TRY_MIN_MS) first_try = TRY_MIN_MS;
    if (first_try > TRY_MAX_MS) first_try = TRY_MAX_MS;
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = (int)first_try,
        .tries = TRIES,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = dns,
    };
    return ares_init_options(&dns->channel, &options,
                             ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                 ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS;
}

dns_t *dns_open(const net_addr_t *servers, unsigned count, uint64_t timeout_ms)
{
    dns_t *dns = calloc(1, sizeof(*dns));
    if (!dns) return NULL;
    dns->search = count == 0;
    list_init(&dns->watches);
    ares_library_init(ARES_LIB_INIT_ALL);
    if (open_channel(dns, timeout_ms)) {
        if (set_servers(dns, servers, count)) return dns;
        ares_destroy(dns->channel);
    }
    release(dns);
    return NULL;
}

void dns_close(dns_t *dns)
{
    if (!dns) return;
    dns->closing = true;
    ares_destroy(dns->channel);
    if (dns->driver) fiber_wake(dns->driver);
    else release(dns);
}
