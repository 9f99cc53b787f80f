#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process/seccomp.h"

Test(seccomp, lists_what_serving_needs_and_nothing_that_starts_programs)
{
    static const long needed[] = {SYS_read, SYS_writev, SYS_accept4, SYS_sendfile, SYS_splice,
                                  SYS_mprotect, SYS_memfd_create, SYS_futex, SYS_getrandom};
    static const long never[] = {SYS_execve, SYS_execveat, SYS_clone, SYS_ptrace, SYS_mount,
                                 SYS_setuid, SYS_bpf, SYS_listen, SYS_kill, SYS_io_uring_setup,
                                 SYS_unshare, SYS_init_module};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        cr_assert(seccomp_allows(needed[i]), "%ld", needed[i]);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        cr_assert_not(seccomp_allows(never[i]), "%ld", never[i]);
}

/* What a confined process finds: 0 when all is as it must be, else the number of the finding. */
static int look_around(void)
{
    char name[] = "true", *const args[] = {name, NULL};
    if (execv("/bin/true", args) != -1 || errno != EPERM) return 1;
    if (fork() != -1 || errno != EPERM) return 2;
    if (socket(AF_PACKET, SOCK_RAW, 0) != -1 || errno != EPERM) return 3;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) return 4;
    if (listen(fd, 1) != -1 || errno != EPERM) return 5;
    if (prctl(PR_SET_NAME, "confined") != 0) return 6;
    if (prctl(PR_SET_DUMPABLE, 1) != -1 || errno != EPERM) return 7;
    if (kill(getpid(), 0) != -1 || errno != EPERM) return 8;
    return 0;
}

Test(seccomp, holds_in_the_kernel)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int err = seccomp_install();
        _exit(err == -ENOSYS || err == -EINVAL ? 77 : err ? 99 : look_around());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) cr_skip_test("no seccomp filters here");
    cr_assert_eq(WEXITSTATUS(status), 0, "finding %d", WEXITSTATUS(status));
}
