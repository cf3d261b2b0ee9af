// SPDX-License-Identifier: MIT
/*
 * futex(): sleep while a word in the program's memory has a value. Waiters stand in one list with a key: the
 * address space and the address, or, in a shared mapping, the store and the offset in it, so that processes
 * meet. One list for all: this machine runs few threads, and hashing it would be one line more for a
 * million of them. Interrupts do not touch it and kernel code is not preempted: no lock.
 */
#include "proc/futex.h"
#include "kernel/time.h"
#include "lib/errno.h"
#include "mm/usercopy.h"
#include "proc/clock.h"
#include "proc/syscall.h"

#define FUTEX_WAIT 0u
#define FUTEX_WAKE 1u
#define FUTEX_REQUEUE 3u
#define FUTEX_CMP_REQUEUE 4u
#define FUTEX_WAIT_BITSET 9u
#define FUTEX_WAKE_BITSET 10u
#define FUTEX_PRIVATE 128u
#define FUTEX_CLOCK_REALTIME 256u
#define MATCH_ANY 0xffffffffu

struct futex_key {
    const void *owner; /* struct uspace or struct pagestore */
    u64 offset;
};

struct futex_waiter {
    struct list_head link;
    struct futex_key key;
    u32 bitset;
    bool woken;
    struct wait_queue queue; /* its own: only this one wakes */
};

static struct list_head waiters = LIST_HEAD_INIT(waiters);

static struct futex_key key_of(vaddr_t address)
{
    struct uspace *space = current_process()->space;
    const struct vma *vma = uspace_find(space, address);
    if (vma && vma->store && vma->flags & MAP_SHARED)
        return (struct futex_key){vma->store, vma->pgoff * PAGE_SIZE + (address - vma->start)};
    return (struct futex_key){space, address};
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
    return a->owner == b->owner && a->offset == b->offset;
}

/* Wake up to `count` waiters, then give up to `move` others another key. How many were touched. */
static s64 wake(const struct futex_key *key, u32 count, u32 bitset, u32 move,
                const struct futex_key *target)
{
    struct futex_waiter *waiter, *next;
    s64 touched = 0;
    list_for_each_entry_safe(waiter, next, &waiters, link) {
        if (waiter->woken || !same_key(&waiter->key, key) || !(waiter->bitset & bitset))
            continue;
        if (count) {
            count--;
            waiter->woken = true;
            wake_all(&waiter->queue);
        } else if (move) {
            move--;
            waiter->key = *target;
        } else {
            break;
        }
        touched++;
    }
    return touched;
}

void futex_wake_address(vaddr_t address)
{
    struct futex_key key = key_of(address);
    wake(&key, 1, MATCH_ANY, 0, NULL);
}

static bool is_woken(void *waiter)
{
    return ((struct futex_waiter *)waiter)->woken;
}

/* Kernel code is not preempted: nobody can change the word between the look and the sleep. */
static s64 futex_wait(vaddr_t address, u32 expected, u64 deadline_ns, u32 bitset)
{
    u32 value;
    if (!bitset)
        return -EINVAL;
    if (copy_from_user(&value, address, sizeof(value)))
        return -EFAULT;
    if (value != expected)
        return -EAGAIN;
    struct futex_waiter waiter = {.key = key_of(address), .bitset = bitset};
    wait_queue_init(&waiter.queue);
    list_add_tail(&waiter.link, &waiters);
    current_task()->waits_for = "futex";
    int result = wait_on(&waiter.queue, is_woken, &waiter, deadline_ns);
    current_task()->waits_for = NULL;
    list_del(&waiter.link);
    return result;
}

static s64 requeue(vaddr_t address, u32 count, u32 move, vaddr_t target, bool compare, u32 expected)
{
    u32 value;
    if (target % sizeof(u32) || target >= USER_END)
        return -EINVAL;
    if (compare && copy_from_user(&value, address, sizeof(value)))
        return -EFAULT;
    if (compare && value != expected)
        return -EAGAIN;
    struct futex_key from = key_of(address), to = key_of(target);
    return wake(&from, count, MATCH_ANY, move, &to);
}

/* The timeout of FUTEX_WAIT is a span, that of FUTEX_WAIT_BITSET a moment. */
static s64 wait_command(vaddr_t address, u32 command, u64 op, u32 value, vaddr_t timeout,
                        u32 bitset)
{
    u64 deadline = 0;
    if (timeout) {
        u64 ns;
        int error = timespec_from_user(timeout, &ns);
        if (error)
            return error;
        bool span = command == FUTEX_WAIT;
        deadline = span ? clock_ns() + ns : op & FUTEX_CLOCK_REALTIME ? realtime_to_clock(ns) : ns;
        deadline = deadline ? deadline : 1;
    }
    return futex_wait(address, value, deadline, command == FUTEX_WAIT ? MATCH_ANY : bitset);
}

static s64 sys_futex(u64 address, u64 op, u64 value, u64 timeout, u64 address2, u64 value3)
{
    u32 command = (u32)op & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    if (address % sizeof(u32) || address >= USER_END)
        return -EINVAL;
    struct futex_key key;
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return wait_command(address, command, op, (u32)value, timeout, (u32)value3);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        if (command == FUTEX_WAKE_BITSET && !(u32)value3)
            return -EINVAL;
        key = key_of(address);
        return wake(&key, (u32)value, command == FUTEX_WAKE ? MATCH_ANY : (u32)value3, 0, NULL);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(address, (u32)value, (u32)timeout, address2, command == FUTEX_CMP_REQUEUE,
                       (u32)value3);
    default:
        return -ENOSYS;
    }
}
SYSCALL(futex, 202, "pxupp");
