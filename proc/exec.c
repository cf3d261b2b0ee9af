// SPDX-License-Identifier: MIT
/*
 * From a file to a program: find it, follow `#!`, check the ELF headers (proc/elf.c), map the segments into a new
 * space, build the stack. The old space is untouched until everything has succeeded: the caller then
 * commits. The new space is active while it is filled; nothing sleeps meanwhile.
 */
#include "proc/exec.h"
#include "kernel/cpu.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/pagestore.h"
#include "mm/usercopy.h"
#include "proc/elf.h"
#include "proc/file.h"
#include "proc/fpu.h"
#include "proc/signal_internal.h"
#include "proc/syscall.h"

#define SCRIPT_LINE 256
#define SCRIPT_DEPTH 4
#define STACK_FIRST (132 * KIB) /* grows as far as USER_STACK_MAX */
#define STAT_TYPE 0170000u
#define STAT_REGULAR 0100000u
#define STAT_EXECUTE 0111u

static s64 read_store(void *ctx, u64 offset, void *to, u64 size)
{
    return pagestore_read(ctx, offset, to, size);
}

struct elf_source elf_source_of(struct pagestore *store)
{
    return (struct elf_source){pagestore_size(store), read_store, store, USER_START, USER_END};
}

static u32 segment_prot(const struct elf_segment *segment)
{
    return PROT_READ | (segment->writable ? PROT_WRITE : 0) | (segment->executable ? PROT_EXEC : 0);
}

/* The part from the file, then what is zero: the rest of the last page, and pages of their own. */
static int map_segment(struct uspace *space, const struct elf_segment *segment,
                       struct pagestore *store, const char *name)
{
    vaddr_t file_top = align_up(segment->file_end, PAGE_SIZE);
    u32 prot = segment_prot(segment), flags = MAP_PRIVATE | MAP_FIXED;
    s64 result = 0;
    if (file_top > segment->start)
        result = uspace_mmap(space, segment->start, file_top - segment->start, prot, flags, store,
                             segment->offset / PAGE_SIZE, name);
    if (result >= 0 && segment->end > file_top)
        result = uspace_mmap(space, file_top, segment->end - file_top, prot, flags | MAP_ANONYMOUS,
                             NULL, 0, NULL);
    if (result >= 0 && segment->writable && file_top > segment->file_end &&
        clear_user(segment->file_end, file_top - segment->file_end))
        result = -ENOMEM;
    return result < 0 ? (int)result : 0;
}

static int fill_space(struct program *program, const struct elf_image *image,
                      struct pagestore *store, const char *path, const struct exec_strings *strings)
{
    int error = 0;
    for (unsigned i = 0; i < image->count && !error; i++)
        error = map_segment(program->space, &image->segment[i], store, pagestore_name(store, path));
    if (error)
        return error;
    program->stack_top = USER_END;
    s64 stack =
        uspace_mmap(program->space, USER_END - STACK_FIRST, STACK_FIRST, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, NULL, 0, "[stack]");
    if (stack < 0)
        return (int)stack;
    uspace_set_brk(program->space, image->brk);
    return exec_build_stack(program, image, path, strings);
}

static void set_name(struct program *program, const char *path)
{
    const char *name = path;
    for (const char *p = path; *p; p++)
        if (*p == '/' && p[1])
            name = p + 1;
    string_copy(program->name, sizeof(program->name), name);
}

int program_load_store(struct program *out, struct pagestore *store, const char *path,
                       const struct exec_strings *strings)
{
    struct elf_source source = elf_source_of(store);
    struct elf_image image;
    struct uspace *old = uspace_current();
    *out = (struct program){0};
    int error = elf_parse(&source, &image);
    if (error)
        return error;
    out->space = uspace_create();
    if (!out->space)
        return -ENOMEM;
    uspace_activate(out->space);
    error = fill_space(out, &image, store, path, strings);
    uspace_activate(old);
    if (error)
        uspace_put(out->space);
    out->entry = image.entry;
    set_name(out, path);
    return error;
}

/* "#!INTERPRETER [ARGUMENT]": cut in place. False: no such line. */
static bool parse_script(char *line, char **interpreter, char **argument)
{
    char *at = line + 2, *end = strchr(line, '\n');
    if (line[0] != '#' || line[1] != '!' || !end)
        return false;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    while (*at == ' ' || *at == '\t')
        at++;
    *interpreter = at;
    while (*at && *at != ' ' && *at != '\t')
        at++;
    if (*at)
        *at++ = '\0';
    while (*at == ' ' || *at == '\t')
        at++;
    *argument = at;
    return **interpreter != '\0';
}

static int open_program(const char *path, struct inode **out)
{
    int error = 0;
    struct inode *inode = path_lookup(path, true, &error);
    if (!inode)
        return error;
    u32 mode = inode_mode(inode);
    if ((mode & STAT_TYPE) != STAT_REGULAR || !(mode & STAT_EXECUTE) || !inode_store(inode)) {
        inode_put(inode);
        return -EACCES;
    }
    *out = inode;
    return 0;
}

static int load_path(struct program *out, const char *path, struct exec_strings *strings,
                     unsigned depth);

/* argv becomes: interpreter [argument] path argv[1].. */
static int load_script(struct program *out, char *line, const char *path,
                       struct exec_strings *strings, unsigned depth)
{
    char *interpreter, *argument;
    if (!parse_script(line, &interpreter, &argument))
        return -ENOEXEC;
    if (depth == SCRIPT_DEPTH)
        return -ELOOP;
    const char *words[3] = {interpreter, argument, path};
    bool has_argument = argument[0] != '\0';
    if (!has_argument)
        words[1] = path;
    int error = exec_replace_first(strings, words, has_argument ? 3 : 2);
    return error ? error : load_path(out, interpreter, strings, depth + 1);
}

static int load_path(struct program *out, const char *path, struct exec_strings *strings,
                     unsigned depth)
{
    char line[SCRIPT_LINE];
    struct inode *inode = NULL;
    int error = open_program(path, &inode);
    if (error)
        return error;
    struct pagestore *store = inode_store(inode);
    s64 got = pagestore_read(store, 0, line, sizeof(line) - 1);
    line[got > 0 ? got : 0] = '\0';
    if (line[0] == '#' && line[1] == '!')
        error = load_script(out, line, path, strings, depth);
    else
        error = inode_map_name(inode) ? program_load_store(out, store, path, strings) : -ENOMEM;
    inode_put(inode);
    return error;
}

int program_load(struct program *out, const char *path, struct exec_strings *strings)
{
    return load_path(out, path, strings, 0);
}

static void fresh_registers(struct trap_frame *frame, const struct program *program)
{
    u64 cs = frame->cs, ss = frame->ss;
    *frame = (struct trap_frame){.cs = cs, .ss = ss, .rflags = RFLAGS_IF | 2, .vector = NO_VECTOR};
    frame->rip = program->entry;
    frame->rsp = program->stack;
}

void process_commit(struct process *process, struct task *task, struct program *program)
{
    struct uspace *old = process->space;
    process->space = program->space;
    if (task == current_task())
        uspace_activate(process->space);
    if (old)
        uspace_put(old);
    memcpy(process->name, program->name, sizeof(process->name));
    process->args_start = program->args_start;
    process->args_end = program->args_end;
    process->env_start = program->env_start;
    process->env_end = program->env_end;
    process->stack_top = program->stack_top;
    task->fs_base = task->gs_base = 0;
    task->clear_tid = 0;
    task->alternate = (struct signal_stack){0};
    fpu_reset(task->fpu);
    fresh_registers(task->frame, program);
    task_set_label(task);
    process_vfork_over(process);
}
