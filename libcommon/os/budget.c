/* budget - see budget.h */
#include "os/budget.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Whether a comma-separated list holds a word. */
static int
holds(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == 0))
			return 1;
	return 0;
}

/* Path of our group for a controller ("" = v2) below its mount; "" when it is the root. */
static void
group_of(const char *self, const char *controller, char *out, size_t n)
{
	char line[4200], *path, *name;
	FILE *f = fopen(self, "re");

	out[0] = 0;
	while (f && fgets(line, sizeof line, f)) {
		name = strchr(line, ':');
		path = name ? strchr(name + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		if (holds(name + 1, controller) && path[0] == '/' && path[1])
			snprintf(out, n, "%s", path);
	}
	if (f)
		fclose(f);
}

/* A file of the group in dir; its first two numbers, -1 for what is none ("max"). */
static void
read_two(const char *dir, const char *file, int64_t *x, int64_t *y)
{
	char path[9000];
	long long a = -1, b = -1;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%lld", &a) != 1)
			a = -1;
		if (fscanf(f, "%lld", &b) != 1)
			b = -1;
		fclose(f);
	}
	*x = a;
	if (y)
		*y = b;
}

static void
memory_of(const char *dir, int v1, int64_t *best)
{
	int64_t limit, use;

	read_two(dir, v1 ? "memory.limit_in_bytes" : "memory.max", &limit, NULL);
	read_two(dir, v1 ? "memory.usage_in_bytes" : "memory.current", &use, NULL);
	if (limit <= 0 || limit > (int64_t)1 << 60)
		return;
	/* Page cache counts as use but can be given back: trust half the limit. */
	if (use < 0 || limit - use < limit / 2)
		use = limit / 2;
	if (*best < 0 || limit - use < *best)
		*best = limit - use;
}

static void
cpus_of(const char *dir, int v1, int *best)
{
	int64_t quota, period;

	read_two(dir, v1 ? "cpu.cfs_quota_us" : "cpu.max", &quota, &period);
	if (v1)
		read_two(dir, "cpu.cfs_period_us", &period, NULL);
	if (quota <= 0 || period <= 0 || quota / period >= 1 << 20)
		return;
	quota = (quota + period - 1) / period;
	if (*best < 0 || quota < *best)
		*best = (int)quota;
}

void
budget_cgroup(const char *self, const char *root, int64_t *memory, int *cpus)
{
	static const char *const controller[] = { "", "memory", "cpu" };

	*memory = *cpus = -1;
	for (int i = 0; i < 3; i++) {
		char dir[8300], group[4096];
		size_t top;

		/* v1 has a mount for each controller. */
		snprintf(dir, 4100, "%s%s%s", root, i ? "/" : "", controller[i]);
		top = strlen(dir);
		group_of(self, controller[i], group, sizeof group);
		strcat(dir, group);
		/* A limit holds for all groups below: up to the mount. */
		for (;;) {
			if (i != 2)
				memory_of(dir, i, memory);
			if (i != 1)
				cpus_of(dir, i, cpus);
			if (strlen(dir) <= top)
				break;
			*strrchr(dir, '/') = 0;
		}
	}
}

int64_t
budget_memory(void)
{
	char line[200];
	long long kb = 0;
	int64_t best = (int64_t)1 << 40, c;
	int cpus;
	struct rlimit r;
	FILE *f = fopen("/proc/meminfo", "re");

	budget_cgroup("/proc/self/cgroup", "/sys/fs/cgroup", &c, &cpus);
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %lld", &kb) == 1)
			best = kb * 1024;
	if (f)
		fclose(f);
	if (c >= 0 && c < best)
		best = c;
	if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY && (int64_t)r.rlim_cur < best)
		best = (int64_t)r.rlim_cur;
	return best;
}

int
budget_cpus(void)
{
	cpu_set_t set;
	int n = 1, quota;
	int64_t memory;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	budget_cgroup("/proc/self/cgroup", "/sys/fs/cgroup", &memory, &quota);
	if (quota > 0 && quota < n)
		n = quota;
	return n < 1 ? 1 : n;
}

int64_t
budget_peak(void)
{
	char line[200];
	long long kb = 0;
	FILE *f = fopen("/proc/self/status", "re");
	struct rusage u;

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %lld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	if (kb == 0 && getrusage(RUSAGE_SELF, &u) == 0)
		kb = u.ru_maxrss;
	return kb * 1024;
}

double
budget_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double
budget_cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
