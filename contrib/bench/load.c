/*
 * load: an HTTP/1.1 load generator that believes no answer it has not checked.
 *
 *     load --to PORT --path /1024 [options]          everything on 127.0.0.1
 *
 *     --conns N        connections at a time (1)
 *     --requests N     how many in all, or --seconds S for as many as fit
 *     --new            a new connection for every request (Connection: close, waits for the end)
 *     --post S         POST with S bytes of body instead of GET
 *     --expect N       the exact length every answer's body must have, as it comes
 *     --keys N         N different targets ("?" and eight digits behind the path): of N requests each
 *                      has another
 *     --accept CODING  asks for a content coding; it is not unpacked
 *     --verify         also compare every byte of the body with the origin's pattern
 *     --rate R         R requests a second on a fixed schedule; latency counts from the schedule, so
 *                      that a stall is charged to everybody who had to wait behind it
 *     --slow B         every connection reads B bytes a second (its receive buffer is small)
 *     --idle           each connection makes one request and then stays open, unused, until stdin
 *                      is closed; a first line of JSON is printed once all are idle
 *     --sources K      spread client addresses over 127.0.0.1 .. 127.0.0.K
 *
 * A request counts when status is 200, the body is framed by Content-Length or chunks and complete,
 * and its length is the expected one; anything else is an error, as is an answer that takes longer
 * than 20 seconds. Prints one line of JSON: requests, errors, seconds, mb (body megabytes) and the
 * latency in microseconds: p50 p90 p99 max. Exit status 1 when there were errors.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BODY_PATTERN "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY" /* as origin.c */
#define PATTERN_LEN 61u
#define HEAD_MAX 4096
#define KEY_LEN 8
#define KEY_STEP 2654435761u /* a prime: through all keys, in no order that anything else has */
#define SECOND 1000000000ull
#define PATIENCE (20 * SECOND)
#define SLOW_TICK (SECOND / 200) /* one of SLOW_COHORTS reads per tick */
#define SLOW_COHORTS 20
#define OPENING_MAX 64 /* requests in flight while idle connections are being opened */

typedef enum { ST_FREE, ST_HEAD, ST_SIZE, ST_BODY, ST_CRLF, ST_TRAILER, ST_END } state_t;

typedef struct conn {
    int fd;
    state_t state;
    bool chunked, close, registered;
    uint32_t head_len;   /* bytes of head, chunk size line or trailer line in head[] */
    uint64_t left;       /* of the body, or of the chunk */
    uint64_t got;        /* body bytes of this answer */
    uint64_t unsent;     /* of the request */
    uint64_t key;        /* of --keys */
    uint64_t start;      /* when it was due, ns */
    struct conn *next_free;
    char head[HEAD_MAX];
} conn_t;

static struct {
    uint16_t port;
    const char *path, *accept;
    uint64_t conns, requests, post, expect, rate, slow, sources, keys;
    double seconds;
    bool fresh, verify, idle, has_expect;
} opt = {.path = "/", .conns = 1, .sources = 1};

#define HIST_SUB 128 /* steps per power of two: 1.6% resolution */
static uint64_t hist[64 * HIST_SUB];
static uint64_t done, errors, started, bytes, begin, finish, lat_max, next_due, in_flight;
static const char *first_error;
static bool stopping;
static conn_t *conns, *free_first;
static char *request, *request_key, *pattern;
static uint64_t request_len;
static char buf[1 << 18];
static int ep;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* Latency: a histogram with logarithmic steps. */

static unsigned hist_slot(uint64_t ns)
{
    unsigned top = ns < HIST_SUB ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 6u;
    return top * HIST_SUB + (unsigned)(ns >> top) % HIST_SUB;
}

static void hist_add(uint64_t ns)
{
    hist[hist_slot(ns)]++;
    if (ns > lat_max)
        lat_max = ns;
}

static double hist_us(double share)
{
    uint64_t total = 0, sum = 0;
    for (unsigned i = 0; i < 64 * HIST_SUB; i++)
        total += hist[i];
    uint64_t want = (uint64_t)((double)total * share);
    for (unsigned i = 0; i < 64 * HIST_SUB; i++) {
        sum += hist[i];
        if (sum > want)
            return (double)((uint64_t)(i % HIST_SUB) << (i / HIST_SUB)) / 1000.0;
    }
    return (double)lat_max / 1000.0;
}

/* Connections. */

static void conn_shut(conn_t *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->registered = false;
}

static void conn_free(conn_t *c)
{
    c->state = ST_FREE;
    in_flight--;
    if (opt.idle && c->fd >= 0)
        return; /* it has made its one request */
    c->next_free = free_first;
    free_first = c;
}

static void conn_fail(conn_t *c, const char *why)
{
    if (!first_error)
        first_error = why;
    errors++;
    conn_shut(c);
    conn_free(c);
}

static bool conn_open(conn_t *c)
{
    static uint32_t turn;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(opt.port)}, from = to;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, small = 16384;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (opt.slow)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (opt.sources > 1) {
        from.sin_port = 0;
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % (uint32_t)opt.sources);
        setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
            return false;
    }
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        return false;
    return true;
}

/* Sends what is left of the request. False: the connection is broken. */
static void put_key(uint64_t key)
{
    for (int i = KEY_LEN; i-- > 0; key /= 10)
        request_key[i] = (char)('0' + key % 10);
}

static bool conn_send(conn_t *c)
{
    if (opt.keys)
        put_key(c->key);
    while (c->unsent > 0) {
        ssize_t n = send(c->fd, request + (request_len - c->unsent), c->unsent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        c->unsent -= (uint64_t)n;
    }
    return true;
}

static bool conn_register(conn_t *c)
{
    if (c->registered || opt.slow)
        return true; /* slow connections are read by the clock */
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    c->registered = epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == 0;
    return c->registered;
}

static void conn_start(conn_t *c, uint64_t due)
{
    c->state = ST_HEAD;
    c->head_len = 0;
    c->got = c->left = 0;
    c->chunked = c->close = false;
    c->unsent = request_len;
    c->start = due;
    if (opt.keys)
        c->key = started * KEY_STEP % opt.keys;
    started++;
    in_flight++;
    bool opened = c->fd >= 0;
    if ((!opened && !conn_open(c)) || (opened && !conn_send(c)) || !conn_register(c))
        conn_fail(c, "cannot connect or send");
}

static bool may_start(void)
{
    return !stopping && (opt.requests == 0 || started < opt.requests);
}

static void conn_done(conn_t *c)
{
    done++;
    bytes += c->got;
    if (c->close)
        conn_shut(c);
    conn_free(c);
}

/* The answer is complete: takes its time, and waits for the end of the connection if that is due. */
static void conn_complete(conn_t *c)
{
    if (opt.has_expect && c->got != opt.expect) {
        conn_fail(c, "wrong body length");
        return;
    }
    hist_add(now_ns() - c->start);
    if (opt.fresh)
        c->state = ST_END;
    else
        conn_done(c);
}

/* Answers. */

/* Reads the head in c->head (NUL-terminated). NULL, or what is wrong with it. */
static const char *head_parse(conn_t *c)
{
    bool has_length = false;
    if (strncmp(c->head, "HTTP/1.1 200 ", 13) != 0)
        return "status is not 200";
    for (char *p = strchr(c->head, '\n'); p; p = strchr(p, '\n')) {
        p++;
        if (strncasecmp(p, "content-length:", 15) == 0) {
            c->left = strtoull(p + 15, NULL, 10);
            has_length = true;
        } else if (strncasecmp(p, "transfer-encoding: chunked", 26) == 0) {
            c->chunked = true;
        } else if (strncasecmp(p, "connection: close", 17) == 0) {
            c->close = true;
        }
    }
    if (opt.fresh && !c->close)
        return "no Connection: close where it was asked for";
    return has_length == c->chunked ? "neither length nor chunks, or both" : NULL;
}

/* Appends bytes up to and with `end` to c->head. True: the end was found. */
static bool head_gather(conn_t *c, const char **p, size_t *n, const char *end)
{
    size_t want = strlen(end);
    while (*n > 0 && c->head_len < HEAD_MAX - 1) {
        const char *nl = memchr(*p, '\n', *n);
        size_t k = nl ? (size_t)(nl + 1 - *p) : *n;
        k = k < HEAD_MAX - 1 - c->head_len ? k : HEAD_MAX - 1 - c->head_len;
        memcpy(c->head + c->head_len, *p, k);
        c->head_len += (uint32_t)k;
        *p += k;
        *n -= k;
        if (c->head_len >= want && memcmp(c->head + c->head_len - want, end, want) == 0) {
            c->head[c->head_len] = 0;
            return true;
        }
    }
    return false;
}

static bool body_matches(const conn_t *c, const char *p, size_t n)
{
    for (uint64_t at = c->got; n > 0;) {
        size_t k = n < sizeof(buf) ? n : sizeof(buf);
        if (memcmp(p, pattern + at % PATTERN_LEN, k) != 0)
            return false;
        p += k, n -= k, at += k;
    }
    return true;
}

static const char *line_parse(conn_t *c)
{
    char *end;
    if (c->state == ST_SIZE) {
        c->left = strtoull(c->head, &end, 16);
        if (end == c->head || *end != '\r')
            return "bad chunk size";
        c->state = c->left ? ST_BODY : ST_TRAILER;
    } else if (c->state == ST_CRLF) {
        if (c->head_len != 2)
            return "chunk does not end where it should";
        c->state = ST_SIZE;
    } else if (c->head_len == 2) {
        c->state = ST_END;
    }
    c->head_len = 0;
    return NULL;
}

/* Moves on over the bytes at *p. NULL, or what is wrong. Stops at ST_END. */
static const char *answer_eat(conn_t *c, const char **p, size_t *n)
{
    const char *wrong = NULL;
    while (*n > 0 && c->state != ST_END && !wrong) {
        if (c->state == ST_HEAD) {
            if (!head_gather(c, p, n, "\r\n\r\n"))
                return c->head_len == HEAD_MAX - 1 ? "head too large" : NULL;
            wrong = head_parse(c);
            c->head_len = 0;
            c->state = c->chunked ? ST_SIZE : c->left ? ST_BODY : ST_END;
        } else if (c->state == ST_BODY) {
            size_t k = *n < c->left ? *n : c->left;
            if (opt.verify && !body_matches(c, *p, k))
                return "body differs";
            c->got += k, c->left -= k, *p += k, *n -= k;
            if (c->left == 0)
                c->state = c->chunked ? ST_CRLF : ST_END;
        } else {
            if (!head_gather(c, p, n, "\r\n"))
                return c->head_len == HEAD_MAX - 1 ? "line too long" : NULL;
            wrong = line_parse(c);
        }
    }
    return wrong;
}

/* Body bytes whose content is not looked at need not be copied out of the kernel. */
static ssize_t conn_skip(conn_t *c, size_t max)
{
    ssize_t n = recv(c->fd, NULL, c->left < max ? c->left : max, MSG_TRUNC);
    if (n > 0) {
        c->left -= (uint64_t)n;
        c->got += (uint64_t)n;
        if (c->left == 0)
            c->state = c->chunked ? ST_CRLF : ST_END;
    }
    return n;
}

static void conn_ended(conn_t *c)
{
    if (c->state == ST_END && opt.fresh)
        conn_done(c);
    else if (c->state == ST_FREE)
        conn_shut(c);
    else
        conn_fail(c, "connection closed within an answer");
}

/* Reads up to `max` bytes. False: nothing more to read now. */
static bool conn_read(conn_t *c, size_t max)
{
    const char *p = buf, *wrong = NULL;
    bool skip = c->state == ST_BODY && !opt.verify;
    size_t room = max < sizeof(buf) ? max : sizeof(buf), rest = 0;
    ssize_t n = skip ? conn_skip(c, max) : recv(c->fd, buf, room, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        conn_ended(c);
        return false;
    }
    if (!skip) {
        rest = (size_t)n;
        wrong = c->state == ST_END || c->state == ST_FREE ? "bytes after the answer"
                                                          : answer_eat(c, &p, &rest);
    }
    if (!wrong && rest > 0)
        wrong = "bytes after the answer";
    if (wrong) {
        if (c->state == ST_FREE)
            conn_shut(c), errors++;
        else
            conn_fail(c, wrong);
        return false;
    }
    if (c->state == ST_END)
        conn_complete(c);
    return c->state == ST_BODY || c->state == ST_END || (size_t)n == room;
}

static void conn_event(conn_t *c, uint32_t events)
{
    if (c->fd < 0)
        return;
    if (events & EPOLLOUT && c->unsent > 0 && !conn_send(c)) {
        conn_fail(c, "cannot connect or send");
        return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        while (c->fd >= 0 && conn_read(c, SIZE_MAX >> 1))
            ;
}

/* The three ways to decide when the next request begins. */

static void start_closed(uint64_t now)
{
    uint64_t limit = opt.idle ? OPENING_MAX : opt.conns;
    while (free_first && in_flight < limit && may_start()) {
        conn_t *c = free_first;
        free_first = c->next_free;
        conn_start(c, now);
    }
}

static void start_scheduled(uint64_t now)
{
    while (free_first && next_due <= now && may_start()) {
        conn_t *c = free_first;
        free_first = c->next_free;
        conn_start(c, next_due);
        next_due += SECOND / opt.rate;
    }
}

/* Slow clients arrive over a second, not at once. */
static void start_slow(uint64_t now)
{
    uint64_t arrived = now - begin < SECOND ? opt.conns * (now - begin) / SECOND : opt.conns;
    while (free_first && in_flight < arrived && may_start()) {
        conn_t *c = free_first;
        free_first = c->next_free;
        conn_start(c, now);
    }
}

static void slow_turn(uint64_t turn)
{
    size_t share = (size_t)(opt.slow * SLOW_TICK * SLOW_COHORTS / SECOND);
    for (uint64_t i = turn % SLOW_COHORTS; i < opt.conns; i += SLOW_COHORTS) {
        conn_t *c = &conns[i];
        if (c->state == ST_FREE)
            continue;
        if (c->unsent > 0 && !conn_send(c))
            conn_fail(c, "cannot connect or send");
        else if (c->unsent == 0)
            conn_read(c, share);
    }
}

static int64_t wait_ns(uint64_t now)
{
    uint64_t until = now + (stopping && in_flight == 0 ? 0 : SECOND / 10);
    if (opt.rate && free_first && !stopping && next_due < until)
        until = next_due;
    if (opt.slow)
        until = next_due;
    return until > now ? (int64_t)(until - now) : 0;
}

static void turn(void)
{
    static struct epoll_event ev[512];
    uint64_t now = now_ns();
    if (finish && now >= finish)
        stopping = true;
    if (opt.rate)
        start_scheduled(now);
    else if (opt.slow)
        start_slow(now);
    else
        start_closed(now);
    int64_t wait = wait_ns(now);
    struct timespec t = {wait / (int64_t)SECOND, wait % (int64_t)SECOND};
    int n = epoll_pwait2(ep, ev, 512, &t, NULL);
    for (int i = 0; i < n; i++)
        conn_event(ev[i].data.ptr, ev[i].events);
    for (; opt.slow && next_due <= now_ns(); next_due += SLOW_TICK)
        slow_turn(next_due / SLOW_TICK);
}

static void give_up_late(void)
{
    static uint64_t checked;
    uint64_t now = now_ns();
    if (now < checked + SECOND || opt.slow)
        return;
    checked = now;
    for (uint64_t i = 0; i < opt.conns; i++)
        if (conns[i].state != ST_FREE && conns[i].start + PATIENCE < now)
            conn_fail(&conns[i], "no complete answer within 20 s");
}

static void report(void)
{
    double s = (double)(now_ns() - begin) / 1e9;
    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"mb\": %.3f, ",
           (unsigned long long)done, (unsigned long long)errors, s, (double)bytes / 1e6);
    printf("\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f, \"error\": \"%s\"}\n",
           hist_us(0.5), hist_us(0.9), hist_us(0.99), (double)lat_max / 1000.0,
           first_error ? first_error : "");
    fflush(stdout);
}

/* Keeps the connections until stdin ends. Those that the server closes meanwhile are errors. */
static void idle_until_told(void)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ev[64];
    stopping = true;
    report();
    if (epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &e) < 0)
        return; /* not a pipe: nobody can tell */
    for (bool told = false; !told;) {
        int n = epoll_wait(ep, ev, 64, -1);
        for (int i = 0; i < n; i++) {
            if (!ev[i].data.ptr)
                told = read(STDIN_FILENO, buf, sizeof(buf)) <= 0;
            else if (ev[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
                errors++;
                first_error = "server closed an idle connection";
                conn_shut(ev[i].data.ptr);
            }
        }
    }
}

static bool numeric_option(int name, const char *value)
{
    uint64_t n = strtoull(value, NULL, 10);
    switch (name) {
    case 't': opt.port = (uint16_t)n; break;
    case 'c': opt.conns = n; break;
    case 'r': opt.requests = n; break;
    case 'p': opt.post = n; break;
    case 'e': opt.expect = n; opt.has_expect = true; break;
    case 'R': opt.rate = n; break;
    case 'S': opt.slow = n; break;
    case 'k': opt.sources = n; break;
    case 'K': opt.keys = n; break;
    default: return false;
    }
    return true;
}

static void options(int argc, char **argv)
{
    static const struct option names[] = {
        {"to", 1, 0, 't'},      {"path", 1, 0, 'P'},   {"conns", 1, 0, 'c'}, {"requests", 1, 0, 'r'},
        {"seconds", 1, 0, 's'}, {"new", 0, 0, 'n'},    {"post", 1, 0, 'p'},  {"expect", 1, 0, 'e'},
        {"verify", 0, 0, 'v'},  {"rate", 1, 0, 'R'},   {"slow", 1, 0, 'S'},  {"idle", 0, 0, 'i'},
        {"sources", 1, 0, 'k'}, {"accept", 1, 0, 'a'}, {"keys", 1, 0, 'K'},
        {0, 0, 0, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (o == 'P')
            opt.path = optarg;
        else if (o == 'a')
            opt.accept = optarg;
        else if (o == 's')
            opt.seconds = atof(optarg);
        else if (o == 'n')
            opt.fresh = true;
        else if (o == 'v')
            opt.verify = true;
        else if (o == 'i')
            opt.idle = true;
        else if (!numeric_option(o, optarg))
            exit(2);
    }
    if (!opt.port || !opt.conns || (!opt.requests && opt.seconds == 0 && !opt.idle)) {
        fprintf(stderr, "usage: load --to PORT --path PATH (--requests N | --seconds S | --idle)\n");
        exit(2);
    }
    if (opt.idle)
        opt.requests = opt.conns;
}

static void request_make(void)
{
    char head[1024], key[KEY_LEN + 2] = "", length[96] = "", accept[96] = "";
    if (opt.post)
        snprintf(length, sizeof(length), "Content-Type: text/plain\r\nContent-Length: %llu\r\n",
                 (unsigned long long)opt.post);
    if (opt.accept)
        snprintf(accept, sizeof(accept), "Accept-Encoding: %s\r\n", opt.accept);
    if (opt.keys)
        snprintf(key, sizeof(key), "?%0*d", KEY_LEN, 0);
    int n = snprintf(head, sizeof(head),
                     "%s %s%s HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: load/1\r\n"
                     "Accept: */*\r\n%s%s%s\r\n",
                     opt.post ? "POST" : "GET", opt.path, key, accept, length,
                     opt.fresh ? "Connection: close\r\n" : "");
    request_len = (uint64_t)n + opt.post;
    request = malloc(request_len);
    pattern = malloc(sizeof(buf) + PATTERN_LEN);
    if (!request || !pattern || n >= (int)sizeof(head))
        die("request");
    memcpy(request, head, (size_t)n);
    memset(request + n, 'x', opt.post);
    request_key = request + (opt.post ? 5 : 4) + strlen(opt.path) + 1;
    for (size_t i = 0; i < sizeof(buf) + PATTERN_LEN; i++)
        pattern[i] = BODY_PATTERN[i % PATTERN_LEN];
}

int main(int argc, char **argv)
{
    options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    request_make();
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(opt.conns, sizeof(*conns));
    if (ep < 0 || !conns)
        die("load");
    in_flight = opt.conns;
    for (uint64_t i = opt.conns; i-- > 0;) {
        conns[i].fd = -1;
        conn_free(&conns[i]);
    }
    begin = next_due = now_ns();
    if (opt.seconds > 0)
        finish = begin + (uint64_t)(opt.seconds * 1e9);
    while ((may_start() || (in_flight > 0 && !opt.slow)) && (errors < 1000 || done > errors)) {
        turn();
        give_up_late();
    }
    if (opt.idle)
        idle_until_told();
    report();
    return errors > 0;
}
