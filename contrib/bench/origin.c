/*
 * origin: the barest HTTP/1.1 server that can be measured against.
 *
 *     origin [--port P] [--sendfile] [--addresses N]
 *                                        listens on 127.0.0.1 to 127.0.0.N, prints "port P"
 *
 *     GET /N            200 with N bytes of the pattern (see BODY_PATTERN), one writev; with
 *                       --sendfile large bodies are not copied, as a server of files would
 *     GET /text/N       the same with a page of text and markup, which packs about as real ones do
 *     GET /hold/N       the same, but only after somebody asked for /release
 *     GET /release      answers everything held, then itself
 *     GET /waiting      the number of requests held now, as decimal digits
 *     GET /accepted     the number of connections accepted so far
 *     GET /answered     the number of requests answered so far
 *     POST to any       eats a Content-Length body first, then answers as GET does
 *
 * It is the origin behind the proxies and, pinned to the proxies' CPU, the floor for local answers:
 * one recv and one writev per request, edge-triggered epoll, no allocation after accept. It reads
 * just enough of a request to frame it and trusts its peers: a tool for a benchmark, never a server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BODY_MAX (64u << 20)
#define TEXT_MAX (1u << 20)
#define WORDS 3000u
#define BODY_PATTERN "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY" /* 61: prime */
#define HEAD_MAX 8192
#define EVENTS 512
#define SENDFILE_MIN 32768 /* below, copying is cheaper */

typedef struct conn {
    int fd;
    bool close_after, held;
    bool ending; /* the client announced its end: read on until that comes */
    uint32_t held_size; /* of the answer that waits */
    struct conn *next_held, *next_dead;
    uint64_t eat;       /* bytes of the request body still to come */
    struct iovec out[2]; /* what of the answer is unwritten */
    uint32_t in_len;
    char small[32];
    char in[HEAD_MAX];
} conn_t;

typedef struct {
    uint32_t size, len;
    bool last; /* of its connection */
    bool html;
    char text[256];
} head_t;

static int ep;
static char *body; /* also the file body_fd */
static int body_fd;
static bool use_sendfile;
static size_t body_filled;
static char text[TEXT_MAX];
static conn_t *held_first, *dead_first;
static uint32_t held_count, accepted_count, answered_count;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void body_fill(size_t size)
{
    static const char pattern[] = BODY_PATTERN;
    for (; body_filled < size; body_filled++)
        body[body_filled] = pattern[body_filled % (sizeof(pattern) - 1)];
}

/* Pseudo-random numbers, the same every time; below n, the small ones far more often. */
static unsigned any(void)
{
    static uint32_t x = 1;
    return (x = x * 1664525u + 1013904223u) >> 8;
}

static unsigned any_skewed(unsigned n)
{
    double u = (any() % 65536 + 1) / 65536.0;
    return (unsigned)(n * u * u * u) % n;
}

/* A page: words of a vocabulary in which few are frequent, in paragraphs with links. */
static void text_fill(void)
{
    static const char *const syllables[] = {"a", "ber", "con", "de", "el", "for", "gra", "hi",
                                            "in", "ka", "lo", "mi", "nen", "or", "pre", "qui",
                                            "re", "sta", "ti", "un", "ver", "wo", "ing", "tion"};
    static char words[WORDS][24];
    for (unsigned i = 0; i < WORDS; i++)
        for (unsigned k = 0, n = 1 + any() % 4; k < n; k++)
            strcat(words[i], syllables[any() % 24]);
    for (size_t at = 0; at < TEXT_MAX;) {
        char piece[256];
        const char *word = words[any_skewed(WORDS)];
        unsigned kind = any() % 100;
        if (kind < 2)
            snprintf(piece, sizeof(piece), ".</p>\n<p class=\"text\">%s ", word);
        else if (kind < 5)
            snprintf(piece, sizeof(piece), "<a href=\"/%s/%s-%u.html\">%s %s</a>\n", word,
                     words[any_skewed(WORDS)], any() % 1000, word, words[any_skewed(WORDS)]);
        else
            snprintf(piece, sizeof(piece), kind < 12 ? "%s, " : "%s ", word);
        for (const char *p = piece; *p && at < TEXT_MAX; p++) text[at++] = *p;
    }
}

/* The head of an answer of `size` bytes. The last few sizes are remembered. */
static const head_t *head_for(uint32_t size, bool last, bool html)
{
    static head_t cache[16];
    head_t *h = &cache[(size ^ size >> 10 ^ size >> 16) % 16];
    if (h->len == 0 || h->size != size || h->last != last || h->html != html) {
        h->size = size;
        h->last = last;
        h->html = html;
        h->len = (uint32_t)snprintf(h->text, sizeof(h->text),
                                    "HTTP/1.1 200 OK\r\nServer: origin\r\n"
                                    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                                    "Content-Type: text/%s\r\nContent-Length: %u\r\n%s\r\n",
                                    html ? "html" : "plain", size, last ? "Connection: close\r\n" : "");
    }
    return h;
}

static void conn_close(conn_t *c)
{
    if (c->fd < 0)
        return;
    close(c->fd);
    c->fd = -1;
    for (conn_t **p = &held_first; c->held && *p; p = &(*p)->next_held) {
        if (*p == c) {
            *p = c->next_held;
            held_count--;
            break;
        }
    }
    c->next_dead = dead_first; /* freed after the batch of events that may still name it */
    dead_first = c;
}

static ssize_t conn_sendfile(conn_t *c)
{
    off_t at = (char *)c->out[1].iov_base - body;
    return sendfile(c->fd, body_fd, &at, c->out[1].iov_len);
}

static ssize_t conn_write(conn_t *c)
{
    bool first = c->out[0].iov_len == 0;
    bool in_file = (char *)c->out[1].iov_base >= body && (char *)c->out[1].iov_base < body + BODY_MAX;
    if (!use_sendfile || !in_file || c->out[1].iov_len < SENDFILE_MIN)
        return writev(c->fd, c->out + first, 2 - first);
    if (first)
        return conn_sendfile(c);
    return send(c->fd, c->out[0].iov_base, c->out[0].iov_len, MSG_MORE);
}

/* Writes what is left of the answer. False: not all of it went out, or the connection is closed. */
static bool conn_flush(conn_t *c)
{
    while (c->out[0].iov_len + c->out[1].iov_len > 0) {
        ssize_t n = conn_write(c);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0) {
            conn_close(c);
            return false;
        }
        for (int i = 0; i < 2; i++) {
            size_t k = (size_t)n < c->out[i].iov_len ? (size_t)n : c->out[i].iov_len;
            c->out[i].iov_base = (char *)c->out[i].iov_base + k;
            c->out[i].iov_len -= k;
            n -= (ssize_t)k;
        }
    }
    if (c->close_after)
        conn_close(c);
    return !c->close_after;
}

static bool conn_answer(conn_t *c, const char *content, uint32_t size)
{
    const head_t *h = head_for(size, c->close_after, content == text);
    c->out[0] = (struct iovec){(char *)h->text, h->len};
    c->out[1] = (struct iovec){(char *)content, size};
    return conn_flush(c);
}

static bool conn_answer_pattern(conn_t *c, uint32_t size)
{
    body_fill(size);
    return conn_answer(c, body, size);
}

static bool conn_refuse(conn_t *c, const char *status)
{
    char text[128];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status);
    if (write(c->fd, text, (size_t)n) < 0)
        perror("write");
    conn_close(c);
    return false;
}

static void conn_read(conn_t *c);

static void release_all(void)
{
    while (held_first) {
        conn_t *c = held_first;
        held_first = c->next_held;
        held_count--;
        c->held = false;
        if (conn_answer_pattern(c, c->held_size))
            conn_read(c);
    }
}

static bool path_is(const char *path, const char *name)
{
    size_t n = strlen(name);
    return strncmp(path, name, n) == 0 && (path[n] == ' ' || name[n - 1] == '/');
}

/* Answers a request for `path` (ended by a space). False: nothing more to read now. */
static bool conn_route(conn_t *c, const char *path)
{
    answered_count++;
    if (path_is(path, "/answered")) {
        int n = snprintf(c->small, sizeof(c->small), "%u", answered_count);
        return conn_answer(c, c->small, (uint32_t)n);
    }
    if (path_is(path, "/waiting")) {
        int n = snprintf(c->small, sizeof(c->small), "%u", held_count);
        return conn_answer(c, c->small, (uint32_t)n);
    }
    if (path_is(path, "/accepted")) {
        int n = snprintf(c->small, sizeof(c->small), "%u", accepted_count);
        return conn_answer(c, c->small, (uint32_t)n);
    }
    if (path_is(path, "/release")) {
        release_all();
        return conn_answer(c, c->small, 0);
    }
    bool hold = path_is(path, "/hold/"), page = path_is(path, "/text/");
    const char *digits = path + (hold || page ? strlen("/hold/") : 1);
    char *end;
    unsigned long size = strtoul(digits, &end, 10);
    if (end == digits || (*end != ' ' && *end != '?') || size > BODY_MAX)
        return conn_refuse(c, "404 Not Found");
    if (page)
        return size > TEXT_MAX ? conn_refuse(c, "404 Not Found")
                               : conn_answer(c, text, (uint32_t)size);
    if (!hold)
        return conn_answer_pattern(c, (uint32_t)size);
    c->held = true;
    c->held_size = (uint32_t)size;
    c->next_held = held_first;
    held_first = c;
    held_count++;
    return false;
}

/* Notes the framing fields between `p` and `end`. False: a transfer coding, which is not spoken. */
static bool conn_fields(conn_t *c, const char *p, const char *end)
{
    while (p && p < end) {
        if ((*p | 32) == 'c' && strncasecmp(p, "content-length:", 15) == 0)
            c->eat = strtoull(p + 15, NULL, 10);
        else if ((*p | 32) == 'c' && strncasecmp(p, "connection:", 11) == 0)
            c->close_after = strncasecmp(p + 11 + strspn(p + 11, " "), "close", 5) == 0;
        else if ((*p | 32) == 't' && strncasecmp(p, "transfer-encoding:", 18) == 0)
            return false;
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return true;
}

/*
 * Reads the rest of a body, unseen. True: it is complete. What was read is acknowledged at once: the
 * loopback's segments are so large that a sender with Nagle's algorithm would otherwise wait 40 ms
 * for a delayed acknowledgement in the middle of each body, and its wake-ups would be measured.
 */
static bool conn_eat(conn_t *c)
{
    int one = 1;
    while (c->eat > 0) {
        ssize_t n = recv(c->fd, NULL, c->eat, MSG_TRUNC);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            conn_close(c);
        else if (n < 0)
            setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
        if (n <= 0)
            return false;
        c->eat -= (uint64_t)n;
    }
    return true;
}

/*
 * Answers the requests in the buffer. True: the buffer holds no complete request and the connection
 * may go on reading. A body must be eaten before its answer is known to be wanted, so the head stays
 * in the buffer until then.
 */
static bool conn_serve(conn_t *c)
{
    while (c->in_len > 0) {
        char *stop = memmem(c->in, c->in_len, "\r\n\r\n", 4);
        if (!stop)
            return c->in_len < HEAD_MAX || conn_refuse(c, "431 Request Header Fields Too Large");
        const char *end = stop + 4;
        uint32_t used = (uint32_t)(end - c->in);
        const char *path = memchr(c->in, ' ', used);
        c->eat = 0;
        if (!path || path[1] != '/' || !conn_fields(c, c->in, end))
            return conn_refuse(c, "501 Not Implemented");
        uint32_t have = c->in_len - used;
        uint32_t part = c->eat < have ? (uint32_t)c->eat : have;
        c->eat -= part;
        char saved[64];
        snprintf(saved, sizeof(saved), "%.*s", (int)sizeof(saved) - 1, path + 1);
        memmove(c->in, c->in + used + part, have - part);
        c->in_len = have - part;
        if (c->eat > 0) {
            memcpy(c->in, saved, sizeof(saved)); /* nothing follows an incomplete body */
            return true;
        }
        if (!conn_route(c, saved))
            return false;
    }
    return true;
}

static void conn_read(conn_t *c)
{
    for (;;) {
        if (c->eat > 0) {
            if (!conn_eat(c) || !conn_route(c, c->in))
                return;
        }
        if (!conn_serve(c))
            return;
        if (c->eat > 0)
            continue;
        size_t room = HEAD_MAX - c->in_len;
        ssize_t n = recv(c->fd, c->in + c->in_len, room, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            conn_close(c);
        if (n <= 0)
            return;
        c->in_len += (uint32_t)n;
        if (!conn_serve(c) || (c->eat == 0 && (size_t)n < room && !c->ending))
            return; /* a short read emptied the socket: the next edge calls again */
    }
}

static void conn_event(conn_t *c, uint32_t events)
{
    if (c->fd < 0)
        return;
    if (events & (EPOLLHUP | EPOLLERR)) {
        conn_close(c);
        return;
    }
    if (c->held) {
        if (events & EPOLLRDHUP)
            conn_close(c);
        return;
    }
    c->ending |= (events & EPOLLRDHUP) != 0;
    bool pending = c->out[0].iov_len + c->out[1].iov_len > 0;
    if (pending && !conn_flush(c))
        return;
    if (pending || events & (EPOLLIN | EPOLLRDHUP))
        conn_read(c);
}

static void conn_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    conn_t *c = malloc(sizeof(*c));
    if (!c)
        die("malloc");
    accepted_count++;
    memset(c, 0, offsetof(conn_t, in));
    c->fd = fd;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
        die("epoll_ctl");
}

/* A listener's event holds its descriptor: an odd number, which no pointer is. */
static uint16_t listen_on(uint32_t address, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(address);
    socklen_t len = sizeof(a);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 16384) < 0)
        die("listen");
    getsockname(fd, (struct sockaddr *)&a, &len);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)fd << 1 | 1};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    return ntohs(a.sin_port);
}

static void body_map(void)
{
    body_fd = memfd_create("body", MFD_CLOEXEC);
    if (body_fd < 0 || ftruncate(body_fd, BODY_MAX) < 0)
        die("memfd_create");
    body = mmap(NULL, BODY_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, body_fd, 0);
    if (body == MAP_FAILED)
        die("mmap");
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    uint32_t addresses = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
            port = (uint16_t)atoi(argv[++i]);
        else if (strcmp(argv[i], "--sendfile") == 0)
            use_sendfile = true;
        else if (strcmp(argv[i], "--addresses") == 0 && i + 1 < argc)
            addresses = (uint32_t)atoi(argv[++i]);
        else
            return fprintf(stderr, "usage: origin [--port P] [--sendfile] [--addresses N]\n"), 2;
    }
    signal(SIGPIPE, SIG_IGN);
    body_map();
    text_fill();
    ep = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < addresses; i++)
        port = listen_on(INADDR_LOOPBACK + i, port);
    printf("port %u\n", port);
    fflush(stdout);
    static struct epoll_event ev[EVENTS];
    for (;;) {
        int n = epoll_wait(ep, ev, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.u64 & 1)
                conn_accept((int)(ev[i].data.u64 >> 1));
            else
                conn_event(ev[i].data.ptr, ev[i].events);
        }
        while (dead_first) {
            conn_t *c = dead_first;
            dead_first = c->next_dead;
            free(c);
        }
    }
}
