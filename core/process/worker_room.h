/*
 * worker_room: how many connections a worker holds of its worker_connections: what worker_hold and
 * its kin (worker.h) count. Nothing suspends.
 */
#ifndef CORE_PROCESS_WORKER_ROOM_H
#define CORE_PROCESS_WORKER_ROOM_H

/* No more than that many from now on. */
void worker_room_open(unsigned connections);

unsigned worker_room_held(void);

/* Once per turn of the loop: makes room when fewer than a sixteenth are free, as nginx. */
void worker_room_relieve(void);

#endif
