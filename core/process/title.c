#include "core/process/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct {
    char *start;
    size_t room;
} area;

/* Copies of the texts in an array of their own; they live as long as the process. */
static char **copy_texts(char **texts, size_t n)
{
    char **copy = calloc(n + 1, sizeof(*copy));
    for (size_t i = 0; copy && i < n; i++) copy[i] = strdup(texts[i]);
    return copy;
}

/* The kernel lays the texts of argv and environ out one behind the other; the end of those that
   are. */
static char *end_of(char **texts, char *end)
{
    for (; *texts && (!end || *texts == end); texts++) end = *texts + strlen(*texts) + 1;
    return end;
}

char **title_init(int argc, char **argv)
{
    static char **kept_args, **kept_env; /* reachable, so that leak checks stay clean */
    size_t n = 0;
    if (argc < 1) return argv;
    while (environ[n]) n++;
    kept_args = copy_texts(argv, (size_t)argc);
    kept_env = copy_texts(environ, n);
    if (!kept_args || !kept_env) return argv;
    area.start = argv[0];
    area.room = (size_t)(end_of(environ, end_of(argv, NULL)) - argv[0]);
    argv[1] = NULL;
    environ = kept_env;
    return kept_args;
}

void title_set(const char *text)
{
    prctl(PR_SET_NAME, "proxyd");
    if (!area.room) return;
    int n = snprintf(area.start, area.room, "proxyd: %s", text);
    size_t used = n < 0 ? 0 : (size_t)n < area.room ? (size_t)n : area.room - 1;
    memset(area.start + used, '\0', area.room - used);
}
