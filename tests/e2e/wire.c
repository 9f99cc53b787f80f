#include "tests/e2e/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIECE = 65536 };

struct wire {
    int fd;
    bool reset, ended;
    char *in; /* received and not yet taken: n bytes */
    size_t n, size;
};

/* --- connections --- */

static void end_wire(void *arg)
{
    wire_t *w = arg;
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

static wire_t *open_at(const struct sockaddr *a, socklen_t len)
{
    wire_t *w = POOL_NEW(harness_pool, wire_t);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int on = 1;
    w->fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(w->fd, 0);
    harness_at_end(end_wire, w);
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    int r;
    do r = connect(w->fd, a, len);
    while (r < 0 && errno == EINTR);
    cr_assert_eq(r, 0, "connect: %s", strerror(errno));
    return w;
}

wire_t *wire_open(const char *name)
{
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (name[0] == '/') {
        memcpy(u.sun_path, name, strlen(name) + 1);
        return open_at((struct sockaddr *)&u, sizeof(u));
    }
    a.sin_port = htons(harness_port(name));
    return open_at((struct sockaddr *)&a, sizeof(a));
}

wire_t *wire_open6(const char *name)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    a.sin6_port = htons(harness_port(name));
    return open_at((struct sockaddr *)&a, sizeof(a));
}

int wire_fd(const wire_t *w)
{
    return w->fd;
}

void wire_narrow(wire_t *w, int bytes)
{
    cr_assert_eq(setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

void wire_shut(wire_t *w)
{
    shutdown(w->fd, SHUT_WR);
}

void wire_close(wire_t *w)
{
    end_wire(w);
}

void wire_reset(wire_t *w)
{
    struct linger drop = {.l_onoff = 1};
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
    end_wire(w);
}

/* --- sending --- */

bool wire_try_send(wire_t *w, str_t bytes)
{
    while (bytes.n) {
        ssize_t put = send(w->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        cr_assert(put >= 0 || errno != EAGAIN, "the peer does not read");
        if (put < 0) return false;
        bytes = str_sub(bytes, (size_t)put, bytes.n);
    }
    return true;
}

void wire_send_n(wire_t *w, str_t bytes)
{
    cr_assert(wire_try_send(w, bytes), "send: %s", strerror(errno));
}

void wire_send(wire_t *w, const char *bytes)
{
    wire_send_n(w, str_of(bytes));
}

/* --- receiving --- */

static void make_room(wire_t *w)
{
    if (w->size - w->n > PIECE) return;
    size_t size = w->size ? w->size * 2 : PIECE * 2;
    char *larger = pool_bytes(harness_pool, size);
    if (w->n) memcpy(larger, w->in, w->n);
    w->in = larger;
    w->size = size;
}

/* Receives some more; false at the end. */
static bool more(wire_t *w)
{
    if (w->ended) return false;
    make_room(w);
    ssize_t got;
    do got = recv(w->fd, w->in + w->n, w->size - w->n - 1, 0);
    while (got < 0 && errno == EINTR);
    cr_assert(got >= 0 || errno != EAGAIN, "nothing arrives any more, so far:\n%.*s", (int)w->n,
              w->in);
    w->reset = got < 0;
    w->ended = got <= 0;
    if (got > 0) w->n += (size_t)got;
    return got > 0;
}

static str_t take(wire_t *w, size_t n)
{
    str_t s = pool_str(harness_pool, str_make(w->in, n));
    w->n -= n;
    memmove(w->in, w->in + n, w->n);
    return s;
}

str_t wire_bytes(wire_t *w, size_t n)
{
    while (w->n < n && more(w)) continue;
    cr_assert_geq(w->n, n, "%zu bytes instead of %zu", w->n, n);
    return take(w, n);
}

/* Up to and with the first `mark`; an empty str when the connection ends before. */
static str_t take_through(wire_t *w, str_t mark)
{
    for (;;) {
        str_t have = str_make(w->in, w->n);
        size_t at = w->n ? str_search(have, mark) : 0;
        if (w->n && at < have.n) return take(w, at + mark.n);
        if (!more(w)) return STR("");
    }
}

const char *wire_through(wire_t *w, const char *mark)
{
    str_t s = take_through(w, str_of(mark));
    cr_assert(s.n, "no \"%s\" in:\n%.*s", mark, (int)w->n, w->n ? w->in : "");
    return pool_cstr(harness_pool, s);
}

str_t wire_rest(wire_t *w)
{
    while (more(w)) continue;
    return take(w, w->n);
}

bool wire_closed(wire_t *w)
{
    return w->n == 0 && !more(w);
}

bool wire_was_reset(const wire_t *w)
{
    return w->reset;
}

bool wire_readable(wire_t *w, int ms)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    return w->n || poll(&p, 1, ms) > 0;
}

void wire_assert_echoes(wire_t *w)
{
    static const char bytes[] = "\0\r\n\xff frames \0";
    for (int i = 0; i < 50; i++) {
        wire_send_n(w, str_make(bytes, sizeof(bytes)));
        cr_assert(memcmp(wire_bytes(w, sizeof(bytes)).p, bytes, sizeof(bytes)) == 0);
    }
    wire_shut(w);
    cr_assert(wire_closed(w));
}

/* --- replies --- */

static bool is_token(str_t s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && !strchr(others, s.p[i])) return false;
    return s.n > 0;
}

static const char *check_line(str_t line)
{
    size_t colon = str_find(line, 0, ':');
    for (size_t i = 0; i < line.n; i++)
        if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') return "a control byte in a field";
    if (colon == line.n || !is_token(str_sub(line, 0, colon))) return "a field without a name";
    return NULL;
}

/* Fields, each ended by CRLF. NULL, or what is wrong. */
static const char *check_fields(str_t s)
{
    while (s.n) {
        size_t end = str_search(s, STR("\r\n"));
        const char *wrong = end < s.n ? check_line(str_sub(s, 0, end)) : "a line without CRLF";
        if (wrong) return wrong;
        s = str_sub(s, end + 2, s.n);
    }
    return NULL;
}

static const char *check_head(reply_t *r)
{
    str_t s = str_of(r->head);
    size_t end = str_search(s, STR("\r\n"));
    uint64_t status = 0;
    bool ok = end < s.n && end >= 13 && str_starts(s, STR("HTTP/1.")) && s.p[8] == ' ' &&
              (s.p[7] == '1' || s.p[7] == '0') && str_to_u64(str_sub(s, 9, 12), &status) &&
              s.p[12] == ' ' && status >= 100;
    r->status = (int)status;
    return ok ? check_fields(str_sub(s, end + 2, s.n)) : "not a status line";
}

const char *wire_field(const reply_t *r, const char *name)
{
    const char *found = NULL;
    str_t rest = str_of(r->head), line;
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        if (colon == line.n || !str_ieq(str_sub(line, 0, colon), str_of(name))) continue;
        str_t v = str_trim(str_sub(line, colon + 1, line.n - 1));
        found = found ? text("%s, " STR_FMT, found, STR_ARG(v)) : text(STR_FMT, STR_ARG(v));
    }
    return found;
}

void wire_assert_field(const reply_t *r, const char *name, const char *value)
{
    const char *got = wire_field(r, name);
    cr_assert(value ? got && strcmp(got, value) == 0 : !got, "%s: %s instead of %s\n%s", name,
              got ? got : "(none)", value ? value : "(none)", r->head);
}

static void read_head(wire_t *w, reply_t *r)
{
    str_t head = take_through(w, STR("\r\n\r\n"));
    if (!head.n) {
        r->broken = w->n ? "the head is cut off" : "nothing came";
        r->head = "";
        return;
    }
    r->head = text(STR_FMT, (int)head.n - 2, head.p);
    r->broken = check_head(r);
}

static void append(reply_t *r, const char *p, size_t n)
{
    if (r->body.n + n >= r->size) {
        r->size = (r->body.n + n + 1) * 2;
        char *larger = pool_bytes(harness_pool, r->size);
        memcpy(larger, r->body.p, r->body.n);
        r->room = larger;
    }
    memcpy(r->room + r->body.n, p, n);
    r->room[r->body.n + n] = '\0';
    r->body = str_make(r->room, r->body.n + n);
}

/* Appends n bytes of the connection to the body. */
static bool body_bytes(wire_t *w, reply_t *r, uint64_t n)
{
    while (n && (w->n || more(w))) {
        size_t have = w->n < n ? w->n : (size_t)n;
        append(r, w->in, have);
        w->n -= have;
        memmove(w->in, w->in + have, w->n);
        n -= have;
    }
    if (n) r->broken = "the body is cut off";
    return !r->broken;
}

static bool read_chunk(wire_t *w, reply_t *r)
{
    uint64_t size;
    str_t line = take_through(w, STR("\r\n"));
    if (!line.n || !str_hex_to_u64(str_sub(line, 0, line.n - 2), &size)) {
        r->broken = line.n ? "not a chunk size" : "the body is cut off";
        return false;
    }
    if (size == 0) return false;
    if (!body_bytes(w, r, size)) return false;
    str_t end = take_through(w, STR("\r\n"));
    if (end.n != 2) r->broken = "no CRLF behind a chunk";
    return !r->broken;
}

static void read_chunks(wire_t *w, reply_t *r)
{
    str_t line;
    r->trailers = "";
    while (read_chunk(w, r)) continue;
    while (!r->broken && (line = take_through(w, STR("\r\n"))).n != 2) {
        if (!line.n)
            r->broken = "the trailers are cut off";
        else if (!(r->broken = check_fields(line)))
            r->trailers = text("%s" STR_FMT, r->trailers, STR_ARG(line));
    }
}

static void read_body(wire_t *w, reply_t *r, const char *method)
{
    const char *codings = wire_field(r, "Transfer-Encoding");
    const char *length = wire_field(r, "Content-Length");
    uint64_t n;
    if (codings && length)
        r->broken = "a length and a transfer coding";
    else if (strcmp(method, "HEAD") == 0 || r->status == 204 || r->status == 304)
        return;
    else if (codings && !(r->chunked = str_ieq(str_of(codings), STR("chunked"))))
        r->broken = "not chunked";
    else if (codings)
        read_chunks(w, r);
    else if (length && !str_to_u64(str_of(length), &n))
        r->broken = "not a length";
    else if (length)
        body_bytes(w, r, n);
    else
        r->until_close = true, r->body = wire_rest(w);
}

reply_t *wire_try_reply(wire_t *w, const char *method)
{
    reply_t *r = POOL_NEW(harness_pool, reply_t);
    r->interim = "";
    r->body = STR("");
    for (;;) {
        read_head(w, r);
        if (r->broken || r->status >= 200 || r->status == 101) break;
        r->interim = text("%s%s", r->interim, r->head);
    }
    if (!r->broken && r->status != 101) read_body(w, r, method);
    return r;
}

reply_t *wire_reply_to(wire_t *w, const char *method)
{
    reply_t *r = wire_try_reply(w, method);
    cr_assert(!r->broken, "%s:\n%s\n%s%.*s", r->broken, r->head, r->body.p, (int)w->n,
              w->n ? w->in : "");
    return r;
}

reply_t *wire_reply(wire_t *w)
{
    return wire_reply_to(w, "GET");
}

reply_t *wire_ask(const char *port_name, const char *request)
{
    wire_t *w = wire_open(port_name);
    wire_send(w, request);
    reply_t *r = wire_reply_to(w, strncmp(request, "HEAD ", 5) == 0 ? "HEAD" : "GET");
    wire_close(w);
    return r;
}

reply_t *wire_get(const char *port_name, const char *path)
{
    return wire_ask(port_name,
                    text("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path));
}

reply_t *wire_request(const char *port_name, const char *method, const char *path,
                      const char *fields)
{
    wire_t *w = wire_open(port_name);
    wire_send(w, text("%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, path, fields));
    reply_t *r = wire_reply_to(w, method);
    wire_close(w);
    return r;
}
