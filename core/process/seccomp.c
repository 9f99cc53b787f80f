#include "core/process/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What is called most stands first: kernels before 5.11 walk the filter at every call. */
static const int allowed[] = {
    /* bytes and events */
    SYS_epoll_pwait, SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_recvfrom, SYS_sendto,
    SYS_recvmsg, SYS_sendmsg, SYS_sendfile, SYS_splice, SYS_close, SYS_accept4, SYS_pread64,
    SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_recvmmsg, SYS_sendmmsg,
    SYS_tee, SYS_vmsplice, SYS_pipe2, SYS_epoll_ctl, SYS_epoll_create1, SYS_epoll_pwait2, SYS_ppoll,
    SYS_pselect6, SYS_eventfd2, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime,
    /* sockets; socket() itself stands below */
    SYS_connect, SYS_bind, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
    SYS_shutdown, SYS_socketpair,
    /* files */
    SYS_openat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek, SYS_fcntl, SYS_dup, SYS_dup3,
    SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_fstatfs,
    SYS_statfs, SYS_ftruncate, SYS_fallocate, SYS_fadvise64, SYS_fsync, SYS_fdatasync,
    SYS_copy_file_range, SYS_sync_file_range, SYS_memfd_create, SYS_flock, SYS_renameat2,
    SYS_unlinkat, SYS_mkdirat, SYS_linkat, SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_openat2,
    /* memory; mprotect also makes what PCRE2 has compiled executable */
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_msync, SYS_mincore,
    SYS_membarrier, SYS_mlock, SYS_munlock,
    /* locks, time, chance */
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_getcpu, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep,
    SYS_nanosleep, SYS_gettimeofday, SYS_times, SYS_getrusage, SYS_getrandom,
    /* the process itself */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_sigaltstack,
    SYS_restart_syscall, SYS_tgkill, SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid,
    SYS_getgid, SYS_getegid, SYS_getgroups, SYS_uname, SYS_sysinfo, SYS_prlimit64, SYS_getrlimit,
    SYS_set_tid_address, SYS_exit, SYS_exit_group,
#ifdef __x86_64__ /* calls that newer architectures have in their -at form alone */
    SYS_epoll_wait, SYS_poll, SYS_select, SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink,
    SYS_dup2, SYS_pipe, SYS_accept, SYS_rename, SYS_renameat, SYS_unlink, SYS_mkdir, SYS_link,
    SYS_chmod, SYS_time, SYS_arch_prctl, SYS_epoll_create, SYS_eventfd, SYS_getdents,
#else
    SYS_accept, SYS_renameat,
#endif
};

/* Calls that are allowed with these first arguments alone. */
static const struct {
    int call;
    uint32_t first[12];
} limited[] = {
    {SYS_socket, {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK}},
    {SYS_prctl, {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA, of malloc */}},
    {SYS_ioctl, {FIONREAD, FIONBIO, TIOCOUTQ, TCGETS, SIOCGIFINDEX, SIOCGIFNAME, SIOCGIFFLAGS,
                 SIOCGIFCONF}},
};

enum { PROGRAM_MAX = 2 * COUNT(allowed) + COUNT(limited) * 28 + 8 };

typedef struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short n;
} program_t;

static void emit(program_t *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->code[p->n++] = (struct sock_filter){.code = code, .k = k, .jt = yes, .jf = no};
}

static void emit_load(program_t *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(program_t *p, uint32_t verdict)
{
    emit(p, BPF_RET | BPF_K, verdict, 0, 0);
}

static void emit_allow_if(program_t *p, uint32_t value)
{
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    emit_return(p, SECCOMP_RET_ALLOW);
}

static void emit_deny(program_t *p)
{
    emit_return(p, SECCOMP_RET_ERRNO | EPERM);
}

/* The kernel takes the first argument of these calls as 32 bits, which come first in memory. */
static void emit_limited(program_t *p, size_t i)
{
    size_t n = 0;
    while (n < COUNT(limited[i].first) && limited[i].first[n]) n++;
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)limited[i].call, 0, (uint8_t)(2 + 2 * n));
    emit_load(p, offsetof(struct seccomp_data, args));
    for (size_t j = 0; j < n; j++) emit_allow_if(p, limited[i].first[j]);
    emit_deny(p);
}

bool seccomp_allows(long number)
{
    for (size_t i = 0; i < COUNT(allowed); i++)
        if (allowed[i] == number) return true;
    return false;
}

#ifdef ARCH

static void build(program_t *p)
{
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    emit_deny(p);
    emit_load(p, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(allowed); i++) emit_allow_if(p, (uint32_t)allowed[i]);
    for (size_t i = 0; i < COUNT(limited); i++) emit_limited(p, i);
    emit_deny(p);
}

int seccomp_install(void)
{
    static program_t program;
    if (!program.n) build(&program);
    struct sock_fprog prog = {.len = program.n, .filter = program.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &prog) < 0)
        return -errno;
    return 0;
}

#else

int seccomp_install(void)
{
    return -ENOSYS;
}

#endif
