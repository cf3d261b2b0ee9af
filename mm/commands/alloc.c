// SPDX-License-Identifier: MIT
/*
 * Commands that act on address space: `vmalloc`, `vfree`, `vrealloc`. They call the public API and
 * nothing deeper, so what a student sees afterwards is what any kernel code would cause. Mistakes
 * are passed on to the API, which refuses them with a report; only memory of somebody else is
 * protected. Read next: mm/vmalloc.h, mm/commands/owned.h.
 */
#include "kernel/command.h"
#include "kernel/panic.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/commands/owned.h"
#include "mm/commands/view.h"
#include "mm/vmalloc_internal.h"

#define MAX_COUNT 1000000
#define SHOWN_FIRST 3 /* of many: these, then the last */

struct request {
    u64 size, align, count;
    bool zero, huge;
};

/* A size or alignment; plain parse errors are told by view_parse_number(). */
static int parse_align(const char *text, u64 *out)
{
    if (view_parse_number("align", text, 1, VMALLOC_SIZE, out))
        return -EINVAL;
    if (is_power_of_two(*out))
        return 0;
    print("align %s is not a power of two\n", text);
    return -EINVAL;
}

static int parse_word(struct request *r, const char *word)
{
    const char *value;

    if (strcmp(word, "zero") == 0) {
        r->zero = true;
        return 0;
    }
    if (strcmp(word, "huge") == 0) {
        r->huge = true;
        return 0;
    }
    if ((value = view_option(word, "count")) != NULL)
        return view_parse_number("count", value, 1, MAX_COUNT, &r->count);
    if ((value = view_option(word, "align")) != NULL)
        return parse_align(value, &r->align);
    if (word[0] >= '0' && word[0] <= '9')
        return parse_align(word, &r->align);
    return COMMAND_USAGE;
}

static __noinline void *vmalloc_for_shell(const struct request *r)
{
    gfp_t gfp = GFP_KERNEL | (r->zero ? __GFP_ZERO : 0);

    return __vmalloc_node_range(r->size, max_u64(r->align, PAGE_SIZE), VMALLOC_BASE, VMALLOC_END,
                                gfp, PROT_KERNEL_RW, r->huge ? VM_ALLOW_HUGE : 0, CALLER());
}

static void print_new(const struct owned *owned)
{
    const struct vm_struct *vm = find_vm_area((void *)owned->address);
    u64 usable = vm ? get_vm_area_size(vm) : 0;

    print("%6lu  0x%016lx-0x%016lx  %pM, %lu page%s%s\n", owned->number, owned->address,
          owned->address + usable, (void *)&usable, usable >> PAGE_SHIFT,
          view_plural(usable >> PAGE_SHIFT),
          vm && vm->page_order ? " in 2 MiB leaves" : " and a guard");
}

/* One area; NULL when it could not be had, after a sentence. */
static struct owned *shell_vmalloc(const struct request *r)
{
    void *address = vmalloc_for_shell(r);

    if (!address) {
        print("vmalloc returned NULL: %s\n",
              r->size == 0 ? "0 bytes are no area"
                           : "no memory or no address space for this request");
        return NULL;
    }
    struct owned *owned = owned_add(OWNED_VMALLOC, (vaddr_t)address, r->size, 0);
    if (!owned) {
        vfree(address);
        print("no memory to remember the area: freed again\n");
    }
    return owned;
}

static int vmalloc_many(const struct request *r)
{
    struct owned *owned = NULL;
    u64 done;

    for (done = 0; done < r->count; done++) {
        struct owned *next = view_stopped() ? NULL : shell_vmalloc(r);
        if (!next)
            break;
        owned = next;
        if (done < SHOWN_FIRST)
            print_new(owned);
        else if (done == SHOWN_FIRST && r->count > SHOWN_FIRST + 1)
            print("        ...\n");
    }
    if (done > SHOWN_FIRST)
        print_new(owned);
    if (r->count > 1)
        print("%lu of %lu areas allocated\n", done, r->count);
    return done == r->count ? 0 : -ENOMEM;
}

static int vmalloc_run(int argc, char **argv)
{
    struct request r = {.align = PAGE_SIZE, .count = 1};

    if (argc < 2)
        return COMMAND_USAGE;
    if (view_parse_number("size", argv[1], 0, ~0UL, &r.size))
        return -EINVAL;
    for (int i = 2; i < argc; i++) {
        int err = parse_word(&r, argv[i]);
        if (err)
            return err;
    }
    return vmalloc_many(&r);
}

static const char *vmalloc_complete(int index, unsigned n)
{
    static const char *const words[] = {"align=", "zero", "huge", "count=", NULL};
    return index >= 2 ? view_complete(words, n) : NULL;
}
COMMAND(
    vmalloc, "vmalloc", vmalloc_run, vmalloc_complete,
    "vmalloc SIZE [align=ALIGN] [zero] [huge] [count=N]",
    "allocate virtually contiguous memory: `vmalloc 5p align=64K` (5 pages), `vmalloc 4M huge`");

/* May this address be freed from the shell? Says why not. */
static bool may_free(vaddr_t address, const struct owned *owned, bool force)
{
    const struct vm_struct *vm = find_vm_area((void *)address);

    /* What is nothing, or lies inside of something of ours, is for vfree() itself to refuse. */
    if (owned || force || !vm || vm->addr != address)
        return true;
    print("this area belongs to %pS, not to the shell, and the kernel may crash without it;\n"
          "`vfree %#lx force` frees it anyway\n",
          (void *)vm->caller, address);
    return false;
}

static int vfree_one(const char *text, bool force)
{
    struct owned *owned;
    vaddr_t address;

    if (owned_parse(OWNED_VMALLOC, text, &owned, &address))
        return -EINVAL;
    if (!may_free(address, owned, force))
        return -EPERM;
    u64 reports = report_count();
    vfree((void *)address);
    if (owned)
        owned_forget(owned);
    return report_count() == reports ? 0 : -EINVAL;
}

static int vfree_all(void)
{
    struct owned *owned;
    u64 count = 0;

    while ((owned = owned_first(OWNED_VMALLOC)) != NULL && !view_stopped()) {
        vfree((void *)owned->address);
        owned_forget(owned);
        count++;
    }
    print("%lu area%s freed\n", count, view_plural(count));
    return 0;
}

static int vfree_run(int argc, char **argv)
{
    bool force = argc > 2 && strcmp(argv[argc - 1], "force") == 0;
    int words = force ? argc - 1 : argc, result = 0;

    if (words < 2)
        return COMMAND_USAGE;
    if (argc == 2 && strcmp(argv[1], "all") == 0)
        return vfree_all();
    for (int i = 1; i < words; i++) {
        int err = vfree_one(argv[i], force);
        result = result ? result : err;
    }
    if (result == 0)
        print(
            "freed; the range waits for a TLB flush (`vmap` shows it, `vmap purge` flushes now)\n");
    return result;
}

static const char *vfree_complete(int index, unsigned n)
{
    static const char *const words[] = {"all", NULL};
    return index == 1 ? view_complete(words, n) : NULL;
}
COMMAND(vfree, "vfree", vfree_run, vfree_complete, "vfree ADDR|N ... [force] | vfree all",
        "free areas by address or by their number in `areas`");

static int vrealloc_run(int argc, char **argv)
{
    struct owned *owned;
    vaddr_t address;
    u64 size;

    if (argc != 3)
        return COMMAND_USAGE;
    if (owned_parse(OWNED_VMALLOC, argv[1], &owned, &address) ||
        view_parse_number("size", argv[2], 0, ~0UL, &size))
        return -EINVAL;
    if (!owned) {
        print("%#lx was not allocated by the shell; `areas` lists what was\n", address);
        return -EPERM;
    }
    void *now = vrealloc((void *)address, size, GFP_KERNEL);
    if (size == 0) {
        owned_forget(owned);
        print("size 0: freed\n");
        return 0;
    }
    if (!now) {
        print("vrealloc returned NULL: no memory; the old area is untouched\n");
        return -ENOMEM;
    }
    print(now == (void *)address ? "in place:\n" : "moved:\n");
    owned->address = (vaddr_t)now;
    owned->size = size;
    print_new(owned);
    return 0;
}
COMMAND(vrealloc, "vrealloc", vrealloc_run, NULL, "vrealloc ADDR|N SIZE",
        "grow or shrink an area that the shell has allocated; in place where there is room");
