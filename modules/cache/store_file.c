#include "modules/cache/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_FILE = 0600, MODE_DIR = 0700, HEX_KEY = 32, HEX_ID = 16 };

int store_dir_open(store_dir_t *d)
{
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0) return -errno;
    if (mkdirat(d->fd, "temp", MODE_DIR) == 0 || errno == EEXIST) return 0;
    int err = errno;
    store_dir_close(d);
    return -err;
}

void store_dir_close(store_dir_t *d)
{
    if (d->fd >= 0) close(d->fd);
    d->fd = -1;
}

/* --- names --- */

static char *put_hex(char *out, uint64_t v)
{
    static const char digits[] = "0123456789abcdef";
    for (int shift = 60; shift >= 0; shift -= 4) *out++ = digits[v >> shift & 15];
    return out;
}

void store_file_name(const store_dir_t *d, const store_file_t *f, char *out)
{
    char hex[HEX_KEY];
    put_hex(put_hex(hex, f->key[0]), f->key[1]);
    unsigned end = HEX_KEY;
    for (unsigned i = 0; i < STORE_FILE_LEVELS && d->levels[i]; i++) {
        end -= d->levels[i];
        memcpy(out, hex + end, d->levels[i]);
        out += d->levels[i];
        *out++ = '/';
    }
    memcpy(out, hex, HEX_KEY);
    out += HEX_KEY;
    if (f->variant) *out++ = '.';
    if (f->variant) out = put_hex(out, f->variant);
    *out++ = '-';
    *put_hex(out, f->id) = 0;
}

/* In lower case only, as they are written. */
static bool get_hex(str_t s, uint64_t *out)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'F') return false;
    return str_hex_to_u64(s, out);
}

bool store_file_parse(str_t name, store_file_t *out)
{
    size_t dash = str_find(name, 0, '-');
    str_t first = str_sub(name, 0, dash), id = str_sub(name, dash + 1, name.n);
    bool plain = first.n == HEX_KEY, variant = first.n == HEX_KEY + 1 + HEX_ID;
    out->variant = 0;
    if (!plain && !(variant && first.p[HEX_KEY] == '.')) return false;
    if (!get_hex(str_sub(first, 0, 16), &out->key[0]) ||
        !get_hex(str_sub(first, 16, HEX_KEY), &out->key[1]) || id.n != HEX_ID ||
        !get_hex(id, &out->id))
        return false;
    return plain || (get_hex(str_sub(first, HEX_KEY + 1, first.n), &out->variant) && out->variant);
}

static void temp_name(uint64_t id, char *out)
{
    memcpy(out, "temp/", 5);
    *put_hex(out + 5, id) = 0;
}

/* --- files --- */

static int opened(int fd)
{
    return fd < 0 ? -errno : fd;
}

int store_file_open(const store_dir_t *d, const store_file_t *f, bool update)
{
    char name[STORE_FILE_NAME];
    store_file_name(d, f, name);
    return opened(openat(d->fd, name, (update ? O_WRONLY : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW));
}

int store_file_unlink(const store_dir_t *d, const store_file_t *f)
{
    char name[STORE_FILE_NAME];
    store_file_name(d, f, name);
    return unlinkat(d->fd, name, 0) < 0 ? -errno : 0;
}

int store_file_create(const store_dir_t *d, uint64_t id)
{
    char name[STORE_FILE_NAME];
    temp_name(id, name);
    int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE_FILE);
    if (fd >= 0 || errno != ENOENT || mkdirat(d->fd, "temp", MODE_DIR) < 0) return opened(fd);
    return opened(openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE_FILE));
}

int store_file_open_new(const store_dir_t *d, uint64_t id)
{
    char name[STORE_FILE_NAME];
    temp_name(id, name);
    return opened(openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
}

int store_file_discard(const store_dir_t *d, uint64_t id)
{
    char name[STORE_FILE_NAME];
    temp_name(id, name);
    return unlinkat(d->fd, name, 0) < 0 ? -errno : 0;
}

static void make_directories(const store_dir_t *d, char *name)
{
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdirat(d->fd, name, MODE_DIR); /* what comes next tells whether it is there */
        *slash = '/';
    }
}

int store_file_publish(const store_dir_t *d, const store_file_t *f)
{
    char from[STORE_FILE_NAME], to[STORE_FILE_NAME];
    temp_name(f->id, from);
    store_file_name(d, f, to);
    if (renameat(d->fd, from, d->fd, to) == 0) return 0;
    if (errno != ENOENT) return -errno;
    make_directories(d, to);
    return renameat(d->fd, from, d->fd, to) < 0 ? -errno : 0;
}

/* --- bytes --- */

static void advance(struct iovec **iov, int *n, size_t done)
{
    while (*n > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)++;
        (*n)--;
    }
    if (*n == 0) return;
    (*iov)->iov_base = (char *)(*iov)->iov_base + done;
    (*iov)->iov_len -= done;
}

int store_file_write(int fd, struct iovec *iov, int n, off_t at)
{
    advance(&iov, &n, 0);
    while (n > 0) {
        ssize_t done = pwritev(fd, iov, n, at);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? -errno : -ENOSPC;
        at += done;
        advance(&iov, &n, (size_t)done);
    }
    return 0;
}

ssize_t store_file_read(int fd, char *out, size_t n, off_t at)
{
    size_t got = 0;
    while (got < n) {
        ssize_t some = pread(fd, out + got, n - got, at + (off_t)got);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) return -errno;
        if (some == 0) break;
        got += (size_t)some;
    }
    return (ssize_t)got;
}
