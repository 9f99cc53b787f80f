#include "core/process/ctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define FORMAT(n, m) __attribute__((format(printf, n, m)))

FORMAT(1, 2) static int unheard(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("proxyd ctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return CTL_UNHEARD;
}

/* Each word in quotes, as the configuration's reader undoes it. False: a line cannot hold it. */
static bool make_line(strbuf_t *line, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        strbuf_add(line, i ? STR(" \"") : STR("\""));
        for (const char *p = words[i]; *p; p++) {
            if (*p == '\n') return false;
            if (*p == '"' || *p == '\\') strbuf_put(line, '\\');
            strbuf_put(line, *p);
        }
        strbuf_put(line, '"');
    }
    strbuf_put(line, '\n');
    return line->n <= CTL_LINE_MAX && n <= CTL_WORDS_MAX;
}

static int connect_to(str_t path)
{
    enum { SPARE_S = 5 };
    const struct timeval patience = {.tv_sec = CTL_TIMEOUT_MS / 1000 + SPARE_S};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(un.sun_path, path.p, path.n); /* its length has been looked at */
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (TEMP_FAILURE_RETRY(connect(fd, (const struct sockaddr *)&un, sizeof(un))) == 0) return fd;
    int err = errno;
    close(fd);
    return -err;
}

/* Who is stopped and goes on (a shell's ^Z) is interrupted where he waits with a time limit. */
static int exchange(int fd, str_t line, strbuf_t *out)
{
    char part[512];
    ssize_t n = TEMP_FAILURE_RETRY(send(fd, line.p, line.n, MSG_NOSIGNAL));
    if (n != (ssize_t)line.n) return n < 0 ? -errno : -EPIPE;
    while ((n = TEMP_FAILURE_RETRY(recv(fd, part, sizeof(part), 0))) > 0)
        strbuf_add(out, str_make(part, (size_t)n));
    return n < 0 ? -errno : 0;
}

static int print(str_t got)
{
    if (got.n < 2 || got.p[1] != '\n' || (got.p[0] != '0' && got.p[0] != '1'))
        return unheard("the server broke off before it answered");
    int status = got.p[0] - '0';
    FILE *to = status == CTL_DONE ? stdout : stderr;
    if (status != CTL_DONE) fputs("proxyd ctl: ", to);
    fwrite(got.p + 2, 1, got.n - 2, to);
    fflush(to);
    return status;
}

static const char *way_out(int err)
{
    if (err == -ENOENT || err == -ECONNREFUSED)
        return ": is a server running with this configuration? -p and -c say which one";
    if (err == -EACCES || err == -EPERM) return ": only its owner may use it, see \"control\"";
    return "";
}

int ctl_client_ask(pool_t *pool, const ctl_conf_t *conf, const char *const *words, int n)
{
    strbuf_t line = {.pool = pool}, got = {.pool = pool};
    if (conf->path.n == 0) return unheard("the configuration says \"control off\"");
    if (!make_line(&line, words, n))
        return unheard("a command has at most %d words and %d bytes, on one line", CTL_WORDS_MAX,
                       CTL_LINE_MAX);
    int fd = connect_to(conf->path);
    if (fd < 0)
        return unheard("connect() to unix:" STR_FMT " failed (%d: %s)%s", STR_ARG(conf->path), -fd,
                       strerror(-fd), way_out(fd));
    int err = exchange(fd, strbuf_text(&line), &got);
    close(fd);
    if (err)
        return unheard("no answer from unix:" STR_FMT " (%d: %s)", STR_ARG(conf->path), -err,
                       strerror(-err));
    return print(strbuf_text(&got));
}

int ctl_client_help(const module_t *const *list)
{
    puts("proxyd ctl [-p prefix] [-c filename] COMMAND\n");
    for (const module_t *const *m = list; *m; m++)
        for (const ctl_command_t *c = (*m)->commands; c && c->name; c++)
            printf("  %s%s%s\n        %s\n", c->name, *c->arguments ? " " : "", c->arguments,
                   c->help);
    return CTL_DONE;
}
