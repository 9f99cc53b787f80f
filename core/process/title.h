/* title: what ps shows for a process: "proxyd: worker process". Nothing suspends. */
#ifndef CORE_PROCESS_TITLE_H
#define CORE_PROCESS_TITLE_H

/*
 * Takes over the memory of argv and environ (which is moved away), to write titles there. Called
 * once, first thing in main; keep no pointer into argv over it but through the array returned.
 */
char **title_init(int argc, char **argv);

void title_set(const char *text); /* without the "proxyd: " */

#endif
