# park. `make` builds the library and the park command, `make demo` shows a job running, `make test` passes everything.

SHELL   := /bin/bash
PREFIX  ?= /usr/local
DESTDIR ?=
CFLAGS  ?= -O2 -g
CARGO   ?= cargo

VERSION := $(shell sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml | head -n 1)
LIB     := target/release/libpark.so
LINK     = -Iinclude -Ltarget/release -lpark -lm -pthread -Wl,-rpath,'$$ORIGIN/../target/release'

.PHONY: all lib demo examples test campaign bench header install uninstall clean

all: lib

# Cargo knows by itself when there is nothing to do. The link is the name that programs ask the loader for.
lib:
	$(CARGO) build --release
	@ln -sf libpark.so $(LIB).0

# ---- to look at ------------------------------------------------------------------------------------

demo: build/fit
	build/fit examples-c/nist/ENSO.dat

build/fit: examples-c/fit.c examples-c/nist.h include/park.h | lib
	@mkdir -p build
	$(CC) -std=c99 $(CFLAGS) $< -o $@ $(LINK)

# Each by the very command that stands in its first comment. nlopt.c needs Debian's libnlopt-dev, heat.f90 gfortran.
examples: lib
	@mkdir -p build
	@for source in $(wildcard examples-c/*.c examples-c/*.cpp examples-c/*.f90); do tests/commands.py --build $$source || exit 1; done

# ---- to trust --------------------------------------------------------------------------------------

test:
	@tests/deps.sh
	@tests/run.sh

# The same with full counts, into RESULTS.md with the commit and the date.
campaign:
	@tests/deps.sh
	@tests/run.sh --campaign

bench: lib
	@benches/run.sh
	@benches/map/run.sh
	@benches/checkpoint/run.sh

# ---- the header ------------------------------------------------------------------------------------

# include/park.h is generated from src/ffi and committed. cbindgen is pinned in tests/header/generator.
header:
	$(CARGO) run --quiet --release --locked --manifest-path tests/header/generator/Cargo.toml --target-dir build/generator -- write

# ---- to install ------------------------------------------------------------------------------------

# Where each shell looks for what completes a command, below share.
COMPLETIONS := bash:bash-completion/completions/park zsh:zsh/site-functions/_park fish:fish/vendor_completions.d/park.fish

install: lib
	install -d $(DESTDIR)$(PREFIX)/bin
	install -s -m 755 target/release/park $(DESTDIR)$(PREFIX)/bin/park
	@for it in $(COMPLETIONS); do install -d $(DESTDIR)$(PREFIX)/share/$$(dirname $${it#*:}) && \
	  target/release/park completions $${it%%:*} >$(DESTDIR)$(PREFIX)/share/$${it#*:} || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(LIB) $(DESTDIR)$(PREFIX)/lib/libpark.so.$(VERSION)
	ln -sf libpark.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libpark.so.0
	ln -sf libpark.so.0 $(DESTDIR)$(PREFIX)/lib/libpark.so
	install -m 644 target/release/libpark.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(wildcard include/*) $(DESTDIR)$(PREFIX)/include/
	@printf '%s\n' 'prefix=$${pcfiledir}/../..' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: park' 'Description: turns a long-running loop into a job' 'Version: $(VERSION)' \
	  'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lpark' 'Libs.private: -lpthread -ldl -lm' \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/park.pc

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/lib/libpark.* $(DESTDIR)$(PREFIX)/lib/pkgconfig/park.pc
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(wildcard include/*))
	rm -f $(DESTDIR)$(PREFIX)/bin/park $(foreach it,$(COMPLETIONS),$(DESTDIR)$(PREFIX)/share/$(lastword $(subst :, ,$(it))))

clean:
	$(CARGO) clean
	rm -rf build
