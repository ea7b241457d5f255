/* mem - see mem.h */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static atomic_long fail_at;

static void
oom(size_t bytes)
{
	char buf[100];
	int n = snprintf(buf, sizeof buf, "out of memory: %zu bytes\n", bytes);

	if (n > 0 && write(2, buf, (size_t)n) < 0)
		n = 0;
	_exit(137);
}

void (*mem_oom)(size_t) = oom;

void
mem_start(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

void
mem_fail_at(long n)
{
	atomic_store(&fail_at, n);
}

/* Whether this allocation is the one that a fault test asked to fail. */
static int
must_fail(void)
{
	if (atomic_load_explicit(&fail_at, memory_order_relaxed) <= 0)
		return 0;
	return atomic_fetch_sub(&fail_at, 1) == 1;
}

/* n * size, or SIZE_MAX when that does not fit; at least 1. */
static size_t
bytes_of(long long n, size_t size)
{
	if (n <= 0)
		return 1;
	if ((unsigned long long)n > (SIZE_MAX / 2) / size)
		return SIZE_MAX;
	return (size_t)n * size;
}

void *
mem_try_(long long n, size_t size)
{
	size_t b = bytes_of(n, size);
	void *p = NULL;

	if (b == SIZE_MAX || must_fail())
		return NULL;
	if (posix_memalign(&p, 64, b))
		return NULL;
	return p;
}

void *
mem_alloc_(long long n, size_t size)
{
	void *p = mem_try_(n, size);

	if (!p) {
		mem_oom(bytes_of(n, size));
		abort();
	}
	return p;
}

void *
mem_calloc_(long long n, size_t size)
{
	size_t b = bytes_of(n, size);
	void *p = NULL;

	if (b != SIZE_MAX && !must_fail())
		p = calloc(b, 1);
	if (!p) {
		mem_oom(b);
		abort();
	}
	return p;
}

void *
mem_realloc_(void *old, long long n, size_t size)
{
	size_t b = bytes_of(n, size);
	void *p = NULL;

	if (b != SIZE_MAX && !must_fail())
		p = realloc(old, b);
	if (!p) {
		mem_oom(b);
		abort();
	}
	return p;
}

void
mem_free(void *p)
{
	free(p);
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = mem_realloc_(NULL, (long long)n + 1, 1);

	memcpy(p, s, n);
	p[n] = 0;
	return p;
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}
