/* budget - see budget.h */
#include "os/budget.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* First number of a small file, or -1. */
static int64_t
number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	long long v = -1;

	if (f) {
		if (fscanf(f, "%lld", &v) != 1)
			v = -1;
		fclose(f);
	}
	return v;
}

/* Folder of our cgroup under root, for the controller ("" = v2). */
static void
cgroup_dir(const char *controller, const char *root, char *out, size_t n)
{
	char line[600], *path, *name;
	FILE *f = fopen("/proc/self/cgroup", "re");

	snprintf(out, n, "%s", root);
	while (f && fgets(line, sizeof line, f)) {
		name = strchr(line, ':');
		path = name ? strchr(name + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		if (strcmp(name + 1, controller) == 0)
			snprintf(out, n, "%s%s", root, strcmp(path, "/") ? path : "");
	}
	if (f)
		fclose(f);
	if (access(out, R_OK))
		snprintf(out, n, "%s", root);
}

/* Limit less use of the cgroup, or -1 when there is none. */
static int64_t
cgroup_memory(void)
{
	static const char *const kind[2][4] = {
		{ "", "/sys/fs/cgroup", "memory.max", "memory.current" },
		{ "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes" }
	};
	int64_t best = -1;

	for (int i = 0; i < 2; i++) {
		char dir[700], path[800];
		int64_t limit, use;

		cgroup_dir(kind[i][0], kind[i][1], dir, sizeof dir);
		snprintf(path, sizeof path, "%s/%s", dir, kind[i][2]);
		limit = number_in(path);
		snprintf(path, sizeof path, "%s/%s", dir, kind[i][3]);
		use = number_in(path);
		if (limit <= 0 || limit > (int64_t)1 << 60)
			continue;
		/* Page cache counts as use but can be given back: trust half the limit. */
		if (use < 0 || limit - use < limit / 2)
			use = limit / 2;
		if (best < 0 || limit - use < best)
			best = limit - use;
	}
	return best;
}

int64_t
budget_memory(void)
{
	char line[200];
	long long kb = 0;
	int64_t best = (int64_t)1 << 40, c = cgroup_memory();
	struct rlimit r;
	FILE *f = fopen("/proc/meminfo", "re");

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
	int n = 1;
	char dir[700], path[800];
	long long quota, period;
	FILE *f;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = CPU_COUNT(&set);
	cgroup_dir("", "/sys/fs/cgroup", dir, sizeof dir);
	snprintf(path, sizeof path, "%s/cpu.max", dir);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%lld %lld", &quota, &period) == 2 && period > 0 && (quota + period - 1) / period < n)
			n = (int)((quota + period - 1) / period);
		fclose(f);
	}
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
