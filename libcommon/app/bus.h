/* bus - a mapped file that somebody cuts while it is read ends a program with a message
 *
 * Without it SIGBUS ends a program without a word.  Of files that os/mapped knows it is said, and the program ends with 1,
 * its output being discarded as after any error.
 */
#ifndef OVX_BUS_H
#define OVX_BUS_H

/* Once, before files are mapped. */
void bus_start(void);

#endif
