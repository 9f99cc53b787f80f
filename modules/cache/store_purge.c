#include "modules/cache/store_purge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/crc32c.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/shared/shm.h"
#include "modules/cache/store.h"

enum { FILE_MODE = 0600 };

static const char file_name[] = "purges", file_new[] = "temp/purges";

typedef struct prefix {
    uint32_t at; /* of the clock; 0: free */
    uint16_t n;
    bool soft;
    char text[STORE_PREFIX_MAX];
} prefix_t;

struct store_purge {
    uint32_t clock;             /* first: store_purge_clock */
    uint32_t all[2];            /* when everything was purged last: hard, soft */
    uint32_t prefixed;          /* when a prefix was purged last, for as long as one is kept */
    uint32_t mask;
    uint32_t *tables[2];        /* when a hash was purged last: hard, soft */
    bool loaded;
    shm_lock_t lock;            /* of prefixes and the file */
    prefix_t prefixes[STORE_PREFIXES];
};

/* --- what is written down --- */

typedef enum kind { KIND_CLOCK = 1, KIND_HASH, KIND_ALL, KIND_PREFIX } kind_t;

typedef struct note {
    uint32_t check; /* of what is behind it, the text included */
    uint32_t at;
    uint64_t hash;
    uint16_t n;     /* bytes of text behind it */
    uint8_t kind, soft;
    uint32_t reserved;
} note_t;

static uint32_t check_of(const note_t *note, const char *text)
{
    const char *p = (const char *)note;
    uint32_t check = crc32c_add(0, str_make(p + sizeof(note->check),
                                            sizeof(*note) - sizeof(note->check)));
    return crc32c_add(check, str_make(text, note->n));
}

static void write_note(int fd, note_t *note, const char *text)
{
    note->check = check_of(note, text);
    struct iovec iov[2] = {{note, sizeof(*note)}, {(char *)(uintptr_t)text, note->n}};
    ssize_t n = writev(fd, iov, 2);
    if (n != (ssize_t)(sizeof(*note) + note->n)) /* what is left of it is skipped when it is read */
        LOG(&log_main, LOG_ERR, n < 0 ? errno : ENOSPC,
            "a purge of the cache could not be written down, it is forgotten at the next start");
}

static void write_down(int dir, note_t *note, const char *text)
{
    if (dir < 0) return;
    int fd = openat(dir, file_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        LOG(&log_main, LOG_ERR, errno, "open() of the cache's list of purges failed");
        return;
    }
    write_note(fd, note, text);
    close(fd);
}

/* --- applying --- */

static void raise(uint32_t *p, uint32_t to)
{
    uint32_t now = __atomic_load_n(p, __ATOMIC_RELAXED);
    while (now < to && !__atomic_compare_exchange_n(p, &now, to, true, __ATOMIC_SEQ_CST,
                                                    __ATOMIC_RELAXED))
        continue;
}

static prefix_t *free_prefix(store_purge_t *p)
{
    for (unsigned i = 0; i < STORE_PREFIXES; i++)
        if (!p->prefixes[i].at) return &p->prefixes[i];
    return NULL;
}

static bool keep_prefix(store_purge_t *p, const note_t *note, const char *text)
{
    prefix_t *free = free_prefix(p);
    if (!free) return false;
    memcpy(free->text, text, note->n);
    free->n = note->n;
    free->soft = note->soft;
    __atomic_store_n(&free->at, note->at, __ATOMIC_SEQ_CST);
    raise(&p->prefixed, note->at);
    return true;
}

/* The mark first, then the clock: who sees the clock sees the mark. */
static void apply(store_purge_t *p, const note_t *note, const char *text)
{
    if (note->kind == KIND_HASH) raise(&p->tables[note->soft][note->hash & p->mask], note->at);
    if (note->kind == KIND_ALL) raise(&p->all[note->soft], note->at);
    if (note->kind == KIND_PREFIX && !keep_prefix(p, note, text))
        raise(&p->all[note->soft], note->at); /* of the file alone: more than it should hold */
    raise(&p->clock, note->at);
}

/* Locks for a purge, which gets the next time of the clock. */
static void lock(store_purge_t *p)
{
    if (shm_lock(&p->lock) == SHM_LOCK_RECOVER) shm_lock_repaired(&p->lock);
}

static void perform(store_purge_t *p, int dir, note_t *note, const char *text)
{
    note->at = p->clock + 1;
    write_down(dir, note, text);
    apply(p, note, text);
}

void store_purge_hash(store_purge_t *p, int dir, uint64_t hash, bool soft)
{
    note_t note = {.kind = KIND_HASH, .hash = hash, .soft = soft};
    store_purge_load(p, dir);
    lock(p);
    perform(p, dir, &note, "");
    shm_unlock(&p->lock);
}

void store_purge_everything(store_purge_t *p, int dir, bool soft)
{
    note_t note = {.kind = KIND_ALL, .soft = soft};
    store_purge_load(p, dir);
    lock(p);
    perform(p, dir, &note, "");
    shm_unlock(&p->lock);
}

int store_purge_begin(store_purge_t *p, int dir, str_t prefix, bool soft)
{
    note_t note = {.kind = KIND_PREFIX, .soft = soft, .n = (uint16_t)prefix.n};
    if (prefix.n > STORE_PREFIX_MAX) return -EINVAL;
    store_purge_load(p, dir);
    lock(p);
    bool room = free_prefix(p);
    if (room) perform(p, dir, &note, prefix.p);
    shm_unlock(&p->lock);
    return room ? 0 : -EAGAIN;
}

/* --- asking --- */

uint64_t store_purge_tag_hash(str_t tag)
{
    uint64_t wide[2];
    hash_wide(tag, wide);
    return wide[0];
}

static bool is_marked(const store_purge_t *p, bool soft, uint64_t hash, uint32_t born)
{
    return __atomic_load_n(&p->tables[soft][hash & p->mask], __ATOMIC_RELAXED) > born;
}

static bool tags_marked(const store_purge_t *p, bool soft, const store_suspect_t *s)
{
    if (is_marked(p, soft, s->key_hash, s->born)) return true;
    for (unsigned i = 0; i < s->tag_count; i++) {
        uint64_t hash;
        memcpy(&hash, s->tags + i * sizeof(hash), sizeof(hash));
        if (is_marked(p, soft, hash, s->born)) return true;
    }
    return false;
}

static bool prefix_matches(const prefix_t *x, bool soft, const store_suspect_t *s)
{
    uint32_t at = __atomic_load_n(&x->at, __ATOMIC_ACQUIRE);
    return at > s->born && x->soft == soft && str_starts(s->key, str_make(x->text, x->n));
}

/* A slot that changes hands meanwhile is read under the lock. */
static bool prefixes_match(store_purge_t *p, bool soft, const store_suspect_t *s)
{
    bool any = false;
    if (__atomic_load_n(&p->prefixed, __ATOMIC_RELAXED) <= s->born) return false;
    lock(p);
    for (unsigned i = 0; i < STORE_PREFIXES && !any; i++)
        any = prefix_matches(&p->prefixes[i], soft, s);
    shm_unlock(&p->lock);
    return any;
}

static bool is_purged(store_purge_t *p, bool soft, const store_suspect_t *s)
{
    return __atomic_load_n(&p->all[soft], __ATOMIC_RELAXED) > s->born || tags_marked(p, soft, s) ||
           prefixes_match(p, soft, s);
}

store_verdict_t store_purge_check(store_purge_t *p, const store_suspect_t *s)
{
    if (store_purge_clock(p) == s->born) return STORE_GOOD;
    if (is_purged(p, false, s)) return STORE_VOID;
    return is_purged(p, true, s) ? STORE_SOFT : STORE_GOOD;
}

void store_purge_seen(store_purge_t *p, uint32_t born)
{
    raise(&p->clock, born);
}

bool store_purge_prefixed(const store_purge_t *p, uint32_t born)
{
    for (unsigned i = 0; i < STORE_PREFIXES; i++)
        if (__atomic_load_n(&p->prefixes[i].at, __ATOMIC_RELAXED) > born) return true;
    return false;
}

bool store_purge_crowded(store_purge_t *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < STORE_PREFIXES; i++)
        n += __atomic_load_n(&p->prefixes[i].at, __ATOMIC_RELAXED) != 0;
    return n > STORE_PREFIXES / 2;
}

/* --- over restarts --- */

/* The note that the bytes begin with: its length with its text; 0: there is none. */
static size_t read_note(str_t bytes, note_t *note)
{
    if (bytes.n < sizeof(*note)) return 0;
    memcpy(note, bytes.p, sizeof(*note));
    size_t n = sizeof(*note) + note->n;
    bool fits = note->n <= STORE_PREFIX_MAX && n <= bytes.n && note->soft <= 1;
    return fits && note->check == check_of(note, bytes.p + sizeof(*note)) ? n : 0;
}

/* What is torn was being written when a process or everything ended, or the disk was full: nobody
   was told that it was purged. What others have written behind it counts. */
static void load_file(store_purge_t *p, int dir)
{
    struct stat st;
    note_t note;
    int fd = openat(dir, file_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    bool some = fstat(fd, &st) == 0 && st.st_size > 0;
    void *map = some ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return;
    str_t bytes = str_make(map, (size_t)st.st_size);
    for (size_t at = 0, n; at < bytes.n; at += n ? n : 1) {
        n = read_note(str_sub(bytes, at, bytes.n), &note);
        if (n) apply(p, &note, bytes.p + at + sizeof(note));
    }
    munmap(map, bytes.n);
}

void store_purge_load(store_purge_t *p, int dir)
{
    if (__atomic_load_n(&p->loaded, __ATOMIC_ACQUIRE) || dir < 0) return;
    lock(p);
    if (!p->loaded) load_file(p, dir);
    __atomic_store_n(&p->loaded, true, __ATOMIC_RELEASE);
    shm_unlock(&p->lock);
}

/* Of what is settled the clock alone matters. */
static void write_anew(store_purge_t *p, int dir)
{
    note_t note = {.kind = KIND_CLOCK, .at = p->clock};
    if (dir < 0) return;
    int fd = openat(dir, file_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0) return;
    note.check = check_of(&note, "");
    bool written = write(fd, &note, sizeof(note)) == sizeof(note);
    close(fd);
    if (written) renameat(dir, file_new, dir, file_name);
}

void store_purge_settled(store_purge_t *p, int dir, uint32_t until)
{
    lock(p);
    bool last = p->clock == until;
    for (unsigned i = 0; i < STORE_PREFIXES; i++)
        if (p->prefixes[i].at && p->prefixes[i].at <= until) p->prefixes[i].at = 0;
    if (last) write_anew(p, dir);
    shm_unlock(&p->lock);
}

/* --- */

size_t store_purge_bytes(unsigned places)
{
    return sizeof(store_purge_t) + 2 * (size_t)places * sizeof(uint32_t) + 4 * (size_t)SLAB_PAGE;
}

store_purge_t *store_purge_init(slab_t *slab, unsigned places)
{
    store_purge_t *p = slab_alloc(slab, sizeof(*p));
    size_t bytes = places * sizeof(uint32_t);
    if (!p) return NULL;
    memset(p, 0, sizeof(*p));
    p->mask = places - 1;
    p->clock = STORE_PURGE_START;
    for (int i = 0; i < 2; i++) {
        p->tables[i] = slab_alloc(slab, bytes);
        if (!p->tables[i]) return NULL;
        memset(p->tables[i], 0, bytes);
    }
    shm_lock_init(&p->lock);
    return p;
}
