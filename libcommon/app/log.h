/* log - standard error: messages, progress, and what signals do
 */
#ifndef OVX_LOG_H
#define OVX_LOG_H

#include <stdint.h>

enum log_progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* Sets the name in front of messages, and how much is said. */
void log_start(const char *name, int quiet, int verbose, enum log_progress progress);
/* One line: name, message.  level 0 = always, 1 = unless quiet, 2 = with -v. */
void log_line(int level, const char *msg);
/* The phase that progress and SIGUSR1 show, and how far it is. */
void log_phase(const char *what, int64_t total);
void log_tick(int64_t done, int64_t of);
/* Clears the progress line. */
void log_end(void);
/* Progress lines, SIGUSR1, and removal of temporaries on fatal signals, which are then raised again. */
void log_signals(void);

#endif
