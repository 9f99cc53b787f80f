#include "modules/ssl/ssl_watch.h"

#include <errno.h>
#include <openssl/pem.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/io/tls.h"
#include "core/process/generation.h"

enum { PEM_MOST = 256 * 1024 };

/* --- what is shared --- */

static void *init_asked(slab_t *slab, void *arg)
{
    uint32_t *asked = slab_alloc(slab, sizeof(*asked));
    (void)arg;
    if (asked) *asked = 0;
    return asked;
}

bool ssl_watch_prepare(conf_t *cf, ssl_store_t *store)
{
    const char *why;
    store->asked = zone_want(&generation_of(cf)->zones, STR("ssl certificates"), ZONE_SIZE_MIN,
                             "ssl certificates", init_asked, NULL, &why);
    generation_of(cf)->errands = true;
    return store->asked || conf_error(cf, NULL, 0, NULL, "%s", why);
}

void ssl_watch_ask(const ssl_store_t *store)
{
    __atomic_add_fetch((uint32_t *)store->asked->root, 1, __ATOMIC_RELAXED);
}

static bool is_asked(ssl_store_t *store)
{
    uint32_t asked = __atomic_load_n((uint32_t *)store->asked->root, __ATOMIC_RELAXED);
    bool news = asked != store->answered;
    store->answered = asked;
    return news;
}

/* --- one certificate, in the master --- */

static void refuse(ssl_certificate_t *c, const char *reason)
{
    if (ssl_stamp_eq(&c->refused, &c->seen)) return;
    c->refused = c->seen;
    LOG(&log_main, LOG_ERR, 0,
        "the certificate \"%s\" has changed and is not taken (%s), the one before is shown",
        c->file.path, reason);
}

static bool read_pair(ssl_certificate_t *c, tls_identity_t *id)
{
    pool_t *pool = pool_create();
    tls_passwords_t passwords = {.n = 0};
    char reason[256];
    if (c->passwords.path) tls_identity_read_passwords(pool, c->passwords.path, &passwords);
    bool ok = tls_identity_read_certificate(id, c->file.path) &&
              tls_identity_read_key(id, c->key.path, &passwords) && tls_identity_fits(id);
    tls_reason(reason, sizeof(reason));
    tls_identity_forget_passwords(&passwords);
    pool_destroy(pool);
    if (!ok) refuse(c, reason);
    return ok;
}

static bool write_pair(const tls_identity_t *id, BIO *out)
{
    if (!PEM_write_bio_X509(out, id->cert)) return false;
    for (int i = 0; i < sk_X509_num(id->chain); i++)
        if (!PEM_write_bio_X509(out, sk_X509_value(id->chain, i))) return false;
    return PEM_write_bio_PKCS8PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL) == 1;
}

/* The pair in memory that only holders of the descriptor can read. -1: errno. */
static int pack(const tls_identity_t *id)
{
    int fd = memfd_create("certificate", MFD_CLOEXEC);
    char *p;
    BIO *out = BIO_new(BIO_s_secmem());
    long n = out && write_pair(id, out) ? BIO_get_mem_data(out, &p) : 0;
    bool ok = fd >= 0 && n > 0 && write(fd, p, (size_t)n) == n;
    BIO_free(out);
    if (ok || fd < 0) return fd;
    close(fd);
    return -1;
}

static void replace(ssl_certificate_t *c, uint32_t number, tls_identity_t *id,
                    void (*tell)(uint32_t number, int fd))
{
    int fd = pack(id);
    if (fd < 0) return refuse(c, "there is no memory to hand it on");
    tell(number, fd);
    close(fd);
    ssl_certificate_replace(c, id);
    c->loaded = c->seen;
    LOG(&log_main, LOG_NOTICE, 0, "the certificate \"%s\" has changed and is shown from now on",
        c->file.path);
}

static void look(ssl_certificate_t *c, uint32_t number, bool at_once,
                 void (*tell)(uint32_t number, int fd))
{
    ssl_stamp_t now = ssl_stamp(c), after;
    tls_identity_t id = {.cert = NULL};
    bool still = at_once || ssl_stamp_eq(&now, &c->seen);
    c->seen = now;
    if (!still || ssl_stamp_eq(&now, &c->loaded)) return;
    bool ok = read_pair(c, &id);
    after = ssl_stamp(c);
    if (ok && ssl_stamp_eq(&now, &after)) {
        if (EVP_PKEY_get_base_id(id.key) == EVP_PKEY_get_base_id(c->identity.key))
            replace(c, number, &id, tell);
        else
            refuse(c, "its key is of another kind, which takes a reload");
    }
    tls_identity_clear(&id);
}

void ssl_watch_errand(const void *main_struct, void (*tell)(uint32_t number, int fd))
{
    ssl_store_t *store = ((const ssl_conf_t *)main_struct)->store;
    if (!store || !store->asked) return;
    bool asked = is_asked(store);
    for (uint32_t i = 0; i < store->all.n; i++) {
        ssl_certificate_t *c = store->all.v[i];
        if (!c->asked_for && (asked || c->watched)) look(c, i, asked, tell);
    }
}

/* --- in a worker --- */

static bool unpack(tls_identity_t *id, int fd)
{
    static const str_t prefix = STR_INIT("data:");
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > PEM_MOST) return false;
    size_t n = (size_t)st.st_size;
    char *text = OPENSSL_malloc(prefix.n + n + 1);
    if (!text) return false;
    memcpy(text, prefix.p, prefix.n);
    bool ok = pread(fd, text + prefix.n, n, 0) == st.st_size;
    text[prefix.n + n] = '\0';
    ok = ok && tls_identity_read_certificate(id, text) && tls_identity_read_key(id, text, NULL);
    OPENSSL_clear_free(text, prefix.n + n + 1);
    return ok;
}

void ssl_watch_told(const void *main_struct, uint32_t number, int fd)
{
    const ssl_store_t *store = ((const ssl_conf_t *)main_struct)->store;
    tls_identity_t id = {.cert = NULL};
    if (!store || number >= store->all.n || fd < 0) return;
    char reason[256];
    if (unpack(&id, fd)) {
        ssl_certificate_replace(store->all.v[number], &id);
    } else {
        tls_reason(reason, sizeof(reason));
        LOG(&log_main, LOG_ALERT, 0, "a certificate from the master cannot be read (%s)", reason);
    }
    tls_identity_clear(&id);
}
