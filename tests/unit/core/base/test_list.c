#include <criterion/criterion.h>

#include "core/base/list.h"

typedef struct member {
    int id;
    list_t link;
} member_t;

static int first_id(const list_t *head)
{
    return LIST_OF(head->next, member_t, link)->id;
}

/* The ids in order as one decimal number. */
static int digits(const list_t *head)
{
    int v = 0, back = 0, unit = 1;
    for (const list_t *it = head->next; it != head; it = it->next)
        v = v * 10 + LIST_OF(it, const member_t, link)->id;
    for (const list_t *it = head->prev; it != head; it = it->prev, unit *= 10)
        back += LIST_OF(it, const member_t, link)->id * unit;
    cr_assert_eq(v, back, "both directions tell the same");
    return v;
}

Test(list, pushes_at_both_ends)
{
    list_t head;
    member_t a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    list_init(&head);
    cr_assert(list_empty(&head));
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_push_front(&head, &c.link);
    cr_assert(!list_empty(&head));
    cr_assert_eq(first_id(&head), 3);
    cr_assert_eq(digits(&head), 312);
}

Test(list, inserts_behind_a_member)
{
    list_t head;
    member_t a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    list_init(&head);
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_insert_after(&a.link, &c.link);
    cr_assert_eq(digits(&head), 132);
}

Test(list, removes_twice_without_harm)
{
    list_t head;
    member_t a = {.id = 1}, b = {.id = 2}, c = {.id = 3};
    list_init(&head);
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_push(&head, &c.link);
    list_remove(&b.link);
    list_remove(&b.link);
    cr_assert(list_empty(&b.link));
    cr_assert_eq(digits(&head), 13);
}

Test(list, pops_in_order)
{
    list_t head;
    member_t a = {.id = 1}, b = {.id = 2};
    list_init(&head);
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    cr_assert_eq(list_pop(&head), &a.link);
    cr_assert_eq(list_pop(&head), &b.link);
    cr_assert_null(list_pop(&head));
    cr_assert(list_empty(&a.link));
}

Test(list, lets_the_body_remove_its_member)
{
    list_t head;
    member_t members[9];
    list_init(&head);
    for (int i = 0; i < 9; i++) {
        members[i].id = i + 1;
        list_push(&head, &members[i].link);
    }
    LIST_EACH_SAFE(it, &head)
        if (LIST_OF(it, member_t, link)->id % 2) list_remove(it);
    cr_assert_eq(digits(&head), 2468);
    LIST_EACH_SAFE(it, &head) list_remove(it);
    cr_assert(list_empty(&head));
}
