#include "core/process/tempdir.h"

#include <errno.h>
#include <sys/stat.h>

void tempdir_want(tempdir_set_t *set, str_t path)
{
    for (const tempdir_t *t = set->first; t; t = t->next)
        if (str_eq(str_of(t->path), path)) return;
    tempdir_t *t = POOL_NEW(set->pool, tempdir_t);
    t->path = pool_cstr(set->pool, path);
    t->next = set->first;
    set->first = t;
}

static int make(const tempdir_t *t, const priv_user_t *user)
{
    struct stat st;
    if (mkdir(t->path, 0700) < 0 && errno != EEXIST) return -errno;
    if (stat(t->path, &st) < 0) return -errno;
    if (!S_ISDIR(st.st_mode)) return -ENOTDIR;
    if (!priv_is_root() || !user->name || st.st_uid == user->uid) return 0;
    return priv_give(t->path, user);
}

const tempdir_t *tempdir_set_make(const tempdir_set_t *set, const priv_user_t *user)
{
    for (const tempdir_t *t = set->first; t; t = t->next) {
        int err = make(t, user);
        if (err == 0) continue;
        errno = -err;
        return t;
    }
    return NULL;
}
