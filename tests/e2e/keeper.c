#include "tests/e2e/keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

enum { REQUEST_MAX = 16384, WORDS_MAX = 64, ENDED_MAX = 256 };

typedef struct notice {
    bool started; /* the answer to a request; else a process has ended */
    pid_t pid;
    int status;
} notice_t;

/* --- the keeper's side --- */

static void exec_words(char *const words[])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    int out = open(words[1], O_WRONLY | O_CREAT | O_APPEND, 0644), in = open("/dev/null", O_RDONLY);
    if (chdir(words[0]) < 0 || out < 0 || in < 0) _exit(126);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close_range(3, ~0u, 0);
    execvp(words[2], words + 2);
    _exit(127);
}

static void start_program(int sock, char *request, size_t n)
{
    char *words[WORDS_MAX + 1] = {0};
    size_t count = 0;
    for (char *p = request; p < request + n && count < WORDS_MAX; p += strlen(p) + 1)
        words[count++] = p;
    pid_t pid = fork();
    if (pid == 0) exec_words(words);
    notice_t notice = {.started = true, .pid = pid < 0 ? -errno : pid};
    (void)!send(sock, &notice, sizeof(notice), MSG_NOSIGNAL);
}

static void reap(int sock)
{
    notice_t notice = {0};
    while ((notice.pid = waitpid(-1, &notice.status, WNOHANG)) > 0)
        (void)!send(sock, &notice, sizeof(notice), MSG_NOSIGNAL);
}

static bool is_child(const char *pid)
{
    char path[64], state;
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    FILE *f = fopen(path, "re");
    bool found = f && fscanf(f, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && parent == getpid();
    if (f) fclose(f);
    return found;
}

/* What a killed process leaves behind becomes a child of ours and is killed in the next round. */
static void kill_all(void)
{
    do {
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));)
            if (isdigit((unsigned char)e->d_name[0]) && is_child(e->d_name))
                kill(atoi(e->d_name), SIGKILL);
        if (d) closedir(d);
    } while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path) < 0 && errno != ENOENT;
}

static void watch(int sock, int signals)
{
    static char request[REQUEST_MAX];
    struct signalfd_siginfo info;
    for (;;) {
        struct pollfd fds[] = {{.fd = sock, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
        if (fds[1].revents && read(signals, &info, sizeof(info)) > 0) reap(sock);
        if (!fds[0].revents) continue;
        ssize_t n = recv(sock, request, sizeof(request), 0);
        if (n <= 0) return;
        start_program(sock, request, (size_t)n);
    }
}

static _Noreturn void keep(int sock, const char *directory)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_NAME, "keeper");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    watch(sock, signalfd(-1, &set, SFD_CLOEXEC));
    kill_all();
    nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

/* --- the test's side --- */

static struct {
    int sock;
    pid_t pid;
    unsigned count;
    notice_t ended[ENDED_MAX]; /* the latest, in any order */
} keeper = {.sock = -1};

void keeper_start(const char *directory)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    keeper.count = 0;
    keeper.pid = fork();
    cr_assert_geq(keeper.pid, 0);
    if (keeper.pid == 0) {
        /* Nothing of the test's is held open by what outlives it. */
        dup2(pair[1], 3);
        close_range(4, ~0u, 0);
        fcntl(3, F_SETFD, FD_CLOEXEC);
        keep(3, directory);
    }
    close(pair[1]);
    keeper.sock = pair[0];
}

void keeper_stop(void)
{
    if (keeper.sock < 0) return;
    close(keeper.sock);
    keeper.sock = -1;
    while (waitpid(keeper.pid, NULL, 0) < 0 && errno == EINTR) continue;
}

/* The next notice within ms; false when there is none. */
static bool next_notice(notice_t *notice, int ms)
{
    struct pollfd p = {.fd = keeper.sock, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0) return false;
    if (recv(keeper.sock, notice, sizeof(*notice), 0) != sizeof(*notice)) return false;
    if (!notice->started) keeper.ended[keeper.count++ % ENDED_MAX] = *notice;
    return true;
}

static void add_word(char *request, size_t *n, const char *word)
{
    size_t len = strlen(word) + 1;
    cr_assert_leq(*n + len, REQUEST_MAX, "a command line is too long");
    memcpy(request + *n, word, len);
    *n += len;
}

pid_t keeper_run(const char *const argv[], const char *directory, const char *output)
{
    static char request[REQUEST_MAX];
    size_t n = 0;
    notice_t notice = {0};
    add_word(request, &n, directory);
    add_word(request, &n, output);
    for (; *argv; argv++) add_word(request, &n, *argv);
    cr_assert_eq(send(keeper.sock, request, n, MSG_NOSIGNAL), (ssize_t)n);
    while (next_notice(&notice, -1) && !notice.started) continue;
    return notice.started ? notice.pid : -EPIPE;
}

static bool has_ended(pid_t pid, int *status)
{
    for (unsigned i = 0; i < keeper.count && i < ENDED_MAX; i++) {
        if (keeper.ended[i].pid != pid) continue;
        *status = keeper.ended[i].status;
        return true;
    }
    return false;
}

bool keeper_wait(pid_t pid, int ms, int *status)
{
    notice_t notice;
    int64_t until = now_ms() + ms;
    while (!has_ended(pid, status)) {
        int64_t left = until - now_ms();
        if (left < 0 || !next_notice(&notice, (int)left)) return has_ended(pid, status);
    }
    return true;
}
