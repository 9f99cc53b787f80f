/* portowner: who stands in the way of a bind(). Reads /proc; nothing suspends. */
#ifndef CORE_PROCESS_PORTOWNER_H
#define CORE_PROCESS_PORTOWNER_H

#include "core/base/log.h"
#include "core/io/net.h"

/* Says in the log what to look at after bind() to addr failed with err; nothing if unknown. */
void portowner_explain(const log_t *log, const net_addr_t *addr, int err);

#endif
