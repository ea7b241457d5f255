/* help - what a tool prints about itself: --help, and its table in other forms
 */
#ifndef OVX_HELP_H
#define OVX_HELP_H

#include "app/app.h"

/* The help of a tool with its own and the common options on standard output; 1
 * when that cannot be written.  The hidden option --dump is left out. */
int help_print(const struct tool *t, struct opt *common);
/* The table as mdoc (of a command: its own options only), tsv, bash completion, or for the contract test; or the
 * commands, one a line. */
int help_dump(const struct tool *t, struct opt *common, const char *what);
/* Text to standard output; 1 when that fails. */
int help_out(const struct str *t);

#endif
