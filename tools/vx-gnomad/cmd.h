/* cmd - the commands of vx-gnomad, each a tool with a table of its own
 */
#ifndef OVX_GNOMAD_CMD_H
#define OVX_GNOMAD_CMD_H

#include "app/app.h"

extern const struct tool cmd_index, cmd_info, cmd_verify, cmd_merge;

#endif
