// SPDX-License-Identifier: MIT
/*
 * `peek` and `poke`: memory as bytes. Reading is fault-safe (unmapped bytes are shown as ??) and
 * keeps away from device registers, where a read can have effects. Writing asks the page tables
 * first; with `force` it just writes, and the fault that may follow is the lesson.
 */
#include "kernel/command.h"
#include "kernel/extable.h"
#include "kernel/printk.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/commands/view.h"
#include "mm/start.h"

#define LINE_BYTES 16
#define DEFAULT_BYTES 64
#define MAX_BYTES (64 * KIB)

struct cell {
    u8 value;
    bool known;
};

/* Is there something at the address that must not be read just out of curiosity? */
static bool is_device(vaddr_t address)
{
    struct pt_walk walk;

    return pt_walk(&kernel_pagetable, address, &walk) &&
           !memmap_contains(&boot_memmap, walk.physical >> PAGE_SHIFT) &&
           walk.value[walk.stopped_at] & PTE_PCD;
}

/* Eight bytes at an aligned address never straddle a page. */
static void read_word(vaddr_t aligned, struct cell *out)
{
    u64 word = 0;
    bool known = !is_device(aligned) && safe_read(aligned, &word);

    for (unsigned i = 0; i < sizeof(word); i++)
        out[i] = (struct cell){(u8)(word >> (8 * i)), known};
}

static void print_line(vaddr_t line, vaddr_t from, vaddr_t to)
{
    struct cell bytes[LINE_BYTES];
    char hex[3 * LINE_BYTES + 2], text[LINE_BYTES + 1];
    size_t at = 0;

    read_word(line, bytes);
    read_word(line + 8, bytes + 8);
    for (unsigned i = 0; i < LINE_BYTES; i++) {
        bool asked = line + i >= from && line + i < to;
        u8 c = bytes[i].value;
        const char *gap = i == 7 ? "  " : " ";
        if (!asked)
            at += format_to(hex + at, sizeof(hex) - at, "  %s", gap);
        else if (!bytes[i].known)
            at += format_to(hex + at, sizeof(hex) - at, "??%s", gap);
        else
            at += format_to(hex + at, sizeof(hex) - at, "%02x%s", c, gap);
        text[i] = !asked ? ' ' : bytes[i].known && c >= ' ' && c < 127 ? (char)c : '.';
    }
    text[LINE_BYTES] = '\0';
    print("%016lx  %s |%s|\n", line, hex, text);
}

static int peek_run(int argc, char **argv)
{
    vaddr_t address, end;
    u64 count = DEFAULT_BYTES;

    if (argc < 2 || argc > 3)
        return COMMAND_USAGE;
    if (view_parse_address(argv[1], &address))
        return -EINVAL;
    if (argc == 3 && view_parse_number("count", argv[2], 1, MAX_BYTES, &count))
        return -EINVAL;
    if (!add_checked(address, count, &end)) {
        print("%#lx + %lu goes past the end of the address space\n", address, count);
        return -EINVAL;
    }
    for (vaddr_t line = align_down(address, LINE_BYTES); line < end; line += LINE_BYTES) {
        if (view_stopped())
            return 0;
        print_line(line, address, end);
    }
    if (is_device(address))
        print("device registers are not read: that could change the device\n");
    return 0;
}
COMMAND(peek, "peek", peek_run, NULL, "peek ADDR|SYMBOL [BYTES]",
        "show memory in hexadecimal; unmapped bytes appear as ??");

/* Would a write go through? Says why not. */
static bool may_write(vaddr_t address)
{
    struct pt_walk walk;

    if (!address_is_canonical(address))
        print("%#lx is not canonical", address);
    else if (!pt_walk(&kernel_pagetable, address, &walk))
        print("nothing is mapped at %#lx", address);
    else if (!walk.writable)
        print("%#lx is mapped read-only", address);
    else
        return true;
    print(", a write would fault; `poke ADDR VALUE force` writes anyway\n");
    return false;
}

static int poke_run(int argc, char **argv)
{
    vaddr_t address;
    u64 value;
    bool force = argc == 4 && strcmp(argv[3], "force") == 0;

    if (argc != 3 && !force)
        return COMMAND_USAGE;
    if (view_parse_address(argv[1], &address) ||
        view_parse_number("value", argv[2], 0, ~0UL, &value))
        return -EINVAL;
    if (!is_aligned(address, sizeof(u64))) {
        print("%#lx is not a multiple of 8: poke writes 8 bytes at once\n", address);
        return -EINVAL;
    }
    if (!force && !may_write(address))
        return -EFAULT;
    *(volatile u64 *)address = value;
    print("%016lx  %016lx written\n", address, value);
    return 0;
}
COMMAND(poke, "poke", poke_run, NULL, "poke ADDR|SYMBOL VALUE [force]",
        "write 8 bytes to memory; force: without asking the page tables first");
