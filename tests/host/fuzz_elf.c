// SPDX-License-Identifier: MIT
/*
 * libFuzzer feeds the ELF loader's parser and the search for symbols (clang, ASan, UBSan). What it accepts must be safe to map, by rules that are
 * written down here a second time: pages in the user half, none twice, none writable and executable, nothing of the
 * file from behind its end, the entry in code. Run: build/host/fuzz_elf [-runs=N] [CORPUS].
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/errno.h"
#include "lib/string.h"
#include "proc/elf_symbol.h"

#define LOWEST 0x10000UL
#define HIGHEST 0x7ffffffff000UL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *data;
    u64 size;
};

static s64 read_bytes(void *ctx, u64 offset, void *to, u64 size)
{
    const struct bytes *bytes = ctx;
    if (offset > bytes->size)
        return 0;
    u64 left = bytes->size - offset, part = size < left ? size : left;
    memcpy(to, bytes->data + offset, part);
    return (s64)part;
}

static void demand(bool condition, const char *rule)
{
    if (condition)
        return;
    fprintf(stderr, "broken rule: %s\n", rule);
    abort();
}

static void check_segment(const struct elf_segment *segment, u64 file_size)
{
    u64 mapped = segment->file_end > segment->start ? segment->file_end - segment->start : 0;
    demand(segment->start % 4096 == 0 && segment->end % 4096 == 0, "segments are whole pages");
    demand(segment->start < segment->end, "a segment has a page");
    demand(segment->start >= LOWEST && segment->end <= HIGHEST, "segments lie in the user half");
    demand(segment->file_end <= segment->end, "no more from the file than there is room");
    demand(segment->offset % 4096 == 0, "the file is mapped by pages");
    demand(segment->offset + mapped <= file_size, "nothing from behind the end of the file");
    demand(!(segment->writable && segment->executable), "nothing is writable and executable");
}

static bool in_code(const struct elf_image *image)
{
    for (unsigned i = 0; i < image->count; i++)
        if (image->segment[i].executable && image->entry >= image->segment[i].start &&
            image->entry < image->segment[i].end)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    struct elf_source source = {size, read_bytes, &bytes, LOWEST, HIGHEST};
    struct elf_image image;
    char name[16];
    u64 offset = 0;
    if (elf_symbol(&source, 0x401000, name, sizeof(name), &offset))
        demand(strnlen(name, sizeof(name)) < sizeof(name), "a name ends");
    int error = elf_parse(&source, &image);
    demand(error == 0 || error == -ENOEXEC, "0 or ENOEXEC");
    if (error)
        return 0;
    demand(image.count > 0 && image.count <= ELF_SEGMENTS_MAX, "some segments, not too many");
    for (unsigned i = 0; i < image.count; i++) {
        check_segment(&image.segment[i], size);
        demand(i == 0 || image.segment[i].start >= image.segment[i - 1].end, "no page twice");
    }
    demand(image.brk == image.segment[image.count - 1].end, "the heap begins behind it");
    demand(in_code(&image), "the entry lies in code");
    demand(image.headers < HIGHEST, "the headers are the program's own");
    return 0;
}
