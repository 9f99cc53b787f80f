/*
 * store: what one proxy_cache_path keeps: responses under keys, for all workers.
 *
 * A response is stored under a key (the text of proxy_cache_key; "key" below) and, where responses
 * of that key vary, under a variant of it (the text of vary_key, to which a caller may add what
 * else tells representations apart, an encoding, say). What is stored of it is a head, which is
 * opaque here, and a body. The rooms below this one:
 *
 *     store_index   who is stored where, and who goes first: in the zone, read without a lock
 *     store_memory  bodies of hot objects in a memfd that all workers map
 *     store_file    the files on disk: names, heads, checksums
 *     store_fill    who fetches what at present, who waits for it, who reads along
 *     store_filler  the one who fetches; store_join: who gets the turn
 *     store_object  opening and reading what is stored, or being stored
 *     store_purge   what has been declared void by tag, by prefix, altogether
 *     store_manager the process that loads, expires and evicts
 *     store_setup   zones and processes; store_zone: what all of these rooms share
 *     store_module  proxy_cache_path, and the processes
 *
 * The life of a request that may be answered from here:
 *
 *     store_key_t key = store_key(text);
 *     again:
 *     vary = store_vary(s, &key);                 which request fields select? "" mostly
 *     switch (store_open(s, &key, variant, pool, &seen)) {
 *     case STORE_HIT:  seen.head, .stale: decide; serve with store_read until 0, store_close
 *     case STORE_PASS: lately not storable: fetch alone, for nobody
 *     case STORE_MISS: fetch:
 *     }
 *     switch (store_join(s, &key, variant, &wait, pool, &seen, &o, &fill)) {
 *     case STORE_FILLER:  fetch from the origin; end it with exactly one of the store_fill_ calls
 *     case STORE_FOLLOWS: somebody else fetches and the head is there: serve o as above, store_read
 *                         waits for what is not there yet
 *     case STORE_RETRY:   somebody else has fetched, or failed: goto again (bounded by the caller)
 *     case STORE_ALONE:   fetch without storing
 *     case STORE_BUSY:    somebody else fetches, and the time to wait is over
 *     }
 *
 * Who owns what: a store_t is made with the configuration and lives as long; what workers share is
 * in its zones. A store_object_t is the caller's and holds a pin or a descriptor until store_close.
 * A store_fill_t is the store's own and may outlive the request that began it; it ends with
 * store_fill_commit, _refresh, _pass or _abandon. Nothing here fails a request: where there is no
 * room, no disk, no slot, the answer is MISS or ALONE, and it is logged once. A worker may be
 * killed at any instant. Only store_open, store_join and store_read suspend.
 */
#ifndef MODULES_CACHE_STORE_H
#define MODULES_CACHE_STORE_H

#include <time.h>

#include "core/config/conf.h"
#include "http/filter.h"

typedef struct store store_t;
typedef struct store_fill store_fill_t;

enum {
    STORE_HEAD_MAX = 64 * 1024, /* bytes of a head with key, variant and tags */
    STORE_KEY_MAX = 16 * 1024,
    STORE_VARY_MAX = 512,       /* bytes of the list of selecting fields */
    STORE_TAGS_MAX = 128,       /* tags of one response */
    STORE_PREFIX_MAX = 512,     /* bytes of a prefix that is purged */
};

/* --- keys --- */

typedef struct store_key {
    uint64_t hash[2];
    str_t text; /* the caller's; at most STORE_KEY_MAX bytes */
} store_key_t;

store_key_t store_key(str_t text);

/* --- looking up --- */

typedef struct store_object {
    str_t head;       /* as it was given to store_fill_head or store_fill_refresh */
    int64_t length;   /* of the body; -1 while it is being filled and not told yet */
    bool stale;       /* softly purged: not to be used without asking the origin */
    bool filling;     /* somebody is filling it */
    time_t stored;    /* when it was stored or last refreshed */

    /* The store's own. */
    store_t *store;
    uint64_t key[2], variant;
    uint64_t id;         /* 0: it is not open */
    uint32_t version;
    uint32_t entry;      /* in the index */
    str_t record;        /* the bytes that the head is a slice of */
    uint32_t pin;        /* what holds its memory; 0: it is not in memory */
    const char *memory;  /* the body there */
    int fd;              /* the file; -1: none */
    off_t file_at;       /* of the body in it */
    uint32_t fill, turn; /* who fills it; 0: nobody */
} store_object_t;

typedef enum store_found {
    STORE_MISS, /* nothing */
    STORE_HIT,  /* *o is open */
    STORE_PASS, /* answers of this key have lately not been storable: store_fill_pass */
} store_found_t;

/*
 * The selecting fields (vary_text) of what is stored under the key: empty when it does not vary or
 * nothing is stored. Lives as long as the process.
 */
str_t store_vary(store_t *s, const store_key_t *key);

/*
 * Opens what is stored whole under key and variant ("" where nothing varies). Purged objects are a
 * MISS, softly purged ones are `stale`. The head lies in shared memory, which stays as it is until
 * store_close, or in the pool. May suspend: a large file of an earlier run is read once in full
 * before it is trusted.
 */
store_found_t store_open(store_t *s, const store_key_t *key, str_t variant, pool_t *pool,
                         store_object_t *o);
void store_close(store_object_t *o);

/* Whether both were found as one and the same: neither replaced nor refreshed in between. Either
   may be closed, or not have been found at all. */
bool store_is_same(const store_object_t *a, const store_object_t *b);

/*
 * The body from `at` on, at most `most` bytes: a piece that is good until the next call or the
 * close. Its length; 0 at the end; -EIO when the filler has failed or the file is broken;
 * -ETIMEDOUT, or the reason of a cancellation. Waits (at most timeout_ms, UINT64_MAX: any time)
 * only for a filler. Small bodies in memory come as memory, all else as a piece of a descriptor.
 */
ssize_t store_read(store_object_t *o, uint64_t at, size_t most, uint64_t timeout_ms,
                   piece_t *piece);

/* Counts a request for the key, and says how many there have been (this one included) while
   something was known of it: proxy_cache_min_uses. 1 when there is no room to remember. */
unsigned store_use(store_t *s, const store_key_t *key);

/* --- fetching, one for all --- */

typedef enum store_turn {
    STORE_FILLER,  /* *fill is the caller's to end */
    STORE_FOLLOWS, /* *o is open */
    STORE_RETRY,
    STORE_ALONE,
    STORE_BUSY,    /* the time to wait is over */
    STORE_GONE,    /* the wait was cancelled: fiber_cancelled has the reason */
} store_turn_t;

/* For how long others may keep a request waiting. */
typedef struct store_wait {
    uint64_t timeout_ms; /* 0: it does not wait */
    uint64_t age_ms;     /* a fetch that has brought nothing for so long has had its turn */
} store_wait_t;

/*
 * Asks for the turn to fetch key and variant. There is one filler at a time over all workers; when
 * it dies with its process one of those who wait gets the turn. Those who wait are woken by events.
 * After age_ms without a byte one more gets the turn beside it, and the same holds for that one;
 * what the origin began to answer last is what is stored in the end. wait NULL: does not wait.
 * seen: what store_open made of it (it is closed by the caller, and stays as it was after the
 * close): what is stored has changed since: RETRY. Suspends.
 */
store_turn_t store_join(store_t *s, const store_key_t *key, str_t variant,
                        const store_wait_t *wait, pool_t *pool, const store_object_t *seen,
                        store_object_t *o, store_fill_t **fill);

typedef struct store_response {
    str_t head;
    str_t vary;        /* vary_text of it; more than STORE_VARY_MAX bytes: not storable */
    str_t variant;     /* what store_open will be asked for: vary_key of the request under `vary` */
    const str_t *tags; /* Surrogate-Key and its kin, one each */
    unsigned tag_count;
    int64_t length;    /* of the body, or -1 when it is not known */
} store_response_t;

/*
 * The response has a head and is going to be stored: from here on others read along. Its texts are
 * copied. 0, or a negative errno when it cannot be stored (no space, too large, storing is off):
 * then the only thing left to do is store_fill_abandon.
 */
int store_fill_head(store_fill_t *f, const store_response_t *r);

/* Some more of the body. 0 or negative errno as above (-EFBIG: more than the length told before).
   May suspend, as the commit may: where the disk is full in the middle of a body until there is room
   again, for a few seconds. */
int store_fill_body(store_fill_t *f, str_t data);

/*
 * The body is whole: the response takes the place of what was stored under key and variant, and
 * variants of the key with other selecting fields are dropped. Ends the fill. 0 or negative errno
 * (it is shorter than told, was purged meanwhile, cannot be stored).
 */
int store_fill_commit(store_fill_t *f);

/*
 * The origin has validated o (304): it has a new head and is stored as of now; no longer stale.
 * Ends the fill; o stays as it is, until it is closed. 0 or negative errno (it is gone, or the head
 * no longer fits: then it is dropped, and the next request fetches it anew).
 */
int store_fill_refresh(store_fill_t *f, store_object_t *o, str_t head);

/* The response may not be stored: for that long requests for the key do not wait for each other.
   Ends the fill. */
void store_fill_pass(store_fill_t *f, unsigned seconds);

/* There was none, or it broke off. One of those who wait gets the turn. Ends the fill. */
void store_fill_abandon(store_fill_t *f);

/* Whether anybody waits for this fill or reads along. */
bool store_fill_wanted(const store_fill_t *f);

/* --- dropping; all of it takes effect in every worker before it returns --- */

/* Drops this very object if it is still stored (invalid, broken). */
void store_remove(store_object_t *o);

/*
 * All variants of one key; how many there were. Softly: they are stale from now on. What is being
 * fetched at present will not be stored. Cost does not grow with the size of the cache.
 */
unsigned store_purge_key(store_t *s, const store_key_t *key, bool soft);
void store_purge_tag(store_t *s, str_t tag, bool soft);
void store_purge_all(store_t *s, bool soft);

/* All keys that begin with the prefix. -EAGAIN: too many prefixes are still being worked off;
   -EINVAL: longer than STORE_PREFIX_MAX. */
int store_purge_prefix(store_t *s, str_t prefix, bool soft);

/* --- what there is --- */

/* What became of a request, as $upstream_cache_status says. */
typedef enum store_answer {
    STORE_ANSWER_HIT,
    STORE_ANSWER_MISS,
    STORE_ANSWER_EXPIRED,
    STORE_ANSWER_STALE,
    STORE_ANSWER_UPDATING,
    STORE_ANSWER_REVALIDATED,
    STORE_ANSWER_BYPASS,
    STORE_ANSWERS
} store_answer_t;

/* Counts a body that is packed in another coding. */
void store_packed(store_t *s);

/* Counts a request that is being answered. coalesced: by what another one fetched. */
void store_answered(store_t *s, store_answer_t how, bool coalesced);

typedef struct store_stats {
    uint64_t answers[STORE_ANSWERS], coalesced; /* requests */
    uint64_t opened, opened_memory; /* objects; those among them that were in memory */
    uint64_t absent, passes;
    uint64_t waited, followed;  /* for another's fetch; read along */
    uint64_t packed;            /* bodies, once for each coding */
    uint64_t stored, refreshed, abandoned;
    uint64_t evicted, inactive; /* for want of room; not asked for since `inactive` */
    uint64_t purged, broken;    /* files that were torn, truncated, foreign */
    uint64_t recoveries;        /* shards repaired after a process died in them */
    uint64_t entries, entries_max, bytes, bytes_max; /* bytes_max 0: no bound */
    uint64_t memory_bytes, memory_max;
    bool loading;               /* the index is being made from the files */
    bool full;                  /* the disk is: nothing is stored at present */
} store_stats_t;

store_stats_t store_stats(store_t *s);

/* --- from the configuration to the processes (store_module calls these) --- */

/* The store that `proxy_cache_path ... keys_zone=NAME:SIZE` declares, in the configuration that is
   read, whether it stands before or after. An undeclared one is an error at the end of http{}, at
   the directive `node`. */
store_t *store_named(conf_t *cf, const tree_node_t *node, str_t name);

/* The stores of the http block that is read, and one of them by its name; NULL: it is not declared
   there. */
typedef struct store_list store_list_t;
const store_list_t *store_list(const conf_t *cf);
store_t *store_among(const store_list_t *list, str_t name);

/* NAME */
str_t store_name(const store_t *s);

/* Every store of a configuration: main_struct is store_module's in the outermost block. NULL at the
   end. */
extern const module_t store_module;
store_t *store_first(const void *main_struct);
store_t *store_next(const store_t *s);

#endif
