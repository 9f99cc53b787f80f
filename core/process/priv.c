#include "core/process/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/asan.h"
#include "core/process/seccomp.h"

/* The leak check attaches to the process and runs helpers of its own. */
enum { SANITIZED = ASAN_WATCHES };

bool priv_is_root(void)
{
    return geteuid() == 0;
}

bool priv_find_user(const char *user, const char *group, priv_user_t *out, const char **why)
{
    struct passwd *pw = getpwnam(user);
    struct group *gr = pw ? getgrnam(group ? group : user) : NULL;
    *why = pw ? "getgrnam" : "getpwnam";
    if (!gr) return false;
    *out = (priv_user_t){.name = user, .uid = pw->pw_uid, .gid = gr->gr_gid};
    return true;
}

int priv_give(const char *path, const priv_user_t *user)
{
    if (!user->name) return 0;
    return chown(path, user->uid, user->gid) < 0 ? -errno : 0;
}

static bool failed(const log_t *log, const char *what)
{
    LOG(log, LOG_EMERG, errno, "%s failed", what);
    return false;
}

static bool become(const priv_user_t *user, const log_t *log)
{
    if (initgroups(user->name, user->gid) < 0) return failed(log, "initgroups()");
    if (setresgid(user->gid, user->gid, user->gid) < 0) return failed(log, "setresgid()");
    if (setresuid(user->uid, user->uid, user->uid) < 0) return failed(log, "setresuid()");
    return true;
}

/* Needs CAP_SETPCAP, so it comes before the change of user; who lacks it has little to drop. */
static void drop_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        prctl(PR_CAPBSET_DROP, cap);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static bool drop_capabilities(const log_t *log)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &head, none) < 0) return failed(log, "capset()");
    return true;
}

bool priv_drop(const priv_user_t *user, bool core_dumps, const log_t *log)
{
    drop_bounding_set();
    if (user->name && !become(user, log)) return false;
    if (!drop_capabilities(log)) return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed(log, "prctl(PR_SET_NO_NEW_PRIVS)");
    /* Changing the user made the process undumpable, which also hides it from debuggers. */
    if (core_dumps || SANITIZED) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return true;
}

/* Valgrind hands out an emulated CPU and makes system calls of its own for the program. */
static bool in_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && (strstr(preload, "/valgrind/") || strstr(preload, "/vgpreload"));
}

bool priv_confine(const log_t *log)
{
    if (SANITIZED || in_valgrind()) return true;
    int err = seccomp_install();
    if (err == -EINVAL || err == -ENOSYS) {
        LOG(log, LOG_NOTICE, -err, "this kernel has no seccomp filters, going on without");
        return true;
    }
    if (err) LOG(log, LOG_EMERG, -err, "seccomp() failed");
    return !err;
}
