/*
 * auth_basic: Basic authentication (RFC 7617) against a file of users.
 *
 *     auth_basic "staff only"; auth_basic_user_file users;
 *
 * A hash is made slow on purpose, and it is made here, in the worker. So passwords are checked one
 * at a time, and between two of them the loop turns: others wait for one hash at most. What was
 * right is remembered for some seconds, as a keyed digest of user, password, file and the file's
 * state: a changed file is asked anew.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/list.h"
#include "core/base/panic.h"
#include "core/io/fiber.h"
#include "http/http.h"
#include "http/request.h"
#include "modules/acl/password.h"
#include "modules/acl/userfile.h"

typedef struct auth_basic_conf {
    text_t realm, file;
} auth_basic_conf_t;

/* One request's credentials, and the file they are held against. */
typedef struct auth {
    request_t *r;
    str_t user, password, path;
    userfile_state_t state;
} auth_t;

static unsigned auth_basic_index;

/* --- what was right a moment ago --- */

enum { DIGEST = 32, MEMORY_SLOTS = 256, MEMORY_MS = 5000 };

typedef struct memory_slot {
    unsigned char digest[DIGEST];
    uint64_t until_ms; /* clock_ms; 0: empty */
} memory_slot_t;

static memory_slot_t memory[MEMORY_SLOTS];

static void add_part(buf_t *b, str_t s)
{
    uint64_t n = s.n;
    buf_put(b, str_make((const char *)&n, sizeof(n)));
    buf_put(b, s);
}

/* HMAC-SHA-256, under a key of this process, of all that the answer depends on. */
static void digest_of(const auth_t *a, str_t hash, unsigned char out[DIGEST])
{
    static unsigned char key[DIGEST];
    static bool keyed;
    str_t parts[] = {a->user, a->password, a->path, hash,
                     str_make((const char *)&a->state, sizeof(a->state))};
    size_t n = 0, count = sizeof(parts) / sizeof(parts[0]);
    if (!keyed && getrandom(key, sizeof(key), 0) != sizeof(key)) panic("no random bytes");
    keyed = true;
    for (size_t i = 0; i < count; i++) n += sizeof(uint64_t) + parts[i].n;
    buf_t *b = buf_take(n);
    for (size_t i = 0; i < count; i++) add_part(b, parts[i]);
    if (!HMAC(EVP_sha256(), key, sizeof(key), (unsigned char *)b->pos, n, out, NULL))
        panic("no digest for passwords");
    OPENSSL_cleanse(b->pos, n);
    buf_return(b);
}

static bool is_remembered(const unsigned char digest[DIGEST])
{
    const memory_slot_t *slot = &memory[digest[0]];
    return slot->until_ms > clock_ms() && CRYPTO_memcmp(slot->digest, digest, DIGEST) == 0;
}

static void remember(const unsigned char digest[DIGEST])
{
    memory_slot_t *slot = &memory[digest[0]];
    memcpy(slot->digest, digest, DIGEST);
    slot->until_ms = clock_ms() + MEMORY_MS;
}

/* --- one after the other --- */

enum { QUEUE_MAX = 128 };

typedef struct turn {
    list_t link;
    fiber_t *fiber;
} turn_t;

static list_t queue = {&queue, &queue};
static unsigned queued;

static void end_turn(turn_t *t)
{
    list_remove(&t->link);
    queued--;
    if (queue.next != &queue) fiber_wake(LIST_OF(queue.next, turn_t, link)->fiber);
}

/* Waits until all who came before have had their turn. 0, or negative errno. */
static int begin_turn(turn_t *t)
{
    int err = 0;
    if (queued >= QUEUE_MAX) return -EBUSY;
    t->fiber = fiber_self();
    list_push(&queue, &t->link);
    queued++;
    while (err == 0 && queue.next != &t->link) err = fiber_suspend(UINT64_MAX);
    if (err < 0) end_turn(t);
    return err;
}

/* 1: it is the right one, 0: it is not, or negative errno. Suspends. */
static int check_slowly(const auth_t *a, str_t hash)
{
    unsigned char digest[DIGEST];
    turn_t turn;
    digest_of(a, hash, digest);
    if (is_remembered(digest)) return 1;
    int err = begin_turn(&turn);
    if (err < 0) return err;
    bool right = is_remembered(digest) || password_matches(a->r->pool, a->password, hash);
    if (right) remember(digest);
    fiber_sleep(1); /* the loop serves the others before the next one's turn */
    end_turn(&turn);
    return right;
}

static int check(const auth_t *a, str_t hash)
{
    if (password_is_slow(hash)) return check_slowly(a, hash);
    return password_matches(a->r->pool, a->password, hash);
}

/* --- in a request --- */

enum { SHOWN_MAX = 256 };

/*
 * The name for a log that others act upon (fail2ban): a quote must not end it, and a long one must
 * not push the client's address off the line.
 */
static str_t shown(const auth_t *a)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0, most = a->user.n < SHOWN_MAX ? a->user.n : SHOWN_MAX;
    char *out = pool_bytes(a->r->pool, most * 4);
    for (size_t i = 0; i < most; i++) {
        char c = a->user.p[i];
        if (c != '"' && c != '\\') {
            out[n++] = c;
            continue;
        }
        memcpy(out + n, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
        n += 4;
    }
    return str_make(out, n);
}

/* The realm is a quoted-string (RFC 9110 5.6.4). */
static verdict_t challenge(request_t *r, str_t realm)
{
    char *quoted = pool_bytes(r->pool, realm.n * 2);
    size_t n = 0;
    for (size_t i = 0; i < realm.n; i++) {
        if (realm.p[i] == '"' || realm.p[i] == '\\') quoted[n++] = '\\';
        quoted[n++] = realm.p[i];
    }
    r->challenge = pool_printf(r->pool, "Basic realm=\"%.*s\"", (int)n, quoted);
    return verdict_refuse(401, LOG_ERR, NULL);
}

static verdict_t file_failed(const auth_t *a, int err)
{
    const log_t *log = &a->r->log;
    int level = err == -ENOENT ? LOG_ERR : LOG_CRIT;
    LOG(log, level, -err, "open() \"" STR_FMT "\" failed", STR_ARG(a->path));
    return verdict_refuse(err == -ENOENT ? 403 : 500, LOG_ERR, NULL);
}

/* The hash of the user; p NULL: there is none. NEXT, or the refusal. */
static verdict_t find_user(auth_t *a, str_t *hash)
{
    if (memchr(a->path.p, '\0', a->path.n)) return file_failed(a, -ENOENT);
    int fd = userfile_open(pool_cstr(a->r->pool, a->path), &a->state);
    if (fd < 0) return file_failed(a, fd);
    int err = userfile_find(fd, a->r->pool, a->user, hash);
    close(fd);
    return err < 0 ? file_failed(a, err) : VERDICT(NEXT);
}

static verdict_t judge(auth_t *a, str_t realm)
{
    str_t hash, name = shown(a);
    verdict_t v = find_user(a, &hash);
    if (v.kind != VERDICT_NEXT) return v;
    if (!hash.p) {
        LOG(&a->r->log, LOG_ERR, 0, "user \"" STR_FMT "\" was not found in \"" STR_FMT "\"",
            STR_ARG(name), STR_ARG(a->path));
        return challenge(a->r, realm);
    }
    int right = check(a, hash);
    if (right == -EBUSY) return verdict_refuse(503, LOG_ERR, "too many passwords to check");
    if (right < 0) return verdict_refuse(499, LOG_INFO, NULL);
    if (right) return VERDICT(GRANT);
    LOG(&a->r->log, LOG_ERR, 0, "user \"" STR_FMT "\": password mismatch", STR_ARG(name));
    return challenge(a->r, realm);
}

static verdict_t authenticate(request_t *r)
{
    const auth_basic_conf_t *c = request_conf(r, auth_basic_index);
    auth_t a = {.r = r};
    if (!c->realm.set || !c->file.set) return VERDICT(NEXT);
    str_t realm = text_eval(&c->realm, r);
    if (str_eq(realm, STR("off"))) return VERDICT(NEXT);
    if (!request_basic(r, &a.user, &a.password)) {
        LOG(&r->log, LOG_INFO, 0, "no user/password was provided for basic authentication");
        return challenge(r, realm);
    }
    a.path = text_eval(&c->file, r);
    return judge(&a, realm);
}

/* --- while the configuration is read --- */

static bool set_file(conf_t *cf, const conf_row_t *row, void *conf, const tree_node_t *node)
{
    str_t word = node->words[1].text;
    if (!str_starts(word, STR("$"))) word = conf_full_path(cf, word, true);
    return text_compile(cf, node, 1, word, CONF_AT(row, conf, text_t));
}

#define CONTEXTS (CONF_HTTP_ALL | CONF_LIMIT_EXCEPT)

static const conf_row_t rows[] = {
    CONF_TEXT("auth_basic", CONTEXTS, auth_basic_conf_t, realm, NULL,
              "asks for user and password, for this realm; or off"),
    CONF_CUSTOM("auth_basic_user_file", CONTEXTS, 0, 1, 1, set_file,
                CONF_FIELD(auth_basic_conf_t, file, text_t), NULL,
                "the file of users and their hashed passwords"),
    CONF_END,
};

static const http_hooks_t hooks = {.phase = {[PHASE_ACCESS] = authenticate}};

const module_t auth_basic_module = {
    .name = "auth_basic",
    .index = &auth_basic_index,
    .rows = rows,
    .conf_size = sizeof(auth_basic_conf_t),
    .hooks = &hooks,
};
