/* mapped - see mapped.h */
#include "os/mapped.h"

#include <stdatomic.h>
#include <stdint.h>

#define MAPS 16

/* Read by a signal handler: n is set last, and cleared first. */
static struct {
	const uint8_t *volatile p;
	const char *volatile name;
	_Atomic size_t n;               /* 0 = free */
} map[MAPS];

void
mapped_note(const void *p, size_t n, const char *name)
{
	for (int i = 0; i < MAPS; i++)
		if (atomic_load(&map[i].n) == 0) {
			map[i].p = p;
			map[i].name = name;
			atomic_store(&map[i].n, n);
			return;
		}
}

void
mapped_forget(const void *p)
{
	for (int i = 0; i < MAPS; i++)
		if (atomic_load(&map[i].n) && map[i].p == p)
			atomic_store(&map[i].n, 0);
}

const char *
mapped_name(const void *at)
{
	for (int i = 0; i < MAPS; i++) {
		size_t n = atomic_load(&map[i].n);

		if (n && (const uint8_t *)at >= map[i].p && (size_t)((const uint8_t *)at - map[i].p) < n)
			return map[i].name;
	}
	return NULL;
}
