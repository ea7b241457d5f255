/* mapped - which files are read through maps
 *
 * Where a mapped file has no bytes any more, because somebody cut it, or its disk fails, the kernel sends SIGBUS.  Whoever handles
 * that (app/bus.h) learns here which file it was.
 */
#ifndef OVX_MAPPED_H
#define OVX_MAPPED_H

#include <stddef.h>

/* n bytes at p are the map of a file (name must stay until mapped_forget).  The first 16 at a time are remembered.  Call both from one
 * thread at a time. */
void mapped_note(const void *p, size_t n, const char *name);
/* Before it is unmapped; p may be unknown. */
void mapped_forget(const void *p);
/* The file that is mapped there, or NULL; safe in a signal handler. */
const char *mapped_name(const void *at);

#endif
