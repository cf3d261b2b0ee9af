// SPDX-License-Identifier: MIT
/*
 * The test of the checker: one kind of damage after the other is planted into a healthy cache, and
 * kmem_cache_check() must notice each and call it by its name.
 */
#include "tests/host/harness.h"

#include "mm/slab.h"

#define MEMORY (4 * MIB)
#define FRAMES (MEMORY / PAGE_SIZE)

static struct buddy buddy;
static struct kmem_cache cache;

static void make_cache(void)
{
    host_memory_init(MEMORY);
    buddy_init(&buddy, "test", (struct page *)VMEMMAP_BASE, 0, FRAMES);
    buddy_add_range(&buddy, 1, FRAMES);
    buddy.poison = true;
    assert_int_equal(kmem_cache_init(&cache, "things", 100, 0, &buddy), 0);
}

static u8 *objects[3];
static struct page *slab;

static u8 *free_object(void)
{
    return (u8 *)phys_to_virt(page_to_phys(slab)) + (u64)slab->slab_free * cache.stride;
}

static void chain_index(void)
{
    slab->slab_free = 200;
}

static void chain_ends_early(void)
{
    slab->slab_free = 0xffff;
}

static void chain_cycle(void)
{
    *(u64 *)free_object() = (*(u64 *)free_object() & ~0xffffUL) | slab->slab_free;
}

static void chain_overwritten(void)
{
    free_object()[3] ^= 1;
}

static void poison_overwritten(void)
{
    free_object()[60] = 0;
}

static void inuse_wrong(void)
{
    slab->slab_inuse--;
}

static void in_use_wrong(void)
{
    cache.in_use++;
}

static void slabs_wrong(void)
{
    cache.slabs++;
}

static void empty_wrong(void)
{
    cache.empty_slabs++;
}

static void owner_wrong(void)
{
    slab->owner = &buddy;
}

static void wild_list(void)
{
    slab->link.next = LIST_POISON;
}

static void list_cycle(void)
{
    slab->link.next = &slab->link;
}

static void back_link(void)
{
    slab->link.prev = &slab->link;
}

static void wrong_list(void)
{
    list_del(&slab->link);
    list_add(&slab->link, &cache.full);
}

static const struct {
    void (*plant)(void);
    const char *name, *named;
} damages[] = {
    {chain_index, "index outside", "S2: the free chain"},
    {chain_ends_early, "chain too short", "S2: the free chain"},
    {chain_cycle, "chain in a circle", "S2: the free chain"},
    {chain_overwritten, "link overwritten", "S2: the link"},
    {poison_overwritten, "free object written to", "S3: the free things object"},
    {inuse_wrong, "slab_inuse", "S2"},
    {in_use_wrong, "in_use", "S1: things has 1 slabs"},
    {slabs_wrong, "slabs", "S1: things has 1 slabs"},
    {empty_wrong, "empty_slabs", "empty_slabs says 1"},
    {owner_wrong, "owner", "not one of its slabs"},
    {wild_list, "poisoned link", "0xdead000000000100"},
    {list_cycle, "list in a circle", "S1: "},
    {back_link, "link back", "not linked back"},
    {wrong_list, "on the full list", "S1: the slab at pfn"},
};

static void test_every_damage_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        make_cache();
        for (unsigned k = 0; k < 3; k++)
            objects[k] = kmem_cache_alloc(&cache, 0);
        slab = virt_to_page(objects[0]);
        assert_null(kmem_cache_check(&cache));
        damages[i].plant();
        const char *broken = kmem_cache_check(&cache);
        if (!broken || !strstr(broken, damages[i].named))
            fail_msg("%s: \"%s\" expected, got: %s", damages[i].name, damages[i].named, broken);
        list_del(&cache.link);
    }
    print_message("%zu of %zu kinds of damage named\n", ARRAY_SIZE(damages), ARRAY_SIZE(damages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(test_every_damage_is_named),
    };

    return cmocka_run_group_tests_name("slab_check", tests, NULL, NULL);
}
