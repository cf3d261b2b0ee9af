// SPDX-License-Identifier: MIT
/*
 * Waiting for one of many: poll, ppoll, select, pselect6. All sleep on the one queue of proc/file.c and look at every
 * file again when somebody wakes it. A signal mask that comes with the call is set for its time.
 */
#include "kernel/time.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/fd.h"
#include "proc/sys_file.h"
#include "proc/syscall.h"
#include "proc/task.h"

#define NS_PER_MS 1000000UL
#define NS_PER_SECOND 1000000000UL
#define FOREVER 0UL
#define AT_ONCE 1UL /* a deadline long past */
#define SELECT_LIMIT 1024u
#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

struct poll_entry {
    s32 fd;
    u16 wanted, found;
};

struct poll_set {
    struct poll_entry *entries;
    u32 count, ready;
};

static u32 state_of(int fd)
{
    struct file *file = fd_file(fd);

    if (!file)
        return POLLNVAL;
    return file->ops->poll ? file->ops->poll(file) : POLLIN | POLLOUT;
}

static bool look(void *arg)
{
    struct poll_set *set = arg;

    set->ready = 0;
    for (u32 i = 0; i < set->count; i++) {
        struct poll_entry *entry = &set->entries[i];
        u32 found = entry->fd < 0 ? 0 : state_of(entry->fd) & (entry->wanted | ALWAYS);
        entry->found = (u16)found;
        set->ready += found != 0;
    }
    return set->ready != 0;
}

/* How many are ready; 0 after the deadline; -EINTR. */
static s64 await(struct poll_set *set, u64 deadline)
{
    if (look(set) || deadline == AT_ONCE)
        return set->ready;
    current_task()->waits_for = "poll";
    int err = wait_on(files_poll_queue(), look, set, deadline);
    current_task()->waits_for = NULL;
    if (err && err != -ETIMEDOUT)
        return err;
    look(set);
    return set->ready;
}

static u64 deadline_in(u64 ns)
{
    return ns ? clock_ns() + min_u64(ns, (u64)INT64_MAX / 2) : AT_ONCE;
}

static s64 poll_user(vaddr_t address, u64 count, u64 deadline)
{
    u64 size = count * sizeof(struct poll_entry);
    struct poll_set set = {.count = (u32)count};

    if (count > FD_LIMIT)
        return -EINVAL;
    set.entries = kmalloc(size ? size : 1, GFP_KERNEL);
    s64 n = !set.entries ? -ENOMEM : get_user(set.entries, address, size);
    if (!n)
        n = await(&set, deadline);
    if (n >= 0 && put_user(address, set.entries, size))
        n = -EFAULT;
    kfree(set.entries);
    return n;
}

static s64 sys_poll(u64 entries, u64 count, u64 timeout_ms, u64 d, u64 e, u64 f)
{
    s32 ms = (s32)timeout_ms;

    IGNORE3;
    return poll_user(entries, (u32)count, ms < 0 ? FOREVER : deadline_in((u64)ms * NS_PER_MS));
}
SYSCALL(poll, 7, "pud");

struct timespec {
    s64 seconds, part; /* nanoseconds or, for select, microseconds */
};

/* A relative time from user memory (0: for ever) becomes a deadline. 0, -EFAULT, -EINVAL. */
static int deadline_from_user(vaddr_t address, s64 parts_per_second, u64 *deadline)
{
    struct timespec t;

    *deadline = FOREVER;
    if (!address)
        return 0;
    if (get_user(&t, address, sizeof(t)))
        return -EFAULT;
    if (t.seconds < 0 || t.part < 0 || t.part >= parts_per_second)
        return -EINVAL;
    u64 ns = (u64)t.part * (NS_PER_SECOND / (u64)parts_per_second);
    *deadline = deadline_in(min_u64((u64)t.seconds, 1UL << 32) * NS_PER_SECOND + ns);
    return 0;
}

static s64 sys_ppoll(u64 entries, u64 count, u64 timeout, u64 mask, u64 mask_size, u64 f)
{
    u64 deadline;
    int err = deadline_from_user(timeout, NS_PER_SECOND, &deadline);

    (void)f;
    err = err ? err : signal_mask_for_call(mask, mask_size);
    return err ? err : poll_user(entries, (u32)count, deadline);
}
SYSCALL(ppoll, 271, "pupp");

/* select's three bit sets, as the bits of poll() that each stands for. */
#define SETS 3u
static const u16 wanted_by[SETS] = {POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI};
static const u16 found_by[SETS] = {POLLIN | POLLRDNORM | POLLHUP | POLLERR,
                                   POLLOUT | POLLWRNORM | POLLERR, POLLPRI};

struct select_call {
    u64 bits[SETS][SELECT_LIMIT / 64];
    struct poll_entry entries[SELECT_LIMIT];
    vaddr_t sets[SETS];
    u32 limit;
};

static u64 set_bytes(u32 limit)
{
    return (limit + 63) / 64 * 8;
}

static s64 gather(struct select_call *call, struct poll_set *set)
{
    for (u32 s = 0; s < SETS; s++)
        if (call->sets[s] && get_user(call->bits[s], call->sets[s], set_bytes(call->limit)))
            return -EFAULT;
    for (u32 fd = 0; fd < call->limit; fd++) {
        u32 wanted = 0;
        for (u32 s = 0; s < SETS; s++)
            wanted |= call->bits[s][fd / 64] >> (fd % 64) & 1 ? wanted_by[s] : 0;
        if (!wanted)
            continue;
        if (!fd_file((int)fd))
            return -EBADF;
        call->entries[set->count++] = (struct poll_entry){(s32)fd, (u16)wanted, 0};
    }
    return 0;
}

/* The sets come back with only what is ready: how many bits, or -EFAULT. */
static s64 scatter(struct select_call *call, const struct poll_set *set)
{
    s64 bits = 0;

    memset(call->bits, 0, sizeof(call->bits));
    for (u32 i = 0; i < set->count; i++) {
        const struct poll_entry *entry = &set->entries[i];
        for (u32 s = 0; s < SETS; s++) {
            if (!(entry->wanted & wanted_by[s]) || !(entry->found & found_by[s]))
                continue;
            call->bits[s][entry->fd / 64] |= 1UL << (entry->fd % 64);
            bits++;
        }
    }
    for (u32 s = 0; s < SETS; s++)
        if (call->sets[s] && put_user(call->sets[s], call->bits[s], set_bytes(call->limit)))
            return -EFAULT;
    return bits;
}

static s64 select_user(s32 limit, u64 in, u64 out, u64 except, u64 deadline)
{
    if (limit < 0)
        return -EINVAL;
    struct select_call *call = kzalloc(sizeof(*call), GFP_KERNEL);
    if (!call)
        return -ENOMEM;
    struct poll_set set = {.entries = call->entries};
    call->limit = (u32)min_u64((u64)limit, SELECT_LIMIT);
    call->sets[0] = in;
    call->sets[1] = out;
    call->sets[2] = except;
    s64 n = gather(call, &set);
    n = n ? n : await(&set, deadline);
    n = n < 0 ? n : scatter(call, &set);
    kfree(call);
    return n;
}

static s64 sys_select(u64 limit, u64 in, u64 out, u64 except, u64 timeout, u64 f)
{
    u64 deadline;
    int err = deadline_from_user(timeout, 1000000, &deadline);

    (void)f;
    return err ? err : select_user((s32)limit, in, out, except, deadline);
}
SYSCALL(select, 23, "dpppp");

static s64 sys_pselect6(u64 limit, u64 in, u64 out, u64 except, u64 timeout, u64 mask_and_size)
{
    u64 deadline, mask[2] = {0, 0};
    int err = deadline_from_user(timeout, NS_PER_SECOND, &deadline);

    if (!err && mask_and_size)
        err = get_user(mask, mask_and_size, sizeof(mask));
    err = err ? err : signal_mask_for_call(mask[0], mask[1]);
    return err ? err : select_user((s32)limit, in, out, except, deadline);
}
SYSCALL(pselect6, 270, "dppppp");
