// SPDX-License-Identifier: MIT
/*
 * The event log: rings, filter, numbering, and the way to the channel. Owns event_log. A ring is
 * written by its own CPU only, interrupts off, so it needs no lock; who reads it, from wherever, checks
 * afterwards that nothing was overwritten under his eyes. channel_lock lets one CPU send at a time; it
 * is only ever tried, never waited for. Read next: mm/event_wire.h, what goes over the channel.
 */
#include "mm/event.h"
#include "lib/bits.h"
#include "mm/event_wire.h"

struct event_log event_log;

static struct spinlock channel_lock = SPINLOCK_INIT("event channel");
static event_sink channel;
static struct event_wire wire; /* under channel_lock */

/* ---- recording -------------------------------------------------------------------------------- */

static void drain_cpu(struct event_cpu *cpu, u32 id);

/* Half a ring waits: while it is sent, there is still room for what the other interrupts record. */
static inline bool is_pressing(const struct event_cpu *cpu)
{
    return channel && cpu->head - cpu->sent >= cpu->size / 2;
}

/*
 *   1 the next slot, unreadable until the record is complete
 *   2 the record   3 its number makes it readable   4 the channel, when much waits for it
 */
static void record(u32 kind, u64 a, u64 b, u64 c, u64 d)
{
    u32 id = cpu_id();
    struct event_cpu *cpu = &event_log.cpu[id];

    if (!(event_log.mask >> kind & 1) || !cpu->ring)
        return;
    u32 level = (u32)min_u64(cpu->depth, EVENT_DEPTH);
    struct event *event = &cpu->ring[cpu->head & (cpu->size - 1)];
    __atomic_store_n(&event->seq, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    event->ns = port_clock_ns();
    event->operation = level ? cpu->stack[level - 1].operation : 0;
    event->caller = level ? cpu->stack[level - 1].caller : 0;
    event->kind = (u16)kind;
    event->cpu = (u16)id;
    event->design = event_log.design;
    event->depth = (u16)cpu->depth;
    event->a = a;
    event->b = b;
    event->c = c;
    event->d = d;
    u64 seq = __atomic_add_fetch(&event_log.seq, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&event->seq, seq, __ATOMIC_RELEASE);
    __atomic_store_n(&cpu->head, cpu->head + 1, __ATOMIC_RELEASE);
    if (is_pressing(cpu))
        drain_cpu(cpu, id);
}

static bool is_watched(const void *whose)
{
    bool any = false;

    for (unsigned i = 0; i < EVENT_WATCHED; i++) {
        if (whose == event_log.watched[i])
            return true;
        any |= event_log.watched[i] != NULL;
    }
    return !whose || !any;
}

static void begin(struct event_cpu *cpu, vaddr_t caller)
{
    u32 operation = __atomic_add_fetch(&event_log.operations, 1, __ATOMIC_RELAXED);

    if (cpu->depth < EVENT_DEPTH) {
        cpu->stack[cpu->depth].operation = operation;
        cpu->stack[cpu->depth].caller = (u32)caller & 0x7fffffffU; /* as struct page packs it */
    }
    cpu->depth++;
}

/* The log may have been started in the middle of a call: such an END has no BEGIN. */
void event_record(const void *whose, enum event_kind kind, u64 a, u64 b, u64 c, u64 d)
{
    u64 flags = irq_save();
    struct event_cpu *cpu = &event_log.cpu[cpu_id()];

    if (kind == EVENT_BEGIN)
        begin(cpu, d);
    if (is_watched(whose) && (kind != EVENT_END || cpu->depth))
        record(kind, a, b, c, kind == EVENT_BEGIN ? 0 : d);
    if (kind == EVENT_END && cpu->depth)
        cpu->depth--;
    irq_restore(flags);
}

/* ---- control ---------------------------------------------------------------------------------- */

void event_ring_set(u32 cpu, struct event *ring, u64 size)
{
    ASSERT(!event_log.on, "the ring of CPU %u is in use", cpu);
    ASSERT(!ring || is_power_of_two(size), "%lu records are no power of two", size);
    event_log.cpu[cpu] = (struct event_cpu){.ring = ring, .size = size};
}

void event_watch(const void *const *instances, unsigned count)
{
    ASSERT(count <= EVENT_WATCHED, "%u instances, %u at most", count, EVENT_WATCHED);
    for (unsigned i = 0; i < EVENT_WATCHED; i++)
        event_log.watched[i] = i < count ? instances[i] : NULL;
}

void event_start(u64 mask, u16 design)
{
    event_log.mask = mask;
    event_log.design = design;
    if (event_log.on)
        return;
    for (u32 id = 0; id < MAX_CPUS; id++)
        event_log.cpu[id].depth = 0;
    event_log.on = true;
    port_event_sites(true);
}

void event_stop(void)
{
    port_event_sites(false);
    event_log.on = false;
}

void event_clear(void)
{
    for (u32 id = 0; id < MAX_CPUS; id++)
        event_ring_set(id, event_log.cpu[id].ring, event_log.cpu[id].size);
    event_log.seq = 0;
    event_log.operations = 0;
}

bool event_read(u32 id, u64 index, struct event *out)
{
    const struct event_cpu *cpu = &event_log.cpu[id];
    u64 head = __atomic_load_n(&cpu->head, __ATOMIC_ACQUIRE);

    if (!cpu->ring || index >= head || head - index > cpu->size)
        return false;
    const struct event *event = &cpu->ring[index & (cpu->size - 1)];
    u64 before = __atomic_load_n(&event->seq, __ATOMIC_ACQUIRE);
    *out = *event;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    u64 after = __atomic_load_n(&event->seq, __ATOMIC_RELAXED);
    return before && before == after &&
           __atomic_load_n(&cpu->head, __ATOMIC_RELAXED) - index <= cpu->size;
}

/* ---- channel ---------------------------------------------------------------------------------- */

void event_sink_register(event_sink write)
{
    u64 flags = spin_lock_irqsave(&channel_lock);

    wire = (struct event_wire){.next = 0};
    channel = write;
    spin_unlock_irqrestore(&channel_lock, flags);
}

bool event_has_sink(void)
{
    return channel != NULL;
}

/* A channel that does not take what it is given is given up: waiting again for every record would make
 * the machine crawl. */
static bool send(void)
{
    u64 count = event_wire_end(&wire);

    if (count && !channel(wire.block, count))
        channel = NULL;
    return channel != NULL;
}

/* Everything of one CPU that is not sent yet. Under channel_lock. */
static void send_cpu(struct event_cpu *cpu, u32 id)
{
    struct event event;
    u64 head = __atomic_load_n(&cpu->head, __ATOMIC_ACQUIRE);

    if (head - cpu->sent > cpu->size) {
        u64 lost = head - cpu->size - cpu->sent;
        cpu->lost += lost;
        cpu->sent += lost;
        event_wire_lost(&wire, id, lost);
        if (!send())
            return;
    }
    event_wire_begin(&wire);
    for (; cpu->sent < head; cpu->sent++) {
        if (!event_read(id, cpu->sent, &event)) {
            cpu->lost++;
            continue;
        }
        if (event_wire_add(&wire, &event))
            continue;
        if (!send())
            return;
        event_wire_begin(&wire);
        event_wire_add(&wire, &event);
    }
    send();
}

/* What the reader of the file needs to know first, once. */
static bool send_table(void)
{
    if (wire.table_sent)
        return true;
    for (unsigned kind = 1; kind < EVENT_KIND_COUNT && channel;) {
        kind = event_wire_table(&wire, kind);
        send();
    }
    wire.table_sent = true;
    return channel != NULL;
}

static void drain_cpu(struct event_cpu *cpu, u32 id)
{
    if (!spin_trylock(&channel_lock))
        return;
    if (channel && send_table())
        send_cpu(cpu, id);
    spin_unlock(&channel_lock);
}

bool event_drain(void)
{
    u64 flags = irq_save();
    bool mine = channel && spin_trylock(&channel_lock);

    if (mine) {
        bool well = send_table();
        for (u32 id = 0; id < MAX_CPUS && well; id++) {
            if (event_log.cpu[id].ring)
                send_cpu(&event_log.cpu[id], id);
            well = channel != NULL;
        }
        mine = well;
        spin_unlock(&channel_lock);
    }
    irq_restore(flags);
    return mine;
}
