/* excuse: why no server of a group can be asked, for the one line in the log that says so. */
#ifndef MODULES_UPSTREAM_EXCUSE_H
#define MODULES_UPSTREAM_EXCUSE_H

#include "modules/upstream/choice.h"

/* "10.0.0.1:80 is resting: connect() failed (111: Connection refused); 10.0.0.2:80 is down" */
str_t excuse_of(const choice_t *c);

#endif
