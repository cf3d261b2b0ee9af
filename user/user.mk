# SPDX-License-Identifier: MIT
# The ring-3 side: each user/NAME.c becomes the program NAME, static, against musl; they and Debian's busybox, as it
# is, go into the root file system. Included by the Makefile. `make rootfs` builds it all; without musl-gcc or a
# static busybox the archive is made of what there is, and tools/mkrootfs says what is missing.

MUSL_CC     := $(if $(findstring x86_64,$(shell uname -m)),$(shell command -v musl-gcc))
USER_CFLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fcf-protection=none -ffile-prefix-map=$(CURDIR)=. -I. \
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(filter 1,$(WERROR)),-Werror)
USER_BIN    := $(if $(MUSL_CC),$(patsubst user/%.c,$(O)/user/%,$(sort $(wildcard user/*.c))))
BUSYBOX     ?=#    another busybox than the system's static one

$(O)/user/%: user/%.c $(O)/user/flags
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D) && $(MUSL_CC) $(USER_CFLAGS) -static -no-pie -pthread -MMD -MP -MF $@.d -o $@ $<
-include $(USER_BIN:=.d)
$(O)/user/flags: FORCE
	$(call stamp,$(MUSL_CC) $(USER_CFLAGS))

rootfs: $(O)/rootfs.cpio
$(O)/rootfs.cpio: $(USER_BIN) $(wildcard user/etc/*) user/user.mk tools/mkrootfs $(O)/user/flags
	$(call say,CPIO,$@)
	$(Q)$(PYTHON) tools/mkrootfs --output $@ $(if $(BUSYBOX),--busybox $(BUSYBOX)) $(USER_BIN)
.PHONY: rootfs
