/* mem - memory that is there, or the process ends with a sentence
 *
 * Running out of memory is an event, not an error: mem_new and its kin never
 * return NULL.  They call the handler that app/ or a test sets, which does not
 * return.  Only planners that can do with less use mem_try.
 *
 *	double *sum = mem_new(double, n);       zeroed
 *	sum = mem_renew(sum, double, 2 * n);    the new part is not zeroed
 *	mem_free(sum);                          free() by another name
 */
#ifndef OVX_MEM_H
#define OVX_MEM_H

#include <stddef.h>

/* Zeroed array of n elements of a type; n <= 0 gives a valid pointer that must
 * not be read.  Overflow of the product counts as out of memory. */
#define mem_new(type, n) ((type *)mem_calloc_((n), sizeof(type)))
/* The same without zeroing, aligned to 64 bytes. */
#define mem_raw(type, n) ((type *)mem_alloc_((n), sizeof(type)))
/* p grown or shrunk to n elements; p may be NULL.  Not for mem_raw. */
#define mem_renew(p, type, n) ((type *)mem_realloc_((p), (n), sizeof(type)))
/* Like mem_raw, but NULL when there is not enough. */
#define mem_try(type, n) ((type *)mem_try_((n), sizeof(type)))

void *mem_calloc_(long long n, size_t size) __attribute__((warn_unused_result));
void *mem_alloc_(long long n, size_t size) __attribute__((warn_unused_result));
void *mem_realloc_(void *p, long long n, size_t size) __attribute__((warn_unused_result));
void *mem_try_(long long n, size_t size) __attribute__((warn_unused_result));
void mem_free(void *p);

/* A copy of a string, or of n bytes with a NUL behind them. */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);

/* Called with the bytes that could not be had; must not return.  The default
 * writes a line and ends the process with status 137. */
extern void (*mem_oom)(size_t bytes);

/* To be called once, at the start: from now on what a large array took goes back to the system as soon as it is freed, and
 * growing one copies nothing.  (glibc would keep the memory for later arrays, and with buffers that grow from block to
 * block use twice of what is held.) */
void mem_start(void);

/* Fails the n-th allocation from now on when n > 0 (fault tests, environment
 * variable OVX_FAIL_MALLOC in the sanitizer builds). */
void mem_fail_at(long n);

#endif
