/* budget - what this process may use: CPUs, memory, and what it has used
 */
#ifndef OVX_BUDGET_H
#define OVX_BUDGET_H

#include <stdint.h>

/* CPUs by affinity and cgroup quota; at least 1. */
int budget_cpus(void);
/* Bytes of memory that may be used: the smallest of MemAvailable, the cgroup's
 * limit (v1, v2) less its use, and RLIMIT_AS. */
int64_t budget_memory(void);
/* Peak resident memory so far, bytes. */
int64_t budget_peak(void);
/* Seconds since some start, and of CPU used by the process. */
double budget_clock(void);
double budget_cpu_seconds(void);

#endif
