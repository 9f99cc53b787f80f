#include "core/io/timer.h"

#include "core/base/clock.h"

/*
 * A timer stands at the level of the highest 6-bit digit in which its time differs from the
 * wheel's, in the slot of that digit. So within a level every occupied slot lies ahead, the lowest
 * occupied slot of the lowest occupied level comes first, and reaching it moves its timers to lower
 * levels.
 */
enum { DIGIT = 6, SLOTS = 1 << DIGIT, LEVELS = 8 };

#define FARTHEST ((uint64_t)1 << 40) /* 34 years; keeps sums far from overflow */

static struct {
    uint64_t now;
    uint64_t occupied[LEVELS]; /* a bit per slot */
    list_t slots[LEVELS][SLOTS];
} wheel;

static void place(struct timer *t)
{
    unsigned level = (63 - (unsigned)__builtin_clzll((t->at ^ wheel.now) | 1)) / DIGIT;
    unsigned slot = (t->at >> level * DIGIT) & (SLOTS - 1);
    list_t *head = &wheel.slots[level][slot];
    if (!(wheel.occupied[level] >> slot & 1)) list_init(head);
    wheel.occupied[level] |= (uint64_t)1 << slot;
    list_push(head, &t->link);
}

void timer_arm(struct timer *t, uint64_t after)
{
    timer_disarm(t);
    if (!wheel.now) wheel.now = clock_ms();
    t->at = clock_ms() + (after < FARTHEST ? after : FARTHEST);
    if (t->at <= wheel.now) t->at = wheel.now + 1;
    place(t);
}

/* Clears the slot's bit when the list it heads has become empty. */
static void note_empty(const list_t *head)
{
    size_t index = (size_t)(head - &wheel.slots[0][0]);
    wheel.occupied[index / SLOTS] &= ~((uint64_t)1 << index % SLOTS);
}

void timer_disarm(struct timer *t)
{
    if (!t->at) return;
    list_t *neighbour = t->link.next;
    list_remove(&t->link);
    t->at = 0;
    if (list_empty(neighbour)) note_empty(neighbour);
}

/* When the first occupied slot begins; false when there is none. */
static bool first_slot(unsigned *level, unsigned *slot, uint64_t *begins)
{
    for (unsigned l = 0; l < LEVELS; l++) {
        if (!wheel.occupied[l]) continue;
        unsigned s = (unsigned)__builtin_ctzll(wheel.occupied[l]);
        *level = l;
        *slot = s;
        *begins = (wheel.now >> (l + 1) * DIGIT << (l + 1) * DIGIT) + ((uint64_t)s << l * DIGIT);
        return true;
    }
    return false;
}

int timer_next(void)
{
    unsigned level, slot;
    uint64_t begins;
    if (!first_slot(&level, &slot, &begins)) return -1;
    uint64_t now = clock_ms();
    if (begins <= now) return 0;
    return begins - now < INT32_MAX ? (int)(begins - now) : INT32_MAX;
}

static void empty_slot(unsigned level, unsigned slot)
{
    list_t *head = &wheel.slots[level][slot];
    while (!list_empty(head)) {
        struct timer *t = LIST_OF(head->next, struct timer, link);
        list_remove(&t->link);
        if (list_empty(head)) note_empty(head);
        if (t->at > wheel.now) {
            place(t);
        } else {
            t->at = 0;
            t->fire(t);
        }
    }
}

void timer_run(void)
{
    unsigned level, slot;
    uint64_t begins, until = clock_ms();
    while (first_slot(&level, &slot, &begins) && begins <= until) {
        wheel.now = begins;
        empty_slot(level, slot);
    }
    /* No occupied slot begins before `until`, so every timer keeps its level and slot. */
    if (wheel.now < until) wheel.now = until;
}
