// SPDX-License-Identifier: MIT
/* See place.h. No lock: only the shell calls it. */
#include "mm/commands/place.h"
#include "kernel/printk.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/pgtable.h"

static struct uspace *(*finder)(u64 pid);

void place_set_finder(struct uspace *(*find)(u64 pid))
{
    finder = find;
}

int place_parse(const char *text, struct place_named *out)
{
    char number[24] = "";
    const char *colon = strchr(text, ':');
    u64 pid;

    *out = (struct place_named){.tables = &kernel_pagetable};
    if (!colon)
        return view_parse_address(text, &out->address);
    if ((size_t)(colon - text) < sizeof(number))
        memcpy(number, text, (size_t)(colon - text));
    out->space = finder && parse_size(number, &pid) == 0 ? finder(pid) : NULL;
    if (!out->space) {
        print("%s: no process has that number, or it has no memory any more\n", text);
        return -EINVAL;
    }
    out->tables = uspace_pagetable(out->space);
    return view_parse_address(colon + 1, &out->address);
}
