// SPDX-License-Identifier: MIT
/*
 * The font parser: both versions of the format with their Unicode tables, substitutes for missing
 * characters, and broken files in every way that random damage finds. Files live in exactly sized
 * heap blocks, so that ASan sees the first byte read outside.
 */
#include "tests/host/harness.h"

#include "drivers/charset.c"
#include "drivers/psf.c"
#include "lib/rng.h"

static struct psf_font font;

/* 256 glyphs of 8x2; glyph n is the bytes n, ~n. */
static size_t put_glyphs(u8 *at)
{
    for (unsigned n = 0; n < 256; n++) {
        at[2 * n] = (u8)n;
        at[2 * n + 1] = (u8)~n;
    }
    return 512;
}

static size_t build_psf1(u8 *file)
{
    static const u8 header[] = {0x36, 0x04, PSF1_MODE_TABLE, 2};
    size_t size = sizeof(header);

    memcpy(file, header, size);
    size += put_glyphs(file + size);
    for (unsigned n = 0; n < 256; n++) {
        u16 table[5] = {(u16)(n == 200 ? 0x2500 : n), PSF1_SEQUENCE, 'x', 0x301, PSF1_SEPARATOR};
        memcpy(file + size, table, sizeof(table));
        size += sizeof(table);
    }
    return size;
}

static size_t build_psf2(u8 *file)
{
    const u32 header[] = {PSF2_MAGIC, 0, PSF2_HEADER, PSF2_TABLE, 256, 2, 2, 8};
    size_t size = sizeof(header);

    memcpy(file, header, size);
    size += put_glyphs(file + size);
    for (unsigned n = 0; n < 256; n++) {
        if (n == 200) {
            memcpy(file + size, "\xe2\x94\x80\xe2\x96\x88", 6); /* line and full block share it */
            size += 6;
        } else if (n < 0x80) {
            file[size++] = (u8)n;
        }
        memcpy(file + size,
               "\xfe"
               "A\xcc\x81",
               4); /* a combining sequence: not for us */
        size += 4;
        file[size++] = PSF2_SEPARATOR;
    }
    return size;
}

static void expect_glyph(u16 code, unsigned number)
{
    assert_ptr_equal(psf_glyph(&font, code), font.glyphs + number * font.glyph_bytes);
}

static void both_versions(void **state)
{
    u8 file[8192] = {0};

    (void)state;
    for (unsigned version = 1; version <= 2; version++) {
        size_t size = version == 1 ? build_psf1(file) : build_psf2(file);

        assert_int_equal(psf_parse(file, size, &font), 0);
        assert_int_equal(font.glyph_count, 256);
        assert_int_equal(font.width, 8);
        assert_int_equal(font.height, 2);
        assert_int_equal(font.mappings_dropped, 0);
        expect_glyph('A', 'A');
        expect_glyph(0x2500, 200);
        expect_glyph(0x2501, 200); /* heavy line: the light one stands in */
        expect_glyph(0x2014, 200); /* dash */
        expect_glyph(0x4e2d, '?');
        if (version == 2)
            expect_glyph(0x2588, 200);
    }
}

static void no_table_means_code_is_glyph(void **state)
{
    u8 file[8192] = {0};
    size_t size = build_psf1(file);

    (void)state;
    file[2] = 0;
    assert_int_equal(psf_parse(file, size, &font), 0);
    expect_glyph('A', 'A');
    expect_glyph(0xff, 0xff);
    expect_glyph(0x100, '?');
}

static void broken_files_are_refused(void **state)
{
    u8 file[8192] = {0};

    (void)state;
    assert_int_equal(psf_parse(file, 0, &font), -EINVAL);
    size_t size = build_psf2(file);
    assert_int_equal(psf_parse(file, PSF2_HEADER + 511, &font), -EINVAL);
    static const struct {
        size_t offset;
        u32 value;
    } damage[] = {{0, 0},    {8, 31}, {8, 0xffffffff}, {16, 0}, {16, 0x80000000}, {20, 1},
                  {20, ~0u}, {24, 0}, {24, 65},        {28, 0}, {28, 33},         {24, 0xffffffff}};
    for (size_t i = 0; i < ARRAY_SIZE(damage); i++) {
        build_psf2(file);
        memcpy(file + damage[i].offset, &damage[i].value, 4);
        assert_int_equal(psf_parse(file, size, &font), -EINVAL);
    }
}

/* Every glyph that any character leads to must lie inside the file. */
static void try_file(const u8 *file, size_t size)
{
    u8 *exact = malloc(size ? size : 1);
    volatile u8 sum = 0;

    memcpy(exact, file, size);
    if (psf_parse(exact, size, &font) == 0)
        for (u32 code = 0; code < 0x10000; code += 61)
            for (u32 i = 0; i < font.height * font.row_bytes; i++)
                sum = (u8)(sum + psf_glyph(&font, (u16)code)[i]);
    free(exact);
}

static void random_damage_stays_inside(void **state)
{
    u8 file[8192] = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 437);
    for (unsigned round = 0; round < 3000; round++) {
        size_t size = round & 1 ? build_psf1(file) : build_psf2(file);
        unsigned hits = 1 + (unsigned)rng_below(&rng, 8);

        for (unsigned i = 0; i < hits; i++)
            file[rng_below(&rng, round % 3 ? 40 : size)] = (u8)rng_next(&rng);
        try_file(file, rng_below(&rng, 4) ? size : rng_below(&rng, size + 1));
    }
}

static void mappings_are_sorted_first_glyph_wins(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    font.mapping_count = 0;
    for (unsigned i = 0; i < PSF_MAX_MAPPINGS + 5; i++)
        add_mapping(&font, (u32)rng_below(&rng, 700), i);
    assert_int_equal(font.mapping_count, PSF_MAX_MAPPINGS);
    assert_int_equal(font.mappings_dropped, 5);
    sort_mappings(&font);
    for (unsigned i = 1; i < PSF_MAX_MAPPINGS; i++)
        assert_true(mapping_after(font.mappings[i], font.mappings[i - 1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(both_versions),
        host_test(no_table_means_code_is_glyph),
        host_test(broken_files_are_refused),
        host_test(random_damage_stays_inside),
        host_test(mappings_are_sorted_first_glyph_wins),
    };
    return cmocka_run_group_tests_name("psf", tests, NULL, NULL);
}
