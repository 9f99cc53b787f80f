/*
 * list: circular doubly linked list whose links are embedded in the members.
 *
 * The list never owns its members. An unlinked link points to itself, so list_remove may be called
 * twice. Everything is O(1).
 */
#ifndef CORE_BASE_LIST_H
#define CORE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct list {
    struct list *prev, *next;
} list_t;

#define LIST_OF(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

#define LIST_EACH(it, head) for (list_t *it = (head)->next; it != (head); it = it->next)

/* The same, where the body may remove `it`. */
#define LIST_EACH_SAFE(it, head) \
    for (list_t *it = (head)->next, *it##_next = it->next; it != (head); \
         it = it##_next, it##_next = it->next)

static inline void list_init(list_t *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const list_t *l)
{
    return l->next == l;
}

static inline void list_insert_after(list_t *at, list_t *l)
{
    l->prev = at;
    l->next = at->next;
    at->next->prev = l;
    at->next = l;
}

static inline void list_push(list_t *head, list_t *l)
{
    list_insert_after(head->prev, l);
}

static inline void list_push_front(list_t *head, list_t *l)
{
    list_insert_after(head, l);
}

static inline void list_remove(list_t *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* Takes the first member out, or NULL when the list is empty. */
static inline list_t *list_pop(list_t *head)
{
    list_t *l = head->next;
    if (l == head) return NULL;
    list_remove(l);
    return l;
}

#endif
