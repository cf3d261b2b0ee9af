# SPDX-License-Identifier: MIT
# Vitrine. `make help` lists the targets; `make V=1` shows the commands; everything lands in $(O)/.

O       ?= build#  output directory
FLAVOUR ?= og#     which kernel run, fast, gdb and test use: og (debug) or o2 (optimised)
CROSS   ?=#        x86_64-linux-gnu- where the host is not x86-64
MEM     ?= 128M
SMP     ?= 1
CPU     ?= max
EVENTS  ?= 1#      0 compiles the sites of the event log out
TRACE   ?=#        TRACE=file: the event log into that file, for tools/trace
APPEND  ?=#        kernel command line, e.g. APPEND='vmap.check=2 selftest'
BOOT    ?= iso#    make gdb: iso, uefi, disk, fast
#                  ROOTFS=file: another cpio archive for ring 3; ROOTFS= for none
WINDOW  ?=#        WINDOW=1 opens QEMU's window next to the serial console
QEMUFLAGS ?=#      more options for QEMU
OP      ?=#        make gdb: a shell command whose allocator operation to stop at, e.g. OP='vmalloc 3p'
SCRIPT  ?=#        make gdb-reverse: a file of shell commands to record
TUI     ?=#        make gdb: TUI=1 opens GDB's windows
GDBFLAGS  ?=#      more options for GDB, e.g. GDBFLAGS='-batch -x script.gdb'
PYTESTFLAGS ?=#    more options for pytest, e.g. PYTESTFLAGS='-k uefi'
BENCHFLAGS ?=#     more options for bench/run, e.g. BENCHFLAGS='--design freetree'
LINUXFLAGS ?=#     more options for bench/linux/run, e.g. LINUXFLAGS='--series 6.1'
WORKLOAD ?= fix_size#  make profile: a name from the shell's `bench list`
PROFILEFLAGS ?=#   more options for bench/profile, e.g. PROFILEFLAGS='--list vfree'

ifneq ($(LLVM),)
CC := clang
else ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
LD      := $(CROSS)ld
NM      := $(CROSS)nm
OBJDUMP := $(CROSS)objdump
PYTHON  := $(firstword $(wildcard /usr/bin/python3) python3)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')
stamp    = $(Q)mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
export CROSS
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---- what the kernel is made of ------------------------------------------------------------------
DIRS   := boot kernel lib mm mm/vmap mm/commands drivers proc bench tests/kernel
C_SRC  := $(foreach d,$(DIRS),$(sort $(wildcard $d/*.c)))
ASM_SRC := $(foreach d,$(DIRS),$(sort $(wildcard $d/*.asm)))
OBJ    := $(C_SRC:.c=.o) $(ASM_SRC:.asm=.asm.o)
FUSED  := $(filter mm/%.c lib/rbtree.c kernel/time.c,$(filter-out mm/commands/% mm/event% mm/slab_cache.c,$(C_SRC)))#  as one program, in o2
FONT   := $(firstword $(foreach d,/usr/share/consolefonts /usr/share/kbd/consolefonts,\
            $(wildcard $d/FullGreek-Terminus16.psf.gz)) FullGreek-Terminus16.psf.gz)

CFLAGS := -std=gnu11 -g -I. -ffile-prefix-map=$(CURDIR)=. \
    -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none \
    -fno-optimize-sibling-calls -fno-strict-aliasing -fno-common \
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
    -Wpointer-arith -Wundef -DEVENTS=$(EVENTS) $(if $(filter 1,$(WERROR)),-Werror)
ifneq ($(findstring clang,$(CC)),)
CFLAGS += --target=x86_64-elf
endif
OPT_og := -Og
OPT_o2 := -O2
ifeq ($(findstring clang,$(CC)),)
FUSED_o2 := $(FUSED:.c=.o)
FUSE    := -flto -DFUSED --param max-early-inliner-iterations=4
endif
ASFLAGS := -f elf64 -g -F dwarf -I./ -I$(O)/ -w+all
LDFLAGS := -nostdlib -static -z max-page-size=0x1000 -z noexecstack -T linker.ld

LINKED   = $(addprefix $(O)/$(1)/,$(filter-out $(FUSED_$(1)),$(OBJ)) $(if $(FUSED_$(1)),fused.o))

KERNELS := $(O)/og/kernel.elf $(O)/o2/kernel.elf
KERNEL  := $(O)/$(FLAVOUR)/kernel.elf

##@ Building
all: $(KERNELS) $(O)/rootfs.cpio $(KERNELS:.elf=.asm) $(KERNELS:.elf=.sym) $(O)/compile_commands.json ## build everything (the default)

# One set of rules per flavour. The kernel is linked twice: the first link tells every address, from
# which tools/mksyms makes the symbol table that the second link adds behind everything else.
define flavour_rules
$(O)/$(1)/%.o: %.c $(O)/$(1)/flags
	$$(call say,CC,$$< [$(1)])
	$(Q)mkdir -p $$(@D) && $(CC) $(CFLAGS) $(OPT_$(1)) $$(FUSE_$(1)) -MMD -MP -c -o $$@ $$<
$(addprefix $(O)/$(1)/,$(FUSED_$(1))): FUSE_$(1) := $(FUSE)
$(O)/$(1)/fused.o: $(addprefix $(O)/$(1)/,$(FUSED_$(1)))
	$$(call say,FUSE,$$@)
	$(Q)$(CC) $(CFLAGS) $(OPT_$(1)) $(FUSE) -flto-partition=one -flinker-output=nolto-rel -r -nostdlib -o $$@ $$^
$(O)/$(1)/%.asm.o: %.asm $(O)/$(1)/flags
	$$(call say,NASM,$$< [$(1)])
	$(Q)mkdir -p $$(@D) && nasm $(ASFLAGS) -MD $$(@:.o=.d) -MP -o $$@ $$<
$(O)/$(1)/drivers/font.asm.o: $(O)/font.psf

$(O)/$(1)/first.elf: $(call LINKED,$(1)) $(O)/$(1)/objects linker.ld
	$(Q)$(LD) $(LDFLAGS) -o $$@ $$(filter %.o,$$^)
	$(Q)$(NM) -n -S $$@ > $$(@:.elf=.nm)

$(O)/$(1)/kernel.elf: $(O)/$(1)/first.elf tools/mksyms
	$$(call say,LINK,$$@)
	$(Q)$(PYTHON) tools/mksyms < $(O)/$(1)/first.nm > $(O)/$(1)/ksyms.asm
	$(Q)nasm -f elf64 -o $(O)/$(1)/ksyms.o $(O)/$(1)/ksyms.asm
	$(Q)$(LD) $(LDFLAGS) -o $$@ $(call LINKED,$(1)) $(O)/$(1)/ksyms.o
	$(Q)$(NM) -n -S $$@ > $(O)/$(1)/second.nm
	$(Q)grep -Ev '$(MOVES)' $(O)/$(1)/first.nm > $(O)/$(1)/first.fixed
	$(Q)grep -Ev '$(MOVES)' $(O)/$(1)/second.nm | cmp -s - $(O)/$(1)/first.fixed || \
	    { echo "$$@: addresses moved between the two links" >&2; exit 1; }

# Rewritten only when its content changes: other options rebuild all, a vanished source links again.
$(O)/$(1)/flags: FORCE
	$$(call stamp,$(CC) $(CFLAGS) $(OPT_$(1)) $(FUSE) $(ASFLAGS))
$(O)/$(1)/objects: FORCE
	$$(call stamp,$(OBJ))
endef
MOVES := ksym_|__rodata_end|__kernel_end
$(foreach f,og o2,$(eval $(call flavour_rules,$f)))
-include $(foreach f,og o2,$(patsubst %.o,$(O)/$f/%.d,$(OBJ)))

%/kernel.asm: %/kernel.elf
	$(call say,OBJDUMP,$@)
	$(Q)$(OBJDUMP) -d -S $< > $@ 2>/dev/null  # (it dislikes the padding in NASM's DWARF)
%/kernel.sym: %/kernel.elf
	$(Q)$(NM) -n $< > $@

$(O)/font.psf: $(FONT)
	$(Q)mkdir -p $(@D) && gzip -dc $< > $@
$(filter-out /%,$(FONT)):
	@echo "console font $@ not found; run ./setup (package console-setup-linux)" >&2; exit 1

$(O)/compile_commands.json: Makefile $(O)/$(FLAVOUR)/flags $(C_SRC)
	$(Q)$(PYTHON) tools/compile-commands '$(CC) $(CFLAGS) $(OPT_$(FLAVOUR))' $(C_SRC) > $@

iso: $(O)/vitrine.iso   ## bootable ISO image, BIOS and UEFI
disk: $(O)/vitrine.img  ## bootable FAT disk image, BIOS and UEFI
-include user/user.mk
IMAGE_DEPS := $(O)/og/kernel.elf boot/grub.cfg tools/mkimage $(O)/rootfs.cpio
$(O)/vitrine.iso $(O)/vitrine.img: $(IMAGE_DEPS)
	$(call say,IMAGE,$@)
	$(Q)$(PYTHON) tools/mkimage $(if $(filter %.iso,$@),iso,disk) --kernel $< --rootfs $(O)/rootfs.cpio --output $@

##@ Running (Ctrl-A X leaves; MEM=128M SMP=1 CPU=max APPEND='...' WINDOW=1 FLAVOUR=o2)
QEMU = $(PYTHON) tools/qemu --build $(O) --flavour $(FLAVOUR) --mem $(MEM) --smp $(SMP) --cpu $(CPU) \
       --append '$(APPEND)' --log $(O)/qemu.log $(if $(WINDOW),--window) $(if $(filter undefined,$(origin ROOTFS)),,--rootfs '$(ROOTFS)') \
       $(if $(TRACE),--trace '$(TRACE)')
SELFTEST_PASSED := 16#  the exit status of APPEND=selftest, see kernel/ktest.h
run: $(O)/vitrine.iso $(KERNEL) ## boot the ISO in QEMU, shell on this terminal
	$(Q)$(QEMU) --boot iso -- $(QEMUFLAGS) || [ $$? -eq $(SELFTEST_PASSED) ]
fast: $(KERNEL) $(O)/rootfs.cpio ## the same kernel straight through qemu -kernel, no GRUB
	$(Q)$(QEMU) --boot fast -- $(QEMUFLAGS) || [ $$? -eq $(SELFTEST_PASSED) ]
quote = '$(subst ','\'',$(1))'
GDB_NEEDS = $(KERNEL) $(O)/rootfs.cpio $(if $(filter fast,$(BOOT)),,$(O)/vitrine.$(if $(filter disk%,$(BOOT)),img,iso))
GDB_SESSION = $(PYTHON) tools/gdb-session --build $(O) --kernel $(KERNEL) --qemu $(call quote,$(QEMU) --boot $(BOOT)) \
    $(if $(OP),--op $(call quote,$(OP))) $(if $(TUI),--tui) $(if $(MI),--mi)
gdb: $(GDB_NEEDS) ## GDB in front of a stopped kernel (BOOT=iso|fast, OP='vmalloc 3p', TUI=1, GDBFLAGS=...)
	$(Q)$(GDB_SESSION) -- $(GDBFLAGS)
gdb-reverse: $(GDB_NEEDS) ## GDB on a recorded run, forwards and backwards (OP='vmalloc 3p' or SCRIPT=file or typed)
	$(Q)$(GDB_SESSION) --record $(if $(SCRIPT),--script $(call quote,$(SCRIPT))) -- $(GDBFLAGS)

##@ Measuring (instructions under QEMU's -icount: the same figures on every machine)
bench: $(O)/o2/kernel.elf ## every workload on every design, twice; table, JSON, plots
	$(Q)$(PYTHON) bench/run --build $(O) --verify $(BENCHFLAGS)
	$(Q)$(PYTHON) bench/plot --build $(O)
	$(Q)$(PYTHON) bench/events --build $(O)
bench-linux: $(O)/o2/kernel.elf $(O)/rootfs.cpio $(filter bench,$(MAKECMDGOALS)) ## the same on Debian's own kernels, side by side (apt, nothing is installed)
	$(Q)$(PYTHON) bench/linux/run --build $(O) $(LINUXFLAGS)
bench-docs: $(filter bench bench-linux,$(MAKECMDGOALS)) ## what was measured into docs/ and README (make bench bench-docs)
	$(Q)$(PYTHON) bench/plot --build $(O)
	$(Q)$(PYTHON) bench/docs --build $(O)
profile: $(O)/o2/kernel.elf $(O)/o2/kernel.sym ## where an operation's instructions go (WORKLOAD=fix_size)
	$(Q)$(PYTHON) bench/profile --build $(O) --workload '$(WORKLOAD)' $(PROFILEFLAGS)

##@ Checking
-include tests/host/host.mk
PYTEST = BUILD=$(O) $(PYTHON) -m pytest tests/machine -n auto --maxprocesses=4 --dist loadgroup
TEST_DEPS := all iso disk $(if $(wildcard tests/host/host.mk),host-tests)
test: $(TEST_DEPS) ## every test: in the kernel, on the host, whole machine
	$(Q)$(PYTEST) $(PYTESTFLAGS)
test-quick: $(TEST_DEPS) ## the minute tier
	$(Q)$(PYTEST) -m quick $(PYTESTFLAGS)
planted: ## plant bugs in every design, one at a time: does a test notice each? (10 minutes)
	$(Q)$(PYTHON) tests/planted/run $(O)
lint: $(O)/compile_commands.json ## formatting, static analysis, the architecture of the includes
	$(Q)$(PYTHON) tools/lint $(O)
doctor: ## which tools are here, which are missing and what brings them
	$(Q)tools/doctor

##@ Housekeeping
format: ## rewrite the C sources the way .clang-format says
	$(Q)git ls-files -co --exclude-standard '*.[ch]' | xargs clang-format -i
clean: ## remove everything that was built
	$(Q)rm -rf $(O)
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
FORCE:
.PHONY: all iso disk run fast gdb gdb-reverse bench bench-linux bench-docs profile test test-quick planted lint doctor format clean help FORCE
