/*
 * A cache under load while its processes are killed, objects expire and are purged and its disk
 * fills: no wrong byte, nothing older than allowed, nothing leaks. SOAK_SECONDS in the environment
 * is for how long, and the figures are told then.
 */
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/e2e/ledger.h"
#include "tests/e2e/subject.h"
#include "tests/e2e/wire.h"

enum {
    CLIENTS = 6,
    HOT = 200, /* objects that are asked for most */
    USUAL_SECONDS = 6,
    CALM_SHARE = 5,  /* of the time nobody is killed, so that growth can be seen */
    PROCESSES = 16,
    SMALL_DISK = 3 << 20,
    MIB = 1 << 20,
};

#define SITE \
    "proxy_cache_path cache levels=1:2 keys_zone=one:1m memory=2m max_size=4m inactive=5s; " \
    "proxy_cache_path disk/small keys_zone=small:1m memory=1m inactive=4s; " \
    "upstream u { server 127.0.0.1:@origin@; keepalive 32; keepalive_timeout 1s; } " \
    "gzip_types text/plain; gzip on; gzip_min_length 100; proxy_set_header Connection \"\"; " \
    "server { listen 127.0.0.1:@http@; location = /status { status; } " \
    "location /one/ { proxy_cache one; proxy_pass http://u; } " \
    "location /small/ { proxy_cache small; proxy_pass http://u; } }"

static int soak_seconds;
static bool has_small_disk;

/* --- a disk of its own --- */

static void write_map(const char *path, const char *format, unsigned id)
{
    FILE *f = fopen(path, "we");
    if (f) fprintf(f, format, id, id);
    if (f) fclose(f);
}

/* A user namespace lets everybody mount; who is root need not and could not change users in it. */
static bool own_mounts(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNS) == 0) return true;
    if (uid == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    write_map("/proc/self/uid_map", "%u %u 1", uid);
    write_map("/proc/self/setgroups", "deny", 0);
    write_map("/proc/self/gid_map", "%u %u 1", gid);
    return true;
}

/* All that the test starts is to see what is mounted. */
static void begin(void)
{
    has_small_disk = own_mounts();
    harness_begin();
}

static void unmount(void *path)
{
    umount2(path, MNT_DETACH);
}

/* False: nothing may be mounted here, in whatever way. */
static bool make_small_disk(void)
{
    const char *path = file_path("disk");
    if (mkdir(path, 0777) < 0 || !has_small_disk) return false;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", path, "tmpfs", 0, text("size=%d,mode=0777", SMALL_DISK)) < 0)
        return false;
    harness_at_end(unmount, (void *)(uintptr_t)path);
    return true;
}

/* --- clients --- */

static struct {
    _Atomic bool stop;
    _Atomic unsigned long whole, parts, packed, cut, refused, wrong;
    char first_wrong[256];
} sum;

typedef struct client {
    CURL *curl;
    unsigned seed;
    char *body;
    size_t n;
    unsigned version;
    size_t from; /* the first position of a part */
    bool packed, part;
} client_t;

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
    client_t *c = arg;
    (void)size;
    if (n > LEDGER_BODY_MOST - c->n) return 0;
    memcpy(c->body + c->n, p, n);
    c->n += n;
    return n;
}

static size_t take_field(char *p, size_t size, size_t n, void *arg)
{
    client_t *c = arg;
    char line[256] = "";
    (void)size;
    memcpy(line, p, n < sizeof(line) - 1 ? n : sizeof(line) - 1);
    sscanf(line, "ETag: %*[W/\"]%u", &c->version);
    c->part |= sscanf(line, "Content-Range: bytes %zu", &c->from) == 1;
    c->packed |= strncasecmp(line, "Content-Encoding: gzip", 22) == 0;
    return n;
}

static unsigned chance(client_t *c, unsigned n)
{
    return (unsigned)rand_r(&c->seed) % n;
}

static unsigned choose_object(client_t *c)
{
    unsigned some = chance(c, HOT);
    return chance(c, 20) ? some * some / HOT : chance(c, LEDGER_OBJECTS);
}

static void prepare_request(client_t *c, unsigned object)
{
    char url[128], range[64];
    unsigned kind = chance(c, 8), from = chance(c, 3000);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s/%u", harness_port("http"),
             chance(c, 4) ? "one" : "small", object);
    snprintf(range, sizeof(range), "%u-%u", from, from + chance(c, 3000));
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_RANGE, kind == 0 ? range : NULL);
    curl_easy_setopt(c->curl, CURLOPT_ACCEPT_ENCODING, kind > 4 ? "gzip" : NULL);
    c->n = c->from = c->version = 0;
    c->packed = c->part = false;
}

static void say_wrong(const client_t *c, unsigned object, const char *what)
{
    if (sum.wrong++ == 0)
        snprintf(sum.first_wrong, sizeof(sum.first_wrong),
                 "%s: object %u, version %u, %zu bytes from %zu on%s", what, object, c->version,
                 c->n, c->from, c->packed ? ", packed" : "");
}

static void judge(client_t *c, const ledger_ask_t *ask, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    bool answered = c->version && (status == 200 || status == 206);
    const char *what = NULL;
    if (status == 416 && !code) return;
    if (code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_WRITE_ERROR) what = "bad packing";
    else if (answered) what = ledger_judge(ask, c->version, c->from, c->body, c->n);
    else if (status && !code) sum.refused++;
    bool all = answered && !c->part && c->n == ledger_length(ask->object, c->version);
    if (!what && !code && answered && !c->part && !all) what = "cut, and passed off as whole";
    if (what) say_wrong(c, ask->object, what);
    if (code) sum.cut++;
    else if (c->part) sum.parts++;
    else if (c->packed) sum.packed++;
    else sum.whole += answered;
}

static void *be_client(void *arg)
{
    client_t c = {.curl = curl_easy_init(), .seed = *(unsigned *)arg};
    c.body = malloc(LEDGER_BODY_MOST);
    curl_easy_setopt(c.curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c.curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(c.curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c.curl, CURLOPT_WRITEDATA, &c);
    curl_easy_setopt(c.curl, CURLOPT_HEADERFUNCTION, take_field);
    curl_easy_setopt(c.curl, CURLOPT_HEADERDATA, &c);
    while (!sum.stop && !sum.wrong) {
        ledger_ask_t ask = ledger_ask(choose_object(&c));
        prepare_request(&c, ask.object);
        judge(&c, &ask, curl_easy_perform(c.curl));
    }
    curl_easy_cleanup(c.curl);
    free(c.body);
    return NULL;
}

/* --- what is done to it --- */

static void purge(unsigned i)
{
    unsigned tag = i % LEDGER_TAGS;
    ledger_purge_begins(tag);
    bool good = subject_ctl(text("purge one tag tag%u", tag)).status == 0 &&
                subject_ctl(text("purge small tag tag%u", tag)).status == 0;
    if (good) ledger_purge_ends(tag);
    if (i % 4 == 0) subject_ctl("purge one all soft");
}

static unsigned rage(int64_t until)
{
    pid_t pids[PROCESSES];
    unsigned kills = 0;
    for (; now_ms() < until && !sum.wrong; kills++) {
        unsigned n = subject_workers(pids, PROCESSES);
        if (n) kill(pids[(unsigned)rand() % n], SIGKILL);
        if (kills % 4 == 1) purge(kills / 4);
        pause_ms(soak_seconds > 30 ? 400 : 150);
    }
    return kills;
}

/* --- what it has and holds --- */

/* The figure of that name in the part of the status that begins with `part`. */
static uint64_t figure(const char *part, const char *name)
{
    const char *status = wire_get("http", "/status")->body.p, *at = strstr(status, part);
    if (at) at = strstr(at, text("\"%s\":", name));
    cr_assert(at, "no %s in %s of %s", name, part, status);
    return strtoull(at + strlen(name) + 3, NULL, 10);
}

static const char one[] = "\"cache\":{\"one\":", small[] = "},\"small\":{\"hits\":";

/* Bytes of shared memory that zones have given out. */
static uint64_t zone_bytes(void)
{
    uint64_t bytes = 0;
    const char *at = wire_get("http", "/status/zones")->body.p;
    while ((at = strstr(at, "\"used\":"))) bytes += strtoull(at += 7, NULL, 10);
    return bytes;
}

/* KiB that the processes have for themselves. */
static long private_memory(void)
{
    pid_t pids[PROCESSES];
    char line[128];
    unsigned n = subject_workers(pids, PROCESSES);
    long kib = 0, all = 0;
    for (unsigned i = 0; i < n && i < PROCESSES; i++) {
        FILE *f = fopen(text("/proc/%d/status", pids[i]), "re");
        while (f && fgets(line, sizeof(line), f))
            if (sscanf(line, "RssAnon: %ld", &kib) == 1) all += kib;
        if (f) fclose(f);
    }
    return all;
}

static bool is_of_a_cache(const char *file)
{
    const char *name = strrchr(file, '/');
    return strstr(file, harness_dir()) && name && strspn(name + 1, "0123456789abcdef") >= 16;
}

/* Open files of the caches in all workers; *all: descriptors of any kind. */
static unsigned all_open_files(unsigned *all)
{
    pid_t pids[PROCESSES];
    unsigned n = subject_workers(pids, PROCESSES), files = 0;
    *all = 0;
    for (unsigned i = 0; i < n && i < PROCESSES; i++) {
        files += subject_descriptors(pids[i], is_of_a_cache);
        *all += subject_descriptors(pids[i], NULL);
    }
    return files;
}

static uint64_t disk_bytes;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)where;
    if (type == FTW_F && strspn(strrchr(path, '/') + 1, "0123456789abcdef") >= 16)
        disk_bytes += ((uint64_t)st->st_size + 4095) / 4096 * 4096;
    return 0;
}

static bool disk_agrees(const char *part, const char *dir)
{
    disk_bytes = 0;
    nftw(file_path(dir), add_file, 8, FTW_PHYS);
    return disk_bytes == figure(part, "bytes");
}

/* --- the whole --- */

static pthread_t threads[CLIENTS];

static void start_clients(void)
{
    static unsigned seeds[CLIENTS];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (unsigned i = 0; i < CLIENTS; i++) {
        seeds[i] = (unsigned)now_ms() + i;
        pthread_create(&threads[i], NULL, be_client, &seeds[i]);
    }
}

static void stop_clients(void)
{
    sum.stop = true;
    for (int i = 0; i < CLIENTS; i++) pthread_join(threads[i], NULL);
}

/* Load without kills: KiB by which the processes have grown in its second half. */
static long calm(int64_t ms)
{
    int64_t half = now_ms() + ms / 2, until = now_ms() + ms;
    while (now_ms() < half && !sum.wrong) pause_ms(20);
    long before = private_memory();
    while (now_ms() < until && !sum.wrong) pause_ms(20);
    return private_memory() - before;
}

static void tell_cache(const char *part, const char *name)
{
    static const char *const names[] = {"hits", "misses", "expired", "stale", "revalidated",
                                        "coalesced", "stored", "refreshed", "abandoned", "evicted",
                                        "inactive", "purged", "broken", "recoveries", "entries"};
    fprintf(stderr, "%s:", name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        fprintf(stderr, " %s %llu", names[i], (unsigned long long)figure(part, names[i]));
    fprintf(stderr, "\n");
}

static void tell(unsigned kills, long growth)
{
    fprintf(stderr,
            "%d s, %u kills: %lu whole, %lu packed, %lu parts, %lu cut, %lu refused, %lu wrong; "
            "disk full %u times, written again %u times; growth %ld KiB\n",
            soak_seconds, kills, sum.whole, sum.packed, sum.parts, sum.cut, sum.refused, sum.wrong,
            subject_log_count("storing is off"), subject_log_count("is written to again"), growth);
    str_t rest = str_of(subject_log()), line;
    while (str_cut(&rest, '\n', &line))
        if (str_search(line, STR("is dropped")) < line.n)
            fprintf(stderr, STR_FMT "\n", STR_ARG(line));
    tell_cache(one, "one");
    tell_cache(small, "small");
}

/* Before more connections are made. */
static void expect_nothing_open(unsigned descriptors)
{
    unsigned all;
    cr_expect(EVENTUALLY(all_open_files(&all) == 0), "files are open");
    cr_expect(EVENTUALLY((all_open_files(&all), all <= descriptors)),
              "%u descriptors at the start, %u now", descriptors, all);
}

static void expect_nothing_held(uint64_t zones)
{
    cr_expect(EVENTUALLY(zone_bytes() == zones), "zones");
    cr_expect(EVENTUALLY(disk_agrees(one, "cache")), "%llu bytes are on disk, not %llu",
              (unsigned long long)disk_bytes, (unsigned long long)figure(one, "bytes"));
    cr_expect(EVENTUALLY(disk_agrees(small, "disk/small")), "%llu bytes are on disk, not %llu",
              (unsigned long long)disk_bytes, (unsigned long long)figure(small, "bytes"));
    cr_expect(EVENTUALLY(figure(one, "bytes") <= 4 * MIB));
}

/* Whether all that is to be shown has come about. */
static bool has_seen_enough(void)
{
    return sum.wrong || (sum.whole > 100 && sum.packed > 20 && sum.parts > 5 &&
                         (!has_small_disk || subject_log_count("storing is off") > 0));
}

static void expect_sane(void)
{
    cr_expect_eq(sum.wrong, 0, "%s", sum.first_wrong);
    cr_expect_eq(sum.refused, 0);
    cr_expect_gt(figure(one, "hits"), 10);
    if (has_small_disk && soak_seconds > 30)
        cr_expect_gt(subject_log_count("is written to again"), 0);
}

/* Short runs, and memory that sanitizers keep, say nothing. */
static void expect_no_growth(long kib)
{
    (void)kib;
#ifndef __SANITIZE_ADDRESS__
    if (soak_seconds > 30) cr_expect_lt(kib, 4096, "KiB by which memory has grown");
#endif
}

static void soak(void)
{
    const char *told = getenv("SOAK_SECONDS");
    unsigned descriptors;
    soak_seconds = told ? atoi(told) : USUAL_SECONDS;
    has_small_disk = make_small_disk();
    if (!has_small_disk) cr_log_info("no file system may be mounted here: no disk fills");
    origin_start("origin", ledger_serve, NULL);
    subject_http("worker_processes 4;", SITE);
    subject_tolerate("exited on signal 9");
    subject_tolerate("workers in a row died");
    subject_tolerate("storing is off");
    subject_log_await("serving, configuration 1, 4 worker processes"); /* all are there */
    uint64_t zones = zone_bytes();
    all_open_files(&descriptors);
    start_clients();
    int64_t calm_ms = soak_seconds * 1000 / CALM_SHARE;
    unsigned kills = rage(now_ms() + soak_seconds * 1000 - calm_ms);
    long growth = calm(calm_ms);
    cr_expect(EVENTUALLY(has_seen_enough()));
    stop_clients();
    expect_nothing_open(descriptors);
    if (told) tell(kills, growth);
    expect_sane();
    expect_nothing_held(zones);
    expect_no_growth(growth);
}

Test(chaos, the_cache_serves_no_wrong_byte, .init = begin, .fini = harness_end,
     .timeout = SOAK_MOST)
{
    soak();
    harness_finish();
}
