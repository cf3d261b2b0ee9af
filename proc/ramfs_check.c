// SPDX-License-Identifier: MIT
/*
 * Does the ramfs hold its invariants (proc/ramfs_names.c: R1, R2; proc/inode.h: I2, I3)? A walk over the whole tree; the first
 * broken one becomes a sentence. For tests, and for whoever suspects it.
 */
#include "lib/format.h"
#include "proc/ramfs_internal.h"

static char sentence[160];

static const char *check_entry(const struct inode *dir, const struct dirent *entry, u64 *cookie)
{
    const struct inode *inode = entry->inode;

    if (entry->dir != dir || entry->cookie <= *cookie)
        format_to(sentence, sizeof(sentence), "R1: entry %s has cookie %lu behind %lu", entry->name,
                  entry->cookie, *cookie);
    else if (ramfs_find(dir, entry->name, entry->length) != entry)
        format_to(sentence, sizeof(sentence), "R1: entry %s is not in its bucket", entry->name);
    else if (inode->refs == 0 || inode->links == 0)
        format_to(sentence, sizeof(sentence), "I3: %s has a name, %u references and %u links",
                  entry->name, inode->refs, inode->links);
    else if (inode_is(inode, S_IFDIR) && inode->parent != dir)
        format_to(sentence, sizeof(sentence), "I2: the parent of %s is not where it is",
                  entry->name);
    else
        return NULL;
    return sentence;
}

static const char *check_directory(const struct inode *dir)
{
    const struct dirent *entry;
    const char *broken = NULL;
    u64 cookie = 0;
    u32 directories = 0;

    list_for_each_entry(entry, &dir->entries, link) {
        bool directory = inode_is(entry->inode, S_IFDIR);
        broken = check_entry(dir, entry, &cookie);
        if (!broken && directory && entry->inode->ops == dir->ops)
            broken = check_directory(entry->inode);
        if (broken)
            return broken;
        cookie = entry->cookie;
        directories += directory;
    }
    if (dir->links == 2 + directories)
        return NULL;
    format_to(sentence, sizeof(sentence), "I3: directory %lu has %u links and %u directories in it",
              dir->number, dir->links, directories);
    return sentence;
}

const char *ramfs_check(void)
{
    return check_directory(ramfs_root());
}
