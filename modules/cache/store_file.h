/*
 * store_file: the files of a store: names, directories, reading and writing.
 *
 * A file's name is the hash of its key in hexadecimal, behind a dot that of the variant if there is
 * one, in directories after its last digits as `levels` says, as in nginx; then the id of what is
 * in it. So no two objects ever have the same name: who takes an object away removes its file at
 * any time later without touching the one that has come in its place. It is written under a name in
 * temp/, and renamed when it is whole. All calls are synchronous: files are written to and read
 * from the page cache. Errors are negative errno. Nothing suspends.
 */
#ifndef MODULES_CACHE_STORE_FILE_H
#define MODULES_CACHE_STORE_FILE_H

#include <sys/uio.h>

#include "core/base/str.h"

enum { STORE_FILE_LEVELS = 3, STORE_FILE_NAME = 96 };

typedef struct store_dir {
    const char *path;                  /* absolute */
    uint8_t levels[STORE_FILE_LEVELS]; /* 1 or 2 digits each; 0: none */
    int fd;                            /* of this process; -1: not open */
} store_dir_t;

typedef struct store_file {
    uint64_t key[2], variant, id;
} store_file_t;

/* In each process that uses it. 0 or negative errno. */
int store_dir_open(store_dir_t *d);
void store_dir_close(store_dir_t *d);

/* The name within the directory, NUL-terminated, to out (STORE_FILE_NAME bytes). */
void store_file_name(const store_dir_t *d, const store_file_t *f, char *out);

/* The other way round, of a name without directories. False: it is not one of ours. */
bool store_file_parse(str_t name, store_file_t *out);

/* Opens for reading; with `update`, for writing alone. */
int store_file_open(const store_dir_t *d, const store_file_t *f, bool update);
int store_file_unlink(const store_dir_t *d, const store_file_t *f);

/* Temporary files are known by their id. */
int store_file_create(const store_dir_t *d, uint64_t id);
int store_file_open_new(const store_dir_t *d, uint64_t id);
int store_file_discard(const store_dir_t *d, uint64_t id);
int store_file_publish(const store_dir_t *d, const store_file_t *f);

/* All of it, at that place. iov is changed. 0 or negative errno. */
int store_file_write(int fd, struct iovec *iov, int n, off_t at);

/* As many bytes as there are, n at most; or negative errno. */
ssize_t store_file_read(int fd, char *out, size_t n, off_t at);

#endif
