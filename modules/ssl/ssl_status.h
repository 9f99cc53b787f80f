/* ssl_status: what is told of certificates: `proxyd ctl certs`, the section "certificates" of
   /status. */
#ifndef MODULES_SSL_SSL_STATUS_H
#define MODULES_SSL_SSL_STATUS_H

#include "core/base/report.h"
#include "core/process/ctl.h"

extern const report_section_t ssl_status_sections[];
extern const ctl_command_t ssl_status_commands[];

#endif
