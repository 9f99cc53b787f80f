/* acme_status: how certificates that are asked for fare: in /status, and for an operator. */
#ifndef MODULES_SSL_ACME_STATUS_H
#define MODULES_SSL_ACME_STATUS_H

#include "core/base/report.h"
#include "core/process/ctl.h"

extern const report_section_t acme_status_sections[];
extern const ctl_command_t acme_status_commands[];

#endif
