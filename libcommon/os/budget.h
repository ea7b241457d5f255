/* budget - what this process may use: CPUs, memory, and what it has used
 */
#ifndef OVX_BUDGET_H
#define OVX_BUDGET_H

#include <stdint.h>

/* CPUs by affinity and cgroup quota; at least 1. */
int budget_cpus(void);
/* Bytes of memory that may be used: the smallest of MemAvailable, the limit less the use of
 * the cgroup (v1, v2) and of every group above it, and RLIMIT_AS. */
int64_t budget_memory(void);
/* What the cgroups alone leave, of the groups that the file self names, mounted under root
 * (/proc/self/cgroup, /sys/fs/cgroup): the smallest on the way up; -1 where nothing is limited. */
void budget_cgroup(const char *self, const char *root, int64_t *memory, int *cpus);
/* Peak resident memory so far, bytes. */
int64_t budget_peak(void);
/* Seconds since some start, and of CPU used by the process. */
double budget_clock(void);
double budget_cpu_seconds(void);

#endif
