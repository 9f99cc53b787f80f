#include "tests/e2e/obedient.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/str.h"
#include "tests/e2e/harness.h"

/* --- the test's side --- */

static bool is_own(str_t piece)
{
    return str_starts(piece, STR("Body: ")) || str_starts(piece, STR("Wait: ")) ||
           str_starts(piece, STR("Close: "));
}

const char *obedient_fields(const char *fields)
{
    str_t rest = str_of(fields), piece;
    const char *lines = "", *say = "";
    bool saying = false;
    while (str_cut(&rest, '|', &piece)) {
        if (str_starts(piece, STR("Say: "))) {
            saying = true;
            piece = str_sub(piece, 5, piece.n);
        }
        if (saying && !is_own(piece))
            say = text("%s%s" STR_FMT, say, *say ? "|" : "", STR_ARG(piece));
        else if (piece.n)
            lines = text("%s" STR_FMT "\r\n", lines, STR_ARG(piece));
    }
    return *say ? text("%sSay: %s\r\n", lines, say) : lines;
}

reply_t *obedient_ask(const char *method, const char *path, const char *fields)
{
    wire_t *w = wire_open("http");
    wire_send(w, text("%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, path,
                      obedient_fields(fields)));
    reply_t *r = wire_reply_to(w, method);
    wire_close(w);
    return r;
}

reply_t *obedient_get(const char *path, const char *fields)
{
    return obedient_ask("GET", path, fields);
}

void assert_cache(const reply_t *r, const char *status, const char *body)
{
    const char *got = wire_field(r, "X-Cache");
    cr_assert(got && strcmp(got, status) == 0, "%s instead of %s:\n%s", got, status, r->head);
    assert_text(r->body.p, body);
}

/* --- the origin's side; in a thread of its own, without the harness's memory --- */

enum { PATHS_MAX = 512, HEAD_MAX = 4096 };

typedef struct counted {
    char path[64];
    unsigned n;
} counted_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static counted_t counts[PATHS_MAX];

static unsigned count(const char *head)
{
    const char *path = strchr(head, ' ');
    size_t n = path ? strcspn(path + 1, " ?") : 0;
    unsigned result = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; n > 0 && n < sizeof(counts[0].path) && i < PATHS_MAX; i++) {
        counted_t *c = &counts[i];
        if (c->n && (strlen(c->path) != n || strncmp(c->path, path + 1, n) != 0)) continue;
        memcpy(c->path, path + 1, n);
        result = ++c->n;
        break;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static void copy_field(const char *head, const char *name, char *out, size_t n)
{
    const char *at = head;
    size_t len = strlen(name);
    *out = 0;
    while ((at = strstr(at, "\r\n"))) {
        at += 2;
        if (strncasecmp(at, name, len) != 0 || at[len] != ':') continue;
        size_t value = strcspn(at + len + 1, "\r");
        const char *from = at + len + 1 + strspn(at + len + 1, " ");
        value -= (size_t)(from - (at + len + 1));
        snprintf(out, n, "%.*s", (int)value, from);
        return;
    }
}

/* "A: b|C: d" as lines. */
static void say_lines(const char *say, char *out, size_t n)
{
    size_t used = 0;
    for (const char *at = say; *at && used + 3 < n; at++) {
        if (*at != '|') {
            out[used++] = *at;
            continue;
        }
        out[used++] = '\r';
        out[used++] = '\n';
    }
    snprintf(out + used, n - used, "%s", used ? "\r\n" : "");
}

static void answer(visit_t *v, const char *head)
{
    char status[16], say[HEAD_MAX], lines[HEAD_MAX], body[1024], out[2 * HEAD_MAX], length[64] = "";
    copy_field(head, "Say-Status", status, sizeof(status));
    copy_field(head, "Say", say, sizeof(say));
    copy_field(head, "Body", body, sizeof(body));
    say_lines(say, lines, sizeof(lines));
    unsigned n = count(head);
    if (!*body) snprintf(body, sizeof(body), "%u", n);
    bool bare = strcmp(status, "304") == 0 || strncmp(head, "HEAD ", 5) == 0;
    if (!strstr(lines, "Content-Length:") && strcmp(status, "304") != 0)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    snprintf(out, sizeof(out), "HTTP/1.1 %s Said\r\n%s%s\r\n%s", *status ? status : "200", lines,
             length, bare ? "" : body);
    visit_send(v, out);
}

void obedient(visit_t *v)
{
    char flag[8];
    while (visit_request(v)) {
        const char *head = visit_head(v);
        copy_field(head, "Wait", flag, sizeof(flag));
        if (*flag) visit_gate(v);
        answer(v, head);
        copy_field(head, "Close", flag, sizeof(flag));
        if (*flag) return;
    }
}
