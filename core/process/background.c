#include "core/process/background.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/log.h"

static int ready_pipe = -1;

static _Noreturn void wait_for_child(int fd, int error_fd)
{
    char byte;
    ssize_t n = TEMP_FAILURE_RETRY(read(fd, &byte, 1));
    if (n != 1) {
        static const char hint[] = "proxyd: could not start, the error log says why\n";
        ssize_t ignored = error_fd >= 0 ? write(STDERR_FILENO, hint, sizeof(hint) - 1) : 0;
        (void)ignored;
    }
    _exit(n == 1 ? 0 : 1);
}

static void redirect(int error_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(error_fd >= 0 ? error_fd : null, STDERR_FILENO);
    if (null > STDERR_FILENO) close(null);
}

bool background_enter(int error_fd)
{
    int ends[2] = {-1, -1};
    pid_t pid = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();
    if (pid < 0) {
        LOG(&log_main, LOG_EMERG, errno, "fork() failed");
        return false;
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_child(ends[0], error_fd);
    }
    close(ends[0]);
    ready_pipe = ends[1];
    setsid();
    redirect(error_fd);
    return true;
}

void background_ready(void)
{
    if (ready_pipe < 0) return;
    ssize_t ignored = write(ready_pipe, "", 1);
    (void)ignored;
    background_forget();
}

void background_forget(void)
{
    if (ready_pipe >= 0) close(ready_pipe);
    ready_pipe = -1;
}
