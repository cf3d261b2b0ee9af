# SPDX-License-Identifier: MIT
# The same lib/ and mm/ sources as a host program: tests/host/test_*.c, one cmocka program each, under
# ASan and UBSan. Included by the Makefile. `make host-tests` builds, `make host-check` runs them,
# `make host-test-list` prints the programs, one a line.

HOST_CC       ?= $(if $(LLVM),clang,gcc)
HOST_SANITIZE ?= -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_CFLAGS   := -std=gnu11 -g -O1 -I. -DVITRINE_HOST -DEVENTS=1 -fno-omit-frame-pointer -fno-common \
    -fno-strict-aliasing -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
    -Wold-style-definition -Wvla -Wpointer-arith -Wundef -Wno-unused-parameter \
    -Wno-format-truncation -Wno-maybe-uninitialized -Wno-unknown-warning-option \
    $(if $(filter 1,$(WERROR)),-Werror) $(HOST_SANITIZE)

# Of proc/ the half that knows no machine: files, names, archives, the line discipline.
PROC_PURE  := $(addprefix proc/,cpio.c elf.c elf_symbol.c file.c inode.c io.c ldisc.c path.c ramfs.c ramfs_check.c ramfs_file.c ramfs_names.c unpack.c)

# What needs the machine stays out; the rest is an archive, from which each test takes what it uses.
HOST_SRC   := $(filter-out mm/port.c mm/fault.c mm/usercopy.c mm/start% tests/host/test_% tests/host/fuzz_%,\
                $(wildcard lib/*.c mm/*.c mm/vmap/*.c tests/host/*.c)) $(PROC_PURE)
HOST_OBJ   := $(HOST_SRC:%.c=$(O)/host/obj/%.o)
HOST_TESTS := $(patsubst tests/host/%.c,$(O)/host/%,$(sort $(wildcard tests/host/test_*.c)))

host-tests: $(HOST_TESTS)
host-test-list:
	@printf '%s\n' $(HOST_TESTS)
host-check: $(HOST_TESTS)
	$(Q)status=0; for t in $(HOST_TESTS); do $$t || status=1; done; exit $$status

$(O)/host/obj/%.o: %.c $(O)/host/flags
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D) && $(HOST_CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/host/libvitrine.a: $(HOST_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(HOST_TESTS): $(O)/host/%: $(O)/host/obj/tests/host/%.o $(O)/host/libvitrine.a
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_CC) $(HOST_SANITIZE) -o $@ $^ -lcmocka

# Fuzzers: tests/host/fuzz_NAME.c with the sources in FUZZ_NAME, by libFuzzer, where clang is. `make fuzz-NAME` runs one
# for FUZZ_SECONDS; the tests give each a bounded run with a fixed seed.
FUZZ_SECONDS ?= 600
FUZZ_cpio := proc/cpio.c proc/unpack.c proc/ramfs.c proc/ramfs_check.c proc/ramfs_file.c proc/ramfs_names.c proc/inode.c proc/io.c \
    proc/file.c lib/errno.c lib/format.c lib/string.c
FUZZ_elf  := proc/elf.c proc/elf_symbol.c
FUZZERS   := $(if $(shell command -v clang),$(patsubst tests/host/%.c,$(O)/host/%,$(wildcard tests/host/fuzz_*.c)))

host-tests: $(FUZZERS)
$(FUZZERS): $(O)/host/fuzz_%: tests/host/fuzz_%.c $(wildcard lib/*.[ch] mm/*.h proc/*.[ch])
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D) && clang $(filter-out $(HOST_SANITIZE),$(HOST_CFLAGS)) -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -o $@ $< $(wildcard tests/host/fuzz_$*_*.c) $(FUZZ_$*)
fuzz-%: $(O)/host/fuzz_%
	$(Q)mkdir -p $(O)/host/corpus_$* && $< -max_total_time=$(FUZZ_SECONDS) $(O)/host/corpus_$*

# Rewritten only when the compiler or its options change.
$(O)/host/flags: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(HOST_CC) $(HOST_CFLAGS)' | cmp -s - $@ || echo '$(HOST_CC) $(HOST_CFLAGS)' > $@

-include $(HOST_OBJ:.o=.d) $(HOST_TESTS:$(O)/host/%=$(O)/host/obj/tests/host/%.d)
.PHONY: host-tests host-test-list host-check
