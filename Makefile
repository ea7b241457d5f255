# Builds everything with one make and no configure step:
#
#   make            executables in build/release/bin
#   make demo       simulate, run the whole line, show what was found
#   make check      every test;  make bench  speed and memory;  make lint
#   make install    PREFIX=/usr/local DESTDIR=
#   make BUILD=asan check     also: debug ubsan tsan clang (each in its own folder)
#   make fuzz       FUZZ_SECONDS=60 for each target
#   make HDF5=no    without .h5 and .h5ad;  V=1 to see the commands
#
# Tools are found by wildcard: tools/NAME.c is the executable NAME, tools/NAME/*.c
# are linked into it, man/NAME.1 is its page, tests/unit/NAME.c a unit test.

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

BUILD ?= release
O ?= build/$(BUILD)
VERSION = 0.1.0
PREFIX ?= /usr/local
CC ?= cc
AR ?= ar
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
HDF5 ?= yes

flags_release =
flags_debug = -O0 -DOVX_FAULT
flags_asan = -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DOVX_FAULT
flags_ubsan = -O1 -fsanitize=undefined -fno-sanitize-recover=undefined
flags_tsan = -O1 -fsanitize=thread
flags_clang =
flags_fuzz = -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DOVX_FAULT
cc_clang = clang
cc_fuzz = clang
ifneq ($(cc_$(BUILD)),)
CC := $(cc_$(BUILD))
endif

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 -Wno-format-nonliteral
WERROR ?= -Werror
# Not -march: fast paths are chosen at run time.  No contraction: the same bits
# with and without FMA.  errno is never read after a math function.
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DOVX_VERSION='"$(VERSION)"' \
	-Ilibcommon -fno-math-errno -fno-trapping-math -ffp-contract=off -pthread $(WARN) $(WERROR) \
	$(CFLAGS) $(flags_$(BUILD)) $(CPPFLAGS)

# One short line a file; V=1 shows the commands.
Q = $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)')

# 1 when a package is there; the libraries are linked by --as-needed.
have = $(shell $(PKG_CONFIG) --exists $(1) 2>/dev/null && echo 1)
HDF5_PC := $(if $(filter yes,$(HDF5)),$(if $(call have,hdf5-serial),hdf5-serial,$(if $(call have,hdf5),hdf5)))
HDF5_CFLAGS := $(if $(HDF5_PC),$(shell $(PKG_CONFIG) --cflags $(HDF5_PC)) -DOVX_HDF5 -DH5_USE_110_API)
HDF5_LIBS := $(if $(HDF5_PC),$(shell $(PKG_CONFIG) --libs $(HDF5_PC)))
BLAS_PC := $(if $(call have,openblas),openblas)
BLAS_CFLAGS := $(if $(BLAS_PC),$(shell $(PKG_CONFIG) --cflags $(BLAS_PC)))
BLAS_LIBS := $(if $(BLAS_PC),$(shell $(PKG_CONFIG) --libs $(BLAS_PC)),-lopenblas) -llapacke
LIBS = -Wl,--as-needed $(HDF5_LIBS) $(BLAS_LIBS) -lhts -ldeflate -lz -ljansson -lm

lib_src := $(wildcard libcommon/*/*.c)
lib_obj := $(lib_src:%.c=$(O)/%.o)
tool_src := $(wildcard tools/*.c)
tools := $(tool_src:tools/%.c=%)
bins := $(tools:%=$(O)/bin/%)
part_src := $(wildcard tools/*/*.c)
unit_src := $(wildcard tests/unit/*.c)
units := $(unit_src:tests/unit/%.c=$(O)/unit/%)

.PHONY: all demo check unit helper bench install uninstall dist asan ubsan tsan clang debug fuzz lint clean need-once
all: need-once $(bins)

# One clear line when a library is missing, instead of pages of errors.
need-once:
	@for h in zlib.h libdeflate.h jansson.h Random123/philox.h htslib/vcf.h; do \
	  echo "#include <$$h>" | $(CC) $(CPPFLAGS) -E - > /dev/null 2>&1 || \
	  { echo "make: $$h is missing; run scripts/need, or install the packages it names" >&2; exit 1; }; done

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(cflags_$(notdir $*)) -MMD -MP -c -o $@ $<

cflags_blas = $(BLAS_CFLAGS)
cflags_h5 = $(HDF5_CFLAGS)
cflags_h5_lib = $(HDF5_CFLAGS)
cflags_h5_read = $(HDF5_CFLAGS)
cflags_h5_run = $(HDF5_CFLAGS)
cflags_h5_write = $(HDF5_CFLAGS)

# Changes only when the flags do, so that everything is remade then.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(ALL_CFLAGS) $(HDF5_CFLAGS) $(LIBS))' | cmp -s - $@ || \
	  echo '$(CC) $(subst ','\'',$(ALL_CFLAGS) $(HDF5_CFLAGS) $(LIBS))' > $@
FORCE:

$(O)/libcommon.a: $(lib_obj)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(lib_obj)

$(foreach s,$(part_src),$(eval $(O)/bin/$(word 2,$(subst /, ,$(s))): $(s:%.c=$(O)/%.o)))
$(O)/bin/%: $(O)/tools/%.o $(O)/libcommon.a
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libcommon.a $(LIBS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/libcommon.a
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(O)/libcommon.a $(LIBS)

helper_src := $(wildcard tests/helper/*.c)
helpers := $(helper_src:tests/helper/%.c=$(O)/helper/%)
$(O)/helper/%: $(O)/tests/helper/%.o $(O)/libcommon.a
	@mkdir -p $(@D)
	$(call say,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< $(O)/libcommon.a $(LIBS)

unit: $(units)
helper: $(helpers)

demo:
	@scripts/need
	@$(MAKE) --no-print-directory -j2 all
	@scripts/demo $(O)/bin build/demo

# Everything a change must pass; the last line counts.  With CHECK=all also the
# sanitizer build and the reference programs (scripts/oracles), as CI does.
check:
	@scripts/need check
	@$(MAKE) --no-print-directory -j2 all unit helper
	@scripts/check $(O) $(CHECK)

bench: all helper
	@python=$$(scripts/oracles build/oracles) || python=python3; $$python scripts/bench-counts $(O)/bin; \
	  $$python scripts/bench $(O)/bin $(BENCH)
	@python3 scripts/bench-vx $(O)/bin

asan ubsan tsan clang debug:
	$(MAKE) --no-print-directory BUILD=$@ all unit helper

lint:
	scripts/check-floors
	scripts/check-headers
	scripts/check-man $(O)/bin
	$(MAKE) --no-print-directory BUILD=clang all unit

# libFuzzer targets, FUZZ_SECONDS each
FUZZ_SECONDS ?= 60
fuzz_src := $(wildcard tests/fuzz/*.c)
fuzzers := $(fuzz_src:tests/fuzz/%.c=build/fuzz/fuzz/%)
fuzz: all helper
	$(MAKE) --no-print-directory BUILD=fuzz build/fuzz/libcommon.a
	$(MAKE) --no-print-directory BUILD=fuzz $(fuzzers)
	scripts/fuzz build/fuzz/fuzz $(O)/bin $(FUZZ_SECONDS)
build/fuzz/fuzz/%: tests/fuzz/%.c build/fuzz/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $< build/fuzz/libcommon.a $(LIBS)

bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man
bashdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
man_pages := $(wildcard man/*.[157])
install: all
	install -d $(bindir) $(mandir)/man1 $(mandir)/man5 $(mandir)/man7 $(bashdir)
	install -m 755 $(bins) $(bindir)
	for m in $(man_pages); do install -m 644 $$m $(mandir)/man$${m##*.}/ || exit 1; done
	for t in $(tools); do $(O)/bin/$$t --dump bash > $(bashdir)/$$t || exit 1; done

uninstall:
	for t in $(tools); do rm -f $(bindir)/$$t $(bashdir)/$$t; done
	for m in $(man_pages); do rm -f $(mandir)/man$${m##*.}/$${m##*/}; done

dist:
	mkdir -p build
	git archive --format=tar.gz --prefix=ovx-$(VERSION)/ -o build/ovx-$(VERSION).tar.gz HEAD

clean:
	rm -rf build

-include $(lib_obj:.o=.d) $(tool_src:%.c=$(O)/%.d) $(part_src:%.c=$(O)/%.d) $(unit_src:%.c=$(O)/%.d) $(helper_src:%.c=$(O)/%.d)
