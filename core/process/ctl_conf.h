/*
 * ctl_conf: the directive `control`: where the control socket is.
 *
 *     control PATH [mode=0600] | off;
 *
 * By default it stands beside the pid file: run/proxyd.pid, run/proxyd.sock. Nothing suspends.
 */
#ifndef CORE_PROCESS_CTL_CONF_H
#define CORE_PROCESS_CTL_CONF_H

#include "core/config/conf.h"

typedef struct ctl_conf {
    str_t path;    /* absolute; "": there is none */
    unsigned mode; /* of the file */
    bool given;
} ctl_conf_t;

/* The set function of the row, whose field is a ctl_conf_t. */
bool ctl_conf_set(conf_t *cf, const conf_row_t *row, void *module_struct, const tree_node_t *node);

/* The main block is read: takes the default if need be, and asks for the socket. */
void ctl_conf_declare(conf_t *cf, ctl_conf_t *c, str_t pid);

#endif
