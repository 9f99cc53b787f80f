/*
 * conf_manual: the reference of all directives as a manual page, made from the directive tables.
 */
#ifndef CORE_CONFIG_CONF_MANUAL_H
#define CORE_CONFIG_CONF_MANUAL_H

#include "core/config/module.h"

/* Writes proxyd.conf(5) in the man macros of roff. */
void conf_manual(const module_t *const *list, int fd);

#endif
