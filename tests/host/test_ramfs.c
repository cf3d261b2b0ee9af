// SPDX-License-Identifier: MIT
/*
 * The ramfs and the walk over paths: what each call says about each kind of path, content with its limits, and 60,000
 * random operations against a model that knows the tree as a table of full paths.
 */
#include "tests/host/harness.h"

#include "lib/errno.h"
#include "lib/failpoint.h"
#include "lib/format.h"
#include "lib/rng.h"
#include "mm/pagestore.h"
#include "proc/path.h"
#include "tests/host/files_world.h"

/* ---- the calls, by path, as the system calls make them ------------------------------------------ */

static int make(const char *path, u32 mode)
{
    struct path_end end;
    struct inode *inode;
    int err = path_resolve(ramfs_root(), path, 0, &end);

    if (err)
        return err;
    err = end.inode ? -EEXIST : ramfs_writable(end.dir);
    inode = err ? NULL : ramfs_make(mode, 0, &err);
    if (inode)
        err = ramfs_link(end.dir, end.name, end.length, inode);
    inode_put(inode);
    path_release(&end);
    return err;
}

static int make_symlink(const char *target, const char *path)
{
    struct path_end end;
    int err = path_resolve(ramfs_root(), path, 0, &end);

    if (err)
        return err;
    struct inode *link = end.inode ? NULL : ramfs_make_symlink(target, strlen(target), &err);
    err = end.inode ? -EEXIST : err;
    if (link)
        err = ramfs_link(end.dir, end.name, end.length, link);
    inode_put(link);
    path_release(&end);
    return err;
}

static int take_away(const char *path, bool directory)
{
    struct path_end end;
    int err = path_resolve(ramfs_root(), path, 0, &end);

    if (err)
        return err;
    err = directory ? ramfs_rmdir(end.dir, end.name, end.length)
                    : ramfs_unlink(end.dir, end.name, end.length);
    path_release(&end);
    return err;
}

static int rename_path(const char *from, const char *to, u32 flags)
{
    struct path_end a, b;
    int err = path_resolve(ramfs_root(), from, 0, &a);

    if (err)
        return err;
    err = path_resolve(ramfs_root(), to, 0, &b);
    if (!err) {
        err = ramfs_rename(a.dir, a.name, a.length, b.dir, b.name, b.length, flags);
        path_release(&b);
    }
    path_release(&a);
    return err;
}

static int link_path(const char *from, const char *to)
{
    struct path_end end;
    int err;
    struct inode *inode = path_walk(ramfs_root(), from, 0, &err);

    if (!inode)
        return err;
    err = path_resolve(ramfs_root(), to, 0, &end);
    if (!err) {
        err = end.inode ? -EEXIST : ramfs_link(end.dir, end.name, end.length, inode);
        path_release(&end);
    }
    inode_put(inode);
    return err;
}

/* The number of what the path names, or -errno. */
static s64 walk(const char *path, u32 flags)
{
    int err;
    struct inode *inode = path_walk(ramfs_root(), path, flags, &err);
    s64 number = inode ? (s64)inode->number : err;

    inode_put(inode);
    return number;
}

/* ---- paths ---------------------------------------------------------------------------------------- */

static void make_tree(void)
{
    files_world_open();
    assert_int_equal(make("/d", S_IFDIR | 0755), 0);
    assert_int_equal(make("/d/e", S_IFDIR | 0755), 0);
    assert_int_equal(make("/d/f", S_IFREG | 0644), 0);
    assert_int_equal(make_symlink("d", "/ld"), 0);
    assert_int_equal(make_symlink("/d/f", "/d/e/lf"), 0);
    assert_int_equal(make_symlink("nowhere", "/dangling"), 0);
    assert_int_equal(make_symlink("loop", "/loop"), 0);
    assert_int_equal(make_symlink("/", "/lroot"), 0);
}

static void what_paths_name(void **state)
{
    (void)state;
    make_tree();
    s64 root = walk("/", 0), d = walk("/d", 0), f = walk("/d/f", 0);
    assert_int_equal(walk("d", 0), d);
    assert_int_equal(walk("//d///", 0), d);
    assert_int_equal(walk("/d/.", 0), d);
    assert_int_equal(walk("/d/e/..", 0), d);
    assert_int_equal(walk("/..", 0), root);
    assert_int_equal(walk("../../d/../d/f", 0), f);
    assert_int_equal(walk("/ld", PATH_FOLLOW), d);
    assert_int_equal(walk("/ld/", 0), d);
    assert_int_equal(walk("/ld/f", 0), f);
    assert_int_equal(walk("/d/e/lf", PATH_FOLLOW), f);
    assert_int_equal(walk("/lroot", PATH_FOLLOW), root);
    assert_int_equal(walk("/lroot/d/f", 0), f);
    assert_true(walk("/ld", 0) > 0 && walk("/ld", 0) != d);
    assert_true(walk("/loop", 0) > 0);
    files_world_close();
}

static void what_paths_do_not_name(void **state)
{
    static char long_name[FILE_NAME_MAX + 2], long_path[PATH_LIMIT + 1];

    (void)state;
    make_tree();
    memset(long_name, 'n', FILE_NAME_MAX + 1);
    memset(long_path, '/', PATH_LIMIT);
    assert_int_equal(walk("", 0), -ENOENT);
    assert_int_equal(walk("/none", 0), -ENOENT);
    assert_int_equal(walk("/none/x", 0), -ENOENT);
    assert_int_equal(walk("/d/f/x", 0), -ENOTDIR);
    assert_int_equal(walk("/d/f/", 0), -ENOTDIR);
    assert_int_equal(walk("/d/f/.", 0), -ENOTDIR);
    assert_int_equal(walk("/d/f/..", 0), -ENOTDIR);
    assert_int_equal(walk("/dangling", PATH_FOLLOW), -ENOENT);
    assert_int_equal(walk("/dangling/x", 0), -ENOENT);
    assert_int_equal(walk("/loop", PATH_FOLLOW), -ELOOP);
    assert_int_equal(walk("/loop/x", 0), -ELOOP);
    assert_int_equal(walk(long_name, 0), -ENAMETOOLONG);
    assert_int_equal(walk(long_path, 0), -ENAMETOOLONG);
    long_name[FILE_NAME_MAX] = long_path[PATH_LIMIT - 1] = '\0';
    assert_int_equal(walk(long_name, 0), -ENOENT);
    assert_true(walk(long_path, 0) > 0);
    files_world_close();
}

/* Forty links are followed, the forty-first is one too many. */
static void chains_of_links(void **state)
{
    char name[16], target[16];

    (void)state;
    files_world_open();
    assert_int_equal(make("/end", S_IFREG), 0);
    assert_int_equal(make_symlink("end", "/l0"), 0);
    for (unsigned i = 1; i <= PATH_MAX_LINKS; i++) {
        format_to(name, sizeof(name), "/l%u", i);
        format_to(target, sizeof(target), "l%u", i - 1);
        assert_int_equal(make_symlink(target, name), 0);
    }
    format_to(name, sizeof(name), "/l%u", PATH_MAX_LINKS - 1);
    assert_int_equal(walk(name, PATH_FOLLOW), walk("/end", 0));
    format_to(name, sizeof(name), "/l%u", PATH_MAX_LINKS);
    assert_int_equal(walk(name, PATH_FOLLOW), -ELOOP);
    files_world_close();
}

static void paths_of_inodes(void **state)
{
    static const char *const paths[] = {"/", "/d", "/d/e", "/d/f"};
    char text[64];
    int err;

    (void)state;
    make_tree();
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct inode *inode = path_walk(ramfs_root(), paths[i], 0, &err);
        inode_path(inode, text, sizeof(text));
        assert_string_equal(text, paths[i]);
        inode_put(inode);
    }
    struct inode *f = path_walk(ramfs_root(), "/d/f", 0, &err);
    assert_int_equal(take_away("/d/f", false), 0);
    inode_path(f, text, sizeof(text));
    assert_string_equal(text, "(deleted)");
    inode_put(f);
    files_world_close();
}

static void names_are_taken_away(void **state)
{
    (void)state;
    make_tree();
    assert_int_equal(take_away("/d", false), -EISDIR);
    assert_int_equal(take_away("/d/f", true), -ENOTDIR);
    assert_int_equal(take_away("/d", true), -ENOTEMPTY);
    assert_int_equal(take_away("/none", true), -ENOENT);
    assert_int_equal(take_away("/ld", true), -ENOTDIR);
    assert_int_equal(take_away("/d/e/lf", false), 0);
    assert_int_equal(take_away("/d/e", true), 0);
    assert_int_equal(take_away("/d/f", false), 0);
    assert_int_equal(take_away("/d", true), 0);
    files_world_close();
}

/* A directory that somebody stands in goes, and nothing can be made in it any more. */
static void a_removed_directory_is_closed(void **state)
{
    int err;

    (void)state;
    make_tree();
    struct inode *e = path_walk(ramfs_root(), "/d/e", 0, &err);
    assert_int_equal(take_away("/d/e/lf", false), 0);
    assert_int_equal(take_away("/d/e", true), 0);
    assert_int_equal(ramfs_writable(e), -ENOENT);
    struct inode *lost = ramfs_make(S_IFREG, 0, &err);
    assert_int_equal(ramfs_link(e, "x", 1, lost), -ENOENT);
    inode_put(lost);
    assert_null(path_walk(e, "x", 0, &err));
    assert_int_equal(err, -ENOENT);
    inode_put(e);
    files_world_close();
}

static void renames(void **state)
{
    (void)state;
    make_tree();
    s64 f = walk("/d/f", 0), d = walk("/d", 0);
    assert_int_equal(rename_path("/d", "/d/e/d", 0), -EINVAL);
    assert_int_equal(rename_path("/d", "/d", 0), 0);
    assert_int_equal(rename_path("/none", "/x", 0), -ENOENT);
    assert_int_equal(rename_path("/d/f", "/d/e", 0), -EISDIR);
    assert_int_equal(rename_path("/d/e", "/d/f", 0), -ENOTDIR);
    assert_int_equal(rename_path("/tmp", "/d", 0), -ENOTEMPTY);
    assert_int_equal(rename_path("/d/f", "/ld", RENAME_NOREPLACE), -EEXIST);
    assert_int_equal(rename_path("/d/f", "/ld", 0), 0);
    assert_int_equal(walk("/ld", 0), f);
    assert_int_equal(walk("/d/f", 0), -ENOENT);
    assert_int_equal(rename_path("/d", "/tmp", 0), 0);
    assert_int_equal(walk("/tmp", 0), d);
    assert_int_equal(link_path("/ld", "/twin"), 0);
    assert_int_equal(rename_path("/ld", "/twin", 0), 0); /* the same file: both stay */
    assert_int_equal(walk("/ld", 0), walk("/twin", 0));
    files_world_close();
}

/* ---- content -------------------------------------------------------------------------------------- */

static s64 write_at(struct inode *inode, u64 offset, const void *from, u64 size, bool user)
{
    struct io io = {.base = (vaddr_t)from, .size = size, .user = user};
    return ramfs_write(inode, offset, &io);
}

static s64 read_at(struct inode *inode, u64 offset, void *to, u64 size, bool user)
{
    struct io io = {.base = (vaddr_t)to, .size = size, .user = user};
    return ramfs_read(inode, offset, &io);
}

static void content_and_its_limits(void **state)
{
    static u8 bytes[(FILES_PAGE_LIMIT + 2) * PAGE_SIZE], back[sizeof(bytes)];
    int err;

    (void)state;
    make_tree();
    struct inode *f = path_walk(ramfs_root(), "/d/f", 0, &err);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (u8)(i * 7 + i / PAGE_SIZE);
    assert_int_equal(write_at(f, 5, bytes, 3 * PAGE_SIZE, false), 3 * PAGE_SIZE);
    assert_int_equal(pagestore_size(inode_store(f)), 3 * PAGE_SIZE + 5);
    assert_int_equal(read_at(f, 0, back, sizeof(back), false), 3 * PAGE_SIZE + 5);
    assert_memory_equal(back, "\0\0\0\0\0", 5);
    assert_memory_equal(back + 5, bytes, 3 * PAGE_SIZE);
    assert_int_equal(read_at(f, 3 * PAGE_SIZE + 5, back, 9, false), 0);
    assert_int_equal(read_at(f, 1UL << 62, back, 9, false), 0);
    assert_int_equal(write_at(f, 1UL << 63, bytes, 1, false), -EFBIG);
    assert_int_equal(ramfs_resize(f, 1UL << 63), -EFBIG);

    /* Up to the limit, and not a page more; a hole costs nothing. */
    assert_int_equal(ramfs_resize(f, 0), 0);
    assert_int_equal(ramfs_usage().pages, 0);
    assert_int_equal(write_at(f, 1UL << 40, bytes, PAGE_SIZE, false), PAGE_SIZE);
    assert_int_equal(ramfs_usage().pages, 1);
    assert_int_equal(write_at(f, 0, bytes, sizeof(bytes), false),
                     (FILES_PAGE_LIMIT - 1) * PAGE_SIZE);
    assert_int_equal(write_at(f, 1UL << 30, bytes, 1, false), -ENOSPC);
    assert_int_equal(write_at(f, 0, bytes, 10, false), 10); /* there already */
    assert_int_equal(take_away("/d/f", false), 0);
    assert_int_equal(ramfs_usage().pages, FILES_PAGE_LIMIT); /* still open */
    inode_put(f);
    assert_int_equal(ramfs_usage().pages, 0);
    files_world_close();
}

/* A buffer that ends at an unmapped page: what could be moved was moved, and counts. */
static void bad_user_memory(void **state)
{
    static u8 bytes[2 * PAGE_SIZE];
    int err;

    (void)state;
    make_tree();
    struct inode *f = path_walk(ramfs_root(), "/d/f", 0, &err);
    files_world_user_border((vaddr_t)bytes + 100);
    assert_int_equal(write_at(f, 0, bytes, sizeof(bytes), true), 100);
    assert_int_equal(pagestore_size(inode_store(f)), 100);
    assert_int_equal(write_at(f, 0, bytes + 100, 8, true), -EFAULT);
    assert_int_equal(read_at(f, 0, bytes + 90, 50, true), 10);
    assert_int_equal(read_at(f, 0, bytes + 100, 50, true), -EFAULT);
    assert_int_equal(pagestore_size(inode_store(f)), 100);
    inode_put(f);
    files_world_close();
}

static void inodes_are_limited(void **state)
{
    char name[16];
    int err = 0;

    (void)state;
    files_world_open();
    for (unsigned i = 0; err == 0; i++) {
        format_to(name, sizeof(name), "/n%u", i);
        err = make(name, S_IFREG);
    }
    assert_int_equal(err, -ENOSPC);
    assert_int_equal(ramfs_usage().inodes, FILES_INODE_LIMIT);
    assert_int_equal(link_path("/n0", "/twin"), -ENOSPC); /* a name is not for nothing */
    assert_int_equal(rename_path("/n0", "/other", 0), 0); /* but one for another is */
    files_world_close();
}

/* Long targets of links are content, too. */
static void targets_are_limited(void **state)
{
    static char target[PATH_LIMIT];
    char name[16];
    int err = 0;
    unsigned made = 0;

    (void)state;
    files_world_open();
    memset(target, 't', sizeof(target) - 1);
    for (; err == 0; made++) {
        format_to(name, sizeof(name), "/l%u", made);
        err = make_symlink(target, name);
    }
    assert_int_equal(err, -ENOSPC);
    assert_int_equal(made - 1, FILES_PAGE_LIMIT);
    files_world_close();
}

/* As deep as there are inodes: taking it away needs no stack. */
static void deep_trees(void **state)
{
    char text[64];
    int err = 0;

    (void)state;
    files_world_open();
    struct inode *dir = ramfs_root();
    for (unsigned depth = 0; err == 0; depth++) {
        struct inode *below = ramfs_make(S_IFDIR | 0700, 0, &err);
        err = below ? ramfs_link(dir, "d", 1, below) : err;
        inode_put(below);
        dir = below ? below : dir;
    }
    inode_path(dir, text, sizeof(text));
    assert_string_equal(text, "(too long)");
    files_world_close();
}

/* Every allocation of every call fails once: -ENOMEM, and the tree is what it was. */
static void out_of_memory(void **state)
{
    (void)state;
    for (unsigned call = 0; call < 4; call++) {
        int err = -ENOMEM;
        for (u64 k = 1; err; k++) {
            make_tree();
            struct ramfs_usage before = ramfs_usage();
            fail_arm(FAIL_SLAB, k, false);
            err = call == 0   ? make("/new", S_IFREG)
                  : call == 1 ? make_symlink("target", "/new")
                  : call == 2 ? rename_path("/d/f", "/new", 0)
                              : link_path("/d/f", "/new");
            bool failed = fail_count(FAIL_SLAB) > 0;
            fail_disarm(FAIL_SLAB);
            assert_int_equal(err, failed ? -ENOMEM : 0);
            assert_int_equal(walk("/new", 0) > 0, !failed);
            if (failed) {
                assert_int_equal(ramfs_usage().inodes, before.inodes);
                assert_true(walk("/d/f", 0) > 0);
            }
            files_world_close();
        }
    }
}

/* ---- the model: a table of full paths --------------------------------------------------------------- */

#define NODES 600u

struct node {
    char path[40];
    s64 number; /* of the inode; several paths may have one */
    bool directory;
};

static struct node nodes[NODES];
static u32 node_count;

static struct node *model_find(const char *path)
{
    for (u32 i = 0; i < node_count; i++)
        if (strcmp(nodes[i].path, path) == 0)
            return &nodes[i];
    return NULL;
}

static bool is_under(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static bool model_has_children(const char *path)
{
    for (u32 i = 0; i < node_count; i++)
        if (is_under(nodes[i].path, path))
            return true;
    return false;
}

/* What every call finds out first about the way to a path. 0, -ENOENT, -ENOTDIR. */
static int model_way(const char *path)
{
    char prefix[40];

    for (size_t i = 1; path[i]; i++) {
        if (path[i] != '/')
            continue;
        memcpy(prefix, path, i);
        prefix[i] = '\0';
        const struct node *node = model_find(prefix);
        if (!node)
            return -ENOENT;
        if (!node->directory)
            return -ENOTDIR;
    }
    return 0;
}

static int model_add(const char *path, bool directory, s64 number)
{
    int err = model_way(path);

    if (err)
        return err;
    if (model_find(path))
        return -EEXIST;
    assert_true(node_count < NODES);
    struct node *node = &nodes[node_count++];
    strcpy(node->path, path);
    node->directory = directory;
    node->number = number;
    return 0;
}

static void model_drop(struct node *node)
{
    *node = nodes[--node_count];
}

static int model_remove(const char *path, bool directory)
{
    int err = model_way(path);
    struct node *node = model_find(path);

    if (err || !node)
        return err ? err : -ENOENT;
    if (directory != node->directory)
        return directory ? -ENOTDIR : -EISDIR;
    if (directory && model_has_children(path))
        return -ENOTEMPTY;
    model_drop(node);
    return 0;
}

static int model_rename_error(const struct node *from, const struct node *to, const char *path)
{
    if (from->directory && is_under(path, from->path))
        return -EINVAL;
    if (!to)
        return 0;
    if (from->directory != to->directory)
        return from->directory ? -ENOTDIR : -EISDIR;
    return to->directory && model_has_children(to->path) ? -ENOTEMPTY : 0;
}

static int model_rename(const char *from_path, const char *to_path)
{
    char rest[40];
    int err = model_way(from_path);

    err = err ? err : model_way(to_path);
    struct node *from = model_find(from_path), *to = model_find(to_path);
    if (err || !from)
        return err ? err : -ENOENT;
    if (to && to->number == from->number)
        return 0;
    err = model_rename_error(from, to, to_path);
    if (err)
        return err;
    if (to)
        model_drop(to);
    for (u32 i = 0; i < node_count; i++) {
        bool same = strcmp(nodes[i].path, from_path) == 0;
        if (!same && !is_under(nodes[i].path, from_path))
            continue;
        strcpy(rest, nodes[i].path + strlen(from_path));
        strcpy(nodes[i].path, to_path);
        strcat(nodes[i].path, rest);
    }
    return 0;
}

static void random_path(struct rng *rng, char *out)
{
    static const char *const names[] = {"/a", "/b", "/c", "/dd"};

    *out = '\0';
    for (u64 depth = 1 + rng_below(rng, 4); depth > 0; depth--)
        strcat(out, names[rng_below(rng, ARRAY_SIZE(names))]);
}

/* Moved trees may grow deeper than the model's paths are long: not further than this. */
static bool too_deep(const char *from, const char *to)
{
    size_t deepest = 0;

    for (u32 i = 0; i < node_count; i++)
        if (is_under(nodes[i].path, from) && strlen(nodes[i].path) > deepest)
            deepest = strlen(nodes[i].path);
    return deepest + strlen(to) > 30;
}

static void random_step(struct rng *rng)
{
    char a[40], b[40];
    bool directory = rng_below(rng, 2);
    int got, want;

    random_path(rng, a);
    random_path(rng, b);
    switch (rng_below(rng, 4)) {
    case 0:
        if (ramfs_usage().inodes == FILES_INODE_LIMIT)
            return;
        got = make(a, directory ? S_IFDIR : S_IFREG);
        want = model_add(a, directory, walk(a, 0));
        break;
    case 1:
        got = take_away(a, directory);
        want = model_remove(a, directory);
        break;
    case 2:
        if (too_deep(a, b))
            return;
        got = rename_path(a, b, 0);
        want = model_rename(a, b);
        break;
    default:
        if ((model_find(a) && model_find(a)->directory) ||
            ramfs_usage().inodes == FILES_INODE_LIMIT)
            return;
        got = link_path(a, b);
        want = model_way(a);
        want = want ? want : model_find(a) ? model_add(b, false, model_find(a)->number) : -ENOENT;
    }
    if (got != want)
        fail_msg("%s %s: %d instead of %d", a, b, got, want);
}

static void random_life(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 99);
    files_world_open();
    node_count = 0;
    for (unsigned step = 0; step < 60000; step++) {
        random_step(&rng);
        if (step % 50)
            continue;
        const char *broken = ramfs_check();
        if (broken)
            fail_msg("step %u: %s", step, broken);
        for (u32 i = 0; i < node_count; i++)
            assert_int_equal(walk(nodes[i].path, 0), nodes[i].number);
    }
    files_world_close();
}

/* ---- listings --------------------------------------------------------------------------------------- */

struct listing {
    struct dir_sink sink;
    u64 position;
    u32 taken, room;
    char names[64];
};

static bool take(struct dir_sink *sink, const char *name, u32 length, u64 number, u32 mode,
                 u64 next)
{
    struct listing *l = container_of(sink, struct listing, sink);

    if (l->taken == l->room)
        return false;
    assert_true(number > 0 && mode);
    l->taken++;
    l->position = next;
    strncat(l->names, name, length);
    return true;
}

/* Piece by piece, while names come and go: each that is there all the time comes once. */
static void listings_survive_changes(void **state)
{
    struct listing l = {.sink = {take}, .position = 2};
    int err;

    (void)state;
    make_tree();
    for (const char *name = "pqrstu"; *name; name++) {
        char path[] = {'/', 'd', '/', *name, '\0'};
        assert_int_equal(make(path, S_IFREG), 0);
    }
    struct inode *d = path_walk(ramfs_root(), "/d", 0, &err);
    for (unsigned round = 0; round < 9; round++) {
        l.taken = 0;
        l.room = 1;
        d->ops->iterate(d, l.position, &l.sink);
        if (round == 2)
            assert_int_equal(take_away("/d/p", false), 0);
        if (round == 3)
            assert_int_equal(take_away("/d/r", false), 0);
        if (round == 4)
            assert_int_equal(make("/d/z", S_IFREG), 0);
    }
    assert_string_equal(l.names, "efpqstuz");
    inode_put(d);
    files_world_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        host_test(what_paths_name),
        host_test(what_paths_do_not_name),
        host_test(chains_of_links),
        host_test(paths_of_inodes),
        host_test(names_are_taken_away),
        host_test(a_removed_directory_is_closed),
        host_test(renames),
        host_test(content_and_its_limits),
        host_test(bad_user_memory),
        host_test(inodes_are_limited),
        host_test(targets_are_limited),
        host_test(deep_trees),
        host_test(out_of_memory),
        host_test(random_life),
        host_test(listings_survive_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
