# SPDX-License-Identifier: GPL-2.0-only
# Owns the commands of the project; what each one does lies in selftests/vm/.

K ?= 6.1
VM := selftests/vm
export SLUICE_CACHE ICOUNT SMP MEM TIMEOUT ACCEL JOBS WERROR KILLS SLOW SOAK

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'K=NAME chooses the kernel: 6.1 (the default), 6.1-cloud, 6.12, 6.12-cloud, 6.12-rt, next, debug, kcsan, gcov'

run: deps kmod user ## build, boot a machine and show Sluice at work in it
	@$(VM)/vm -k $(K) script $(VM)/run-demo.sh

check: deps ## everything that must hold: builds, unit tests, lint, all suites on both kernels
	@$(VM)/check

deps: ## install the Debian packages that are missing
	@$(VM)/deps

kmod: ## build the module for kernel K into build/kmod-K
	@$(VM)/build-kmod $(K)

user: ## build library, daemon, commands and plug-ins into build/user
	@if [ -e user/Makefile ]; then $(MAKE) --no-print-directory -C user; fi

vm: kmod user ## boot kernel K and run the suites in it; T="name ..." runs only these tests
	@$(VM)/suite -k $(K) $(T)

vm-shell: kmod user ## boot kernel K with a shell
	@$(VM)/suite -k $(K) -s

unit: ## run the native unit tests
	@$(MAKE) --no-print-directory -C selftests/unit run

host: user ## test the commands on this host: their options, sluice-load on the loopback device
	@selftests/host/run $(T)

sim: ## run short simulations of overload with the module's core, and check what they show
	@$(MAKE) --no-print-directory -C selftests/sim run

incident: kmod user ## replay the incident: simulated, with all of docs/perf.md's tables, and in the machine; plots in build/incident
	@$(MAKE) --no-print-directory -C selftests/sim incident
	@$(MAKE) --no-print-directory -C selftests/bench incident K=$(K)

model: ## check the ring's barriers (litmus tests) and protocols (spin); mutants must be refuted
	@$(MAKE) --no-print-directory -C selftests/model run

fuzz: ## run each native fuzzer for S seconds (60) on top of its kept corpus; T="rules kv" chooses
	@$(MAKE) --no-print-directory -C selftests/fuzz run S=$(or $(S),60) T="$(T)"

bench: kmod user ## count instructions per request in the machine, all servers, with kernel K
	@$(MAKE) --no-print-directory -C selftests/bench run K=$(K)

bench-quick: kmod user ## the same for a few servers, in under five minutes, against the kept reference
	@$(MAKE) --no-print-directory -C selftests/bench gate K=$(K)

bench-core: ## time the core on this machine's silicon beside other rings; wants a quiet machine
	@$(MAKE) --no-print-directory -C selftests/bench/core run

bench-core-count: ## the same in instructions, which other work does not disturb
	@$(MAKE) --no-print-directory -C selftests/bench/core count

xdp-million: kmod user ## a million requests of a memcached client over XDP, the ledger closed; N=1000000
	@$(MAKE) --no-print-directory -C selftests install >&2
	@rm -rf build/million && mkdir -p build/million && cp -a build/selftests/install build/million/selftests
	@GUEST_ENV='SLUICE_REQUESTS=$(or $(N),1000000) SLUICE_TIMEOUT=3000' TIMEOUT=3300 \
		$(VM)/vm -k $(K) script $(VM)/run-million.sh build/million

fuzz-vm: deps ## fuzz netlink, ioctls and rings for S seconds (60) in the machine, guided by KCOV; the gcov kernel
	@selftests/fuzz/run-vm fuzz $(or $(S),60)

fuzz-vm-keep: deps ## make selftests/fuzz/corpus/vm the least that reaches all that was found
	@selftests/fuzz/run-vm keep

coverage: deps ## percent of lines that the tests run, of the module (on the gcov kernel), the core and userspace
	@selftests/coverage/run

lint: ## checkpatch, sparse, coccinelle, clang-tidy, shellcheck, codespell and others, all without findings
	@$(VM)/lint

debug-kernel: deps ## build the debug kernel (KASAN, lockdep, kmemleak; K=kcsan: KCSAN; K=gcov: gcov and KCOV), ten minutes or more
	@nice -n 19 $(VM)/debug-kernel $(filter kcsan gcov,$(K))

clean: ## remove what was built; the cache of kernels and QEMU stays
	rm -rf build

.PHONY: coverage fuzz-vm fuzz-vm-keep xdp-million help run check deps kmod user vm vm-shell unit fuzz model sim incident host bench bench-quick bench-core bench-core-count lint debug-kernel clean
