/*
 * file: files as they are opened to be served.
 *
 * Opening never waits for a peer (a FIFO is opened and found to be no regular file). May block on
 * the disk; nothing suspends.
 */
#ifndef MODULES_SITE_FILE_H
#define MODULES_SITE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/base/str.h"

/* Symbolic links in a path. */
enum { FILE_LINKS_FOLLOW, FILE_LINKS_REFUSE, FILE_LINKS_SAME_OWNER };

typedef struct file {
    int fd;             /* -1: not open */
    uint64_t size;      /* bytes */
    time_t mtime;
    bool regular, directory;
    const char *failed; /* what failed, as it stands in the log: "open()" */
} file_t;

/*
 * Opens path (absolute, NUL-terminated; changed while it is looked at, and put back) to be read.
 * The caller closes out->fd. The first `trusted` bytes may have any links. 0 or negative errno:
 * -ELOOP for a link that is not allowed.
 */
int file_open(char *path, size_t trusted, unsigned links, file_t *out);

/* The same without opening it (fd -1). */
int file_look(char *path, size_t trusted, unsigned links, file_t *out);

/* n bytes of fd from `at` into p. 0, -EIO when the file ends before, or another negative errno. */
int file_read(int fd, void *p, size_t n, uint64_t at);

#endif
