// SPDX-License-Identifier: MIT
/* What the files of /proc share: the text that a file is made of, and the tables of files. */
#ifndef PROC_PROCFS_INTERNAL_H
#define PROC_PROCFS_INTERNAL_H

#include "proc/procfs.h"
#include "proc/task.h"

/* Text that grows; what has no room is counted, so that the next try has it. */
struct text {
    char *bytes;
    u64 size, used;
};
void text_add(struct text *text, const char *bytes, u64 length);
void text_print(struct text *text, const char *format, ...) __printf(2, 3);

/* A file: its text for this process (system files: NULL). */
struct procfs_file {
    const char *name;
    u32 mode; /* with its type */
    void (*make)(struct text *text, struct process *process);
    s64 (*link)(struct process *process, char *out, u64 size); /* symbolic links: the target */
    struct inode *(*follow)(struct process *process);          /* may be NULL: go by the target */
};

extern const struct procfs_file procfs_system_files[], procfs_process_files[];
extern const u32 procfs_system_count, procfs_process_count;

void procfs_maps(struct text *text, struct process *process);
void procfs_smaps(struct text *text, struct process *process);
void procfs_mounts(struct text *text, struct process *process);
char process_state(const struct process *process);
extern const struct file_ops procfs_file_ops;

#endif
