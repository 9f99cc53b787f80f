/* store_command: `proxyd ctl cache`, and "cache" of the status. */
#ifndef MODULES_CACHE_STORE_COMMAND_H
#define MODULES_CACHE_STORE_COMMAND_H

#include "core/base/report.h"
#include "core/process/ctl.h"

extern const ctl_command_t store_commands[];
extern const report_section_t store_sections[];

#endif
