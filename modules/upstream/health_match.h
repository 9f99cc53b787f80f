/*
 * health_match: what an answer must be like for its origin to be well: `match NAME { ... }`.
 *
 *     status 200 204 300-399;  status ! 500-599;
 *     header Content-Type = text/html;  header Server ~ ^app;  header X-Ready;  header ! X-Gone;
 *     body ~ "Welcome";  body !~ "maintenance";
 *
 * Made while the configuration is read. Nothing suspends.
 */
#ifndef MODULES_UPSTREAM_HEALTH_MATCH_H
#define MODULES_UPSTREAM_HEALTH_MATCH_H

#include "core/base/regex.h"
#include "core/base/vec.h"
#include "core/config/conf.h"
#include "http/parse.h"
#include "modules/upstream/fault.h"

enum { HEALTH_MATCH_BODY = 256 * 1024 }; /* bytes of a body that are looked at */

typedef struct health_statuses {
    int low, high;
} health_statuses_t;

typedef struct health_field {
    str_t name;
    str_t value;       /* p NULL: any */
    regex_t *regex;    /* NULL: the value itself */
    bool negated;
} health_field_t;

typedef struct health_match {
    str_t name;
    VEC(health_statuses_t) statuses; /* none: any status will do */
    bool not_statuses;
    VEC(health_field_t) fields;
    regex_t *body;     /* NULL: any */
    bool not_body;
} health_match_t;

/* The block `match`. NULL: said. */
health_match_t *health_match_read(conf_t *cf, const tree_node_t *node);

/* 0: as it should be. match NULL: any status from 200 to 399. */
fault_t health_match_head(const health_match_t *match, const parse_response_t *head);
fault_t health_match_body(const health_match_t *match, str_t body);

#endif
