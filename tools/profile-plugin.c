// SPDX-License-Identifier: MIT
/*
 * A QEMU plugin that counts how often each translated block runs and writes, when QEMU ends, a line
 * `COUNT ADDRESS ADDRESS ...` (hexadecimal addresses of its instructions) per block to out=FILE.
 * bench/profile builds, runs and reads it. Debian packages no qemu-plugin.h, so the few prototypes of
 * the plugin interface that are used stand here; PLUGIN_API tells its version (1 up to QEMU 8).
 *
 * Runs inside QEMU on the host; counts are plain increments, so profile with one CPU.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
                                           void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*callback)(unsigned cpu, void *data), int flags,
                                          void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*callback)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);

extern EXPORT int qemu_plugin_version;
int qemu_plugin_version = PLUGIN_API;

/* One translated block; the same code may be translated more than once. */
struct block {
    struct block *next;
    uint64_t runs;
    size_t instructions;
    uint64_t addresses[];
};

static struct block *blocks;
static FILE *out;

static void block_runs(unsigned cpu, void *block)
{
    (void)cpu;
    ((struct block *)block)->runs++;
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *block = calloc(1, sizeof(*block) + n * sizeof(block->addresses[0]));

    (void)id;
    if (!block)
        abort();
    block->instructions = n;
    for (size_t i = 0; i < n; i++)
        block->addresses[i] = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, NO_REGISTERS, block);
}

static void write_counts(plugin_id id, void *unused)
{
    (void)id;
    (void)unused;
    for (const struct block *block = blocks; block; block = block->next) {
        if (!block->runs)
            continue;
        fprintf(out, "%llu", (unsigned long long)block->runs);
        for (size_t i = 0; i < block->instructions; i++)
            fprintf(out, " %llx", (unsigned long long)block->addresses[i]);
        fputc('\n', out);
    }
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);
int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc == 1 && strncmp(argv[0], "out=", 4) == 0)
        out = fopen(argv[0] + 4, "w");
    if (!out) {
        fprintf(stderr, "profile-plugin: wants out=FILE, which can be written\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    qemu_plugin_register_atexit_cb(id, write_counts, NULL);
    return 0;
}
