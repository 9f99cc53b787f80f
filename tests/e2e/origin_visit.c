/* One connection of an origin: requests come in, are checked and recorded, and are answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/e2e/origin_state.h"

/* --- reading --- */

static bool more(visit_t *v)
{
    ssize_t got = 0;
    if (v->end || v->n == ORIGIN_HEAD_MAX) return false;
    do got = recv(v->fd, v->in + v->n, ORIGIN_HEAD_MAX - v->n, 0);
    while (got < 0 && errno == EINTR);
    v->end = got <= 0;
    if (v->end) {
        origin_lock(v->origin);
        v->origin->left++;
        origin_unlock(v->origin);
        return false;
    }
    v->n += (size_t)got;
    return true;
}

static void drop(visit_t *v, size_t n)
{
    v->n -= n;
    memmove(v->in, v->in + n, v->n);
}

/* Everything through the mark, malloced; NULL when the end comes before. */
static char *take_through(visit_t *v, const char *mark)
{
    for (;;) {
        str_t have = str_make(v->in, v->n);
        size_t at = v->n ? str_search(have, str_of(mark)) : v->n;
        if (at < have.n) {
            size_t n = at + strlen(mark);
            char *s = strndup(v->in, n);
            drop(v, n);
            return s;
        }
        if (!more(v)) return NULL;
    }
}

static bool read_n(visit_t *v, uint64_t n, FILE *out)
{
    while (n) {
        if (!v->n && !more(v)) return false;
        size_t take = v->n < n ? v->n : (size_t)n;
        fwrite(v->in, 1, take, out);
        drop(v, take);
        n -= take;
    }
    return true;
}

size_t visit_read(visit_t *v, char *out, size_t n)
{
    if (!v->n && !more(v)) return 0;
    size_t take = v->n < n ? v->n : n;
    memcpy(out, v->in, take);
    drop(v, take);
    return take;
}

/* --- requests --- */

static void complain(origin_t *o, const char *what, const char *head)
{
    origin_lock(o);
    if (!o->wrong[0]) snprintf(o->wrong, sizeof(o->wrong), "%s:\n%s", what, head);
    origin_unlock(o);
}

str_t origin_find_field(const char *head, const char *name, unsigned nth)
{
    str_t rest = str_of(head), line;
    while (str_cut(&rest, '\n', &line)) {
        size_t colon = str_find(line, 0, ':');
        if (colon == line.n || !str_ieq(str_sub(line, 0, colon), str_of(name))) continue;
        if (nth-- == 0) return str_trim(str_sub(line, colon + 1, line.n - 1));
    }
    return str_make(NULL, 0);
}

static bool line_is_good(str_t line)
{
    size_t colon = str_find(line, 0, ':');
    if (!line.n || line.p[line.n - 1] != '\r' || colon == 0 || colon == line.n) return false;
    for (size_t i = 0; i + 1 < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < ' ' && c != '\t') || (i <= colon && c <= ' ')) return false;
    }
    return true;
}

static void check_head(origin_t *o, const char *head)
{
    str_t rest = str_of(head), line;
    rest.n -= 2;
    str_cut(&rest, '\n', &line);
    bool old = str_ends(line, STR(" HTTP/1.0\r"));
    if (!old && !str_ends(line, STR(" HTTP/1.1\r"))) complain(o, "a bad request line", head);
    while (str_cut(&rest, '\n', &line) && line.n)
        if (!line_is_good(line)) complain(o, "a bad field", head);
    if (!old && !origin_find_field(head, "Host", 0).p) complain(o, "no Host", head);
    if (origin_find_field(head, "Host", 1).p) complain(o, "two Hosts", head);
    if (origin_find_field(head, "Content-Length", 1).p) complain(o, "two lengths", head);
    if (origin_find_field(head, "Content-Length", 0).p &&
        origin_find_field(head, "Transfer-Encoding", 0).p)
        complain(o, "a length and a transfer coding", head);
}

static bool read_chunks(visit_t *v, FILE *body)
{
    for (;;) {
        uint64_t size;
        char *line = take_through(v, "\r\n");
        bool ok = line && str_hex_to_u64(str_make(line, strlen(line) - 2), &size);
        if (line && !ok) complain(v->origin, "a bad chunk size", line);
        free(line);
        if (!ok) return false;
        if (size == 0) return true;
        if (!read_n(v, size, body)) return false;
        line = take_through(v, "\r\n");
        if (line && strlen(line) != 2) complain(v->origin, "no CRLF behind a chunk", line);
        free(line);
    }
}

static bool read_trailers(visit_t *v)
{
    size_t n;
    char *line;
    FILE *out = open_memstream(&v->now.trailers, &n);
    while ((line = take_through(v, "\r\n")) && strlen(line) > 2) {
        fputs(line, out);
        free(line);
    }
    fclose(out);
    free(line);
    return line != NULL;
}

static void record(visit_t *v)
{
    origin_t *o = v->origin;
    origin_lock(o);
    o->records = realloc(o->records, (o->count + 1) * sizeof(origin_record_t));
    o->records[o->count++] = v->now;
    v->recorded = true;
    origin_unlock(o);
}

void origin_forget(visit_t *v)
{
    if (!v->recorded) free(v->now.head), free(v->now.body), free(v->now.trailers);
    v->now = (origin_record_t){0};
    v->recorded = false;
}

bool visit_read_head(visit_t *v)
{
    origin_forget(v);
    v->now.head = take_through(v, "\r\n\r\n");
    if (v->now.head) check_head(v->origin, v->now.head);
    return v->now.head != NULL;
}

bool visit_read_body(visit_t *v)
{
    uint64_t n = 0;
    bool chunked = origin_find_field(v->now.head, "Transfer-Encoding", 0).p;
    str_t length = origin_find_field(v->now.head, "Content-Length", 0);
    if (length.p && !str_to_u64(length, &n)) complain(v->origin, "a bad length", v->now.head);
    FILE *body = open_memstream(&v->now.body, &v->now.n);
    bool ok = chunked ? read_chunks(v, body) : read_n(v, n, body);
    fclose(body);
    ok = ok && (!chunked || read_trailers(v));
    if (ok) record(v);
    return ok;
}

bool visit_request(visit_t *v)
{
    return visit_read_head(v) && visit_read_body(v);
}

const char *visit_head(const visit_t *v)
{
    return v->now.head;
}

bool visit_target_is(const visit_t *v, const char *target)
{
    const char *space = strchr(v->now.head, ' ');
    size_t n = strlen(target);
    return space && strncmp(space + 1, target, n) == 0 && space[1 + n] == ' ';
}

/* --- answering --- */

bool visit_send_n(visit_t *v, const char *p, size_t n)
{
    while (n) {
        ssize_t put = send(v->fd, p, n, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

void visit_send(visit_t *v, const char *bytes)
{
    visit_send_n(v, bytes, strlen(bytes));
}

void visit_gate(visit_t *v)
{
    origin_t *o = v->origin;
    pthread_mutex_lock(&o->lock);
    while (!o->gate_open && !o->stopping) pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
}

void visit_await_left(visit_t *v)
{
    do v->n = 0;
    while (more(v));
}

void visit_shut(visit_t *v)
{
    shutdown(v->fd, SHUT_WR);
}

void visit_reset(visit_t *v)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void visit_peer(const visit_t *v, char *out, size_t n)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);
    getpeername(v->fd, (struct sockaddr *)&a, &len);
    inet_ntop(AF_INET, &a.sin_addr, out, (socklen_t)n);
}

const void *visit_arg(const visit_t *v)
{
    return v->origin->arg;
}

unsigned visit_number(const visit_t *v)
{
    return v->number;
}

/* --- stock functions --- */

void origin_say(visit_t *v)
{
    while (visit_request(v)) visit_send(v, visit_arg(v));
}

void origin_say_once(visit_t *v)
{
    if (visit_request(v)) visit_send(v, visit_arg(v));
}

void origin_echo(visit_t *v)
{
    char head[128];
    while (visit_request(v)) {
        size_t n = strlen(v->now.head);
        snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                 n + v->now.n);
        visit_send(v, head);
        if (strncmp(v->now.head, "HEAD ", 5) == 0) continue;
        visit_send_n(v, v->now.head, n);
        visit_send_n(v, v->now.body, v->now.n);
    }
}

void origin_silent(visit_t *v)
{
    while (visit_request(v)) continue;
}

void origin_hang_or_say(visit_t *v)
{
    while (visit_request(v)) {
        if (visit_target_is(v, "/hang")) {
            visit_await_left(v);
            return;
        }
        visit_send(v, visit_arg(v));
    }
}

void origin_late(visit_t *v)
{
    if (!visit_request(v)) return;
    visit_gate(v);
    visit_send(v, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
}
