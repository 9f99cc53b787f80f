#include "modules/ssl/acme_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/tls.h"
#include "modules/ssl/acme_x509.h"

enum { FILE_MOST = 256 * 1024 };

/* --- whole files --- */

static int read_all(int fd, char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, p + at, n - at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? -errno : -EIO;
        at += (size_t)got;
    }
    return 0;
}

/* *out: "data:" and what is in it, NUL-terminated. 0 or negative errno. */
static int read_file(pool_t *pool, const char *path, const char **out)
{
    static const str_t prefix = STR_INIT("data:");
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return -errno;
    int err = fstat(fd, &st) < 0 ? -errno : 0;
    if (!err && (!S_ISREG(st.st_mode) || st.st_size > FILE_MOST)) err = -EFBIG;
    if (!err) {
        size_t n = (size_t)st.st_size;
        char *text = pool_bytes(pool, prefix.n + n + 1);
        memcpy(text, prefix.p, prefix.n);
        err = read_all(fd, text + prefix.n, n);
        text[prefix.n + n] = '\0';
        *out = text;
    }
    close(fd);
    return err;
}

static int write_all(int fd, str_t text)
{
    for (size_t at = 0; at < text.n;) {
        ssize_t put = write(fd, text.p + at, text.n - at);
        if (put < 0 && errno != EINTR) return -errno;
        if (put > 0) at += (size_t)put;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Under another name first, so that nobody ever sees half of it. */
static int write_file(pool_t *pool, str_t path, str_t text)
{
    const char *to = pool_cstr(pool, path), *new = pool_printf(pool, "%s.new", to).p;
    unlink(new);
    int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -errno;
    int err = write_all(fd, text);
    close(fd);
    if (!err && rename(new, to) < 0) err = -errno;
    if (err) unlink(new);
    return err;
}

/* --- certificates --- */

static const char *judge(const acme_certificate_t *c, const tls_identity_t *id)
{
    acme_key_type_t type;
    if (!tls_identity_fits(id)) return "the key in it does not fit";
    if (!acme_key_type_of(id->key, &type) || type.rsa != c->key_type.rsa)
        return "its key is of another kind";
    return NULL;
}

bool acme_files_read(const acme_certificate_t *c, tls_identity_t *out, const char **why)
{
    const char *text;
    pool_t *pool = pool_create();
    int err = read_file(pool, c->path.p, &text);
    *out = (tls_identity_t){.cert = NULL};
    *why = err == -ENOENT ? NULL : "it cannot be read";
    if (!err && tls_identity_read_certificate(out, text) && tls_identity_read_key(out, text, NULL))
        *why = judge(c, out);
    else
        err = err ? err : -EBADMSG;
    if (!err) OPENSSL_cleanse((char *)(uintptr_t)text, strlen(text));
    pool_destroy(pool);
    if (!err && !*why) return true;
    tls_identity_clear(out);
    return false;
}

int acme_files_write(const acme_certificate_t *c, const tls_identity_t *id)
{
    pool_t *pool = pool_create();
    str_t text = acme_x509_write(pool, id);
    int err = text.n ? write_file(pool, c->path, text) : -ENOMEM;
    if (text.n) OPENSSL_cleanse((char *)(uintptr_t)text.p, text.n);
    pool_destroy(pool);
    return err;
}

/* --- accounts --- */

static str_t in_state(const acme_issuer_t *issuer, pool_t *pool, const char *name)
{
    return pool_printf(pool, STR_FMT "/%s", STR_ARG(issuer->state_path), name);
}

static EVP_PKEY *make_account(const acme_issuer_t *issuer, pool_t *pool, str_t path,
                              const char **why)
{
    EVP_PKEY *key = acme_key_make(issuer->key_type);
    str_t text = {NULL, 0};
    if (key) text = acme_key_write(pool, key);
    int err = text.n ? write_file(pool, path, text) : -ENOMEM;
    if (!err) return key;
    *why = pool_printf(pool, "\"" STR_FMT "\" cannot be written (%d: %s)", STR_ARG(path), -err,
                       strerror(-err)).p;
    EVP_PKEY_free(key);
    return NULL;
}

/* One that is there is never replaced: an account may hang on it. */
EVP_PKEY *acme_files_account(const acme_issuer_t *issuer, pool_t *pool, const char **why)
{
    const char *text;
    tls_identity_t id = {.cert = NULL};
    acme_key_type_t type;
    if (issuer->key) return EVP_PKEY_up_ref(issuer->key) ? issuer->key : NULL;
    str_t path = in_state(issuer, pool, "account.key");
    int err = read_file(pool, path.p, &text);
    if (err == -ENOENT) return make_account(issuer, pool, path, why);
    if (!err && tls_identity_read_key(&id, text, NULL) && acme_key_type_of(id.key, &type))
        return id.key;
    tls_identity_clear(&id);
    *why = pool_printf(pool, "\"" STR_FMT "\" holds no key of " ACME_KEY_TYPES, STR_ARG(path)).p;
    return NULL;
}

int acme_files_take(const acme_issuer_t *issuer, int *fd)
{
    pool_t *pool = pool_create();
    *fd = open(in_state(issuer, pool, "lock").p, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int err = *fd < 0 ? -errno : 0;
    pool_destroy(pool);
    if (!err && flock(*fd, LOCK_EX | LOCK_NB) < 0) err = -errno;
    if (err && *fd >= 0) close(*fd);
    return err;
}
