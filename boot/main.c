// SPDX-License-Identifier: MIT
/*
 * The table of contents of the whole kernel: kernel_main() starts every subsystem, bottom floor
 * first, one line each. Whoever wants to know "when does X come up, and what may it rely on?" reads
 * this one function. Boot CPU, interrupts off until the line that says otherwise.
 */
#include "boot/boot_info.h"
#include "drivers/acpi.h"
#include "drivers/framebuffer.h"
#include "drivers/ioapic.h"
#include "drivers/keyboard.h"
#include "drivers/lapic.h"
#include "drivers/pic.h"
#include "drivers/power.h"
#include "drivers/serial.h"
#include "drivers/timer.h"
#include "drivers/vga_text.h"
#include "drivers/virtio_console.h"
#include "kernel/boot_actions.h"
#include "kernel/command.h"
#include "kernel/cpu.h"
#include "kernel/panic.h"
#include "kernel/param.h"
#include "kernel/percpu.h"
#include "kernel/printk.h"
#include "kernel/symbols.h"
#include "kernel/trap.h"
#include "lib/errno.h"
#include "mm/commands/trace.h"
#include "mm/start.h"
#include "mm/vmalloc.h"
#include "proc/file.h"
#include "proc/launch.h"
#include "proc/rootfs.h"

static struct boot_info boot;
static struct memmap_entry boot_entries[BOOT_MEMORY_MAX];

static void read_boot_info(u32 magic, paddr_t info)
{
    int err = boot_info_parse(magic, info, &boot);
    if (err == -EINVAL)
        panic_at(NULL, "boot through GRUB (multiboot2) or qemu -kernel (PVH)",
                 "unknown boot protocol: magic %#x, information at %#lx", magic, info);
    if (err)
        panic_at(NULL, "boot through GRUB (multiboot2) or qemu -kernel (PVH)",
                 "the boot loader gave no memory map");
    log_info("loader: %s%s", boot.loader[0] ? boot.loader : "unknown", boot.uefi ? " (UEFI)" : "");
    if (boot.truncated || boot.memory_dropped || boot.modules_dropped)
        log_warn("boot information is incomplete: %s%u memory entries and %u modules dropped",
                 boot.truncated ? "damaged, " : "", boot.memory_dropped, boot.modules_dropped);
}

static void start_memmap(void)
{
    for (u32 i = 0; i < boot.memory_count; i++)
        boot_entries[i] =
            (struct memmap_entry){boot.memory[i].base, boot.memory[i].length, boot.memory[i].type};
    mm_start_memmap(boot_entries, boot.memory_count);
    mm_start_reserve(boot.block_start, boot.block_end, "boot information");
    for (u32 i = 0; i < boot.module_count; i++) {
        const struct boot_module *module = &boot.modules[i];
        if (rootfs_keep(module->start, module->end, boot_memmap.usable_bytes))
            mm_start_reserve(module->start, module->end, "root file system");
    }
}

static void start_framebuffer(void)
{
    const struct boot_framebuffer *fb = &boot.framebuffer;
    if (fb->type != BOOT_FRAMEBUFFER_RGB)
        return;
    struct framebuffer_desc desc = {
        .base = fb->base,
        .pitch = fb->pitch,
        .width = fb->width,
        .height = fb->height,
        .bits_per_pixel = fb->bits_per_pixel,
        .red_shift = fb->red_shift,
        .red_bits = fb->red_bits,
        .green_shift = fb->green_shift,
        .green_bits = fb->green_bits,
        .blue_shift = fb->blue_shift,
        .blue_bits = fb->blue_bits,
    };
    int err = framebuffer_init(&desc);
    if (err)
        log_warn("framebuffer %ux%u: %s", fb->width, fb->height, errno_name(err));
}

static bool has_text_screen(void)
{
    enum boot_framebuffer_type type = boot.framebuffer.type;
    return type == BOOT_FRAMEBUFFER_TEXT || (type == BOOT_FRAMEBUFFER_NONE && !boot.uefi);
}

void kernel_main(u32 magic, paddr_t info)
{
    /* The machine: enough to say something, then enough to explain a fault. */
    percpu_init(0);
    cpu_features_init();
    symbols_init();
    gdt_init();
    trap_init();
    serial_early_init();
    log_info("Vitrine: a kernel under glass");
    read_boot_info(magic, info);
    vga_text_init(has_text_screen());
    params_apply(boot.cmdline);

    /* Memory, floor by floor. */
    start_memmap();
    mm_start_pagetable();
    mm_start_buddy();
    mm_start_slab();
    mm_start_vmalloc();
    mm_start_fault();
    mm_start_uspace();
    tasks_init();
    files_init();

    /* Devices: they may now map their registers. */
    start_framebuffer();
    acpi_init(0, boot.rsdp_size ? boot.rsdp : NULL);
    power_init();
    timer_calibrate();
    pic_disable();
    lapic_init();
    ioapic_init();
    serial_enable_irq();
    keyboard_init();
    virtio_console_init();
    irq_enable();
    vm_unmap_aliases(); /* firmware tables were mapped for a moment only */
    trace_boot();

    /* What the command line asked for, then the student. */
    boot_actions_run();
    init_run();
    shell_run();
}
