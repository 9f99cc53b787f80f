#include "modules/acl/userfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"

enum { PIECE = 16 * 1024 /* and the longest line */ };

int userfile_open(const char *path, userfile_state_t *state)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -errno;
    int err = fstat(fd, &st) != 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
    if (err < 0) {
        close(fd);
        return err;
    }
    *state = (userfile_state_t){.device = st.st_dev, .inode = st.st_ino};
    state->size = (uint64_t)st.st_size;
    state->changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
    return fd;
}

static bool takes_line(pool_t *pool, str_t line, str_t user, str_t *hash)
{
    if (str_ends(line, STR("\r"))) line.n--;
    size_t colon = str_find(line, 0, ':');
    if (str_starts(line, STR("#")) || colon == line.n || !str_eq(str_sub(line, 0, colon), user))
        return false;
    str_t rest = str_sub(line, colon + 1, line.n);
    *hash = pool_str(pool, str_sub(rest, 0, str_find(rest, 0, ':')));
    return true;
}

/* The whole lines in b, and with `last` what follows them. What is no whole line yet stays. */
static bool takes_lines(pool_t *pool, buf_t *b, bool last, str_t user, str_t *hash)
{
    while (buf_used(b)) {
        str_t text = buf_str(b);
        size_t end = str_find(text, 0, '\n');
        if (end == text.n && !last) return false;
        if (takes_line(pool, str_sub(text, 0, end), user, hash)) return true;
        b->pos += end < text.n ? end + 1 : end;
    }
    return false;
}

static ssize_t fill(int fd, buf_t *b)
{
    buf_compact(b);
    if (!buf_room(b)) return -EFBIG;
    ssize_t got = read(fd, b->last, buf_room(b));
    if (got < 0) return -errno;
    b->last += got;
    return got;
}

int userfile_find(int fd, pool_t *pool, str_t user, str_t *hash)
{
    buf_t *b = buf_take(PIECE);
    ssize_t got;
    *hash = (str_t){NULL, 0};
    do got = fill(fd, b);
    while (got >= 0 && !takes_lines(pool, b, got == 0, user, hash) && got > 0);
    buf_return(b);
    return got < 0 ? (int)got : 0;
}
