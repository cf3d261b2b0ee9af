// SPDX-License-Identifier: MIT
/* maps and smaps of /proc/PID: one line, or one paragraph, for each area of the address space. Columns are Linux's. */
#include "lib/errno.h"
#include "mm/uspace.h"
#include "proc/path.h"
#include "proc/procfs_internal.h"
#include "proc/ramfs.h"

#define NAME_COLUMN 73 /* where Linux puts the name on 64-bit machines */

/* The number of the file that has this name now; 0 when that is another one, or none. */
static u64 number_of(const struct vma *vma)
{
    int err;
    u64 number = 0;

    if (!vma->store || !vma->name || vma->name[0] != '/')
        return 0;
    struct inode *inode = path_walk(ramfs_root(), vma->name, PATH_FOLLOW, &err);
    if (inode && inode_store(inode) == vma->store)
        number = inode->number;
    inode_put(inode);
    return number;
}

static void add_line(struct text *text, const struct vma *vma)
{
    u64 start = text->used, number = number_of(vma);
    u32 prot = vma->prot;

    text_print(text, "%08lx-%08lx %c%c%c%c %08lx 00:%02x %lu ", vma->start, vma->end,
               prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-',
               prot & PROT_EXEC ? 'x' : '-', vma->flags & MAP_SHARED ? 's' : 'p',
               vma->store ? vma->pgoff * PAGE_SIZE : 0, vma->store ? 1 : 0, number);
    u64 column = text->used - start;
    if (vma->name)
        text_print(text, "%*s%s", (int)(column < NAME_COLUMN ? NAME_COLUMN - column : 0), "",
                   vma->name);
    text_print(text, "\n");
}

void procfs_maps(struct text *text, struct process *process)
{
    struct vma *vma = process->space ? uspace_first(process->space) : NULL;

    for (; vma; vma = uspace_next(process->space, vma))
        add_line(text, vma);
}

static void line_kb(struct text *text, const char *name, u64 bytes)
{
    text_print(text, "%-16s%8lu kB\n", name, bytes / KIB);
}

static void add_usage(struct text *text, struct uspace *space, const struct vma *vma)
{
    struct vma_usage usage = {0};

    uspace_usage(space, vma, &usage);
    line_kb(text, "Size:", vma->end - vma->start);
    line_kb(text, "KernelPageSize:", PAGE_SIZE);
    line_kb(text, "MMUPageSize:", PAGE_SIZE);
    line_kb(text, "Rss:", usage.rss);
    line_kb(text, "Pss:", usage.pss);
    line_kb(text, "Shared_Clean:", usage.shared_clean);
    line_kb(text, "Shared_Dirty:", usage.shared_dirty);
    line_kb(text, "Private_Clean:", usage.private_clean);
    line_kb(text, "Private_Dirty:", usage.private_dirty);
    line_kb(text, "Referenced:", usage.rss);
    line_kb(text, "Anonymous:", usage.anonymous);
    line_kb(text, "AnonHugePages:", usage.huge);
    line_kb(text, "Swap:", 0);
    text_print(text, "VmFlags:%s%s%s%s%s\n", vma->prot & PROT_READ ? " rd" : "",
               vma->prot & PROT_WRITE ? " wr" : "", vma->prot & PROT_EXEC ? " ex" : "",
               vma->flags & MAP_SHARED ? " sh" : "", vma->flags & MAP_GROWSDOWN ? " gd" : "");
}

void procfs_smaps(struct text *text, struct process *process)
{
    struct vma *vma = process->space ? uspace_first(process->space) : NULL;

    for (; vma; vma = uspace_next(process->space, vma)) {
        add_line(text, vma);
        add_usage(text, process->space, vma);
    }
}
