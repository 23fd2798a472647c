# Firebreak. `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Node that hack/need brought, and where Debian keeps nft and ip.
export PATH := $(CURDIR)/.cache/node/bin:$(PATH):/usr/sbin:/sbin

# The compiler whose output is committed. Another one compiles the programs
# just as well, but not to the same bytes.
CLANG := clang-19
CLANG_VERSION := Debian clang version 19.1.7 (3~deb12u1)

RACE ?= -race
# Under the race detector every program otherwise sleeps for a second before it
# ends, and tests start hundreds.
export GORACE := atexit_sleep_ms=0
FUZZTIME ?= 10s
BENCH ?= .
ESTATES ?= 4000
MUTANTS ?= 300
ARGS ?=

# What the page takes, in milliseconds and frames: a benchmark, not a test,
# because a busy machine is not a fault of the page.
PAGE_TIMED := test/e2e/speed.test.js

# Every fuzz target, as directory:name. A test compares this list with the tree.
FUZZ := \
  internal/inventory/file:FuzzRead \
  internal/inventory/kube:FuzzRead \
  internal/label:FuzzSelector \
  internal/lang:FuzzFormat \
  internal/lang:FuzzParse \
  internal/live/aws:FuzzRead \
  internal/live/terraform:FuzzRead \
  internal/netset:FuzzTraffic \
  internal/policy:FuzzResolve \
  internal/target/istio:FuzzLift \
  internal/target/nftables:FuzzLift \
  internal/verify/space:FuzzPaths \
  internal/wire:FuzzDecode

# Tests that may be skipped with CI=true, as package.Test: those that read
# published manifests from beside the repository, where they are not there.
ifeq ($(wildcard ../shared/corpora/online-boutique),)
MAY_SKIP := firebreak/internal/cli.TestOnlineBoutiqueFromManifests,firebreak/internal/target/networkpolicy.TestOnlineBoutiqueShipped
endif

.PHONY: help build demo test oracles lint generate generate-check bpf-check page-check page-test go-test bench bench-compare bench-growth agree fuzz clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

build: ## build bin/firebreak
	@hack/need go
	go build -o bin/firebreak ./cmd/firebreak

demo: build ## run the demonstration (root: in the kernel; otherwise a recorded run); ARGS="--for 30s"
	@bin/firebreak demo $(ARGS)

test: ## everything, installing what is missing
	@hack/need go race bpf kernel page node
	@[ "$$(id -u)" = 0 ] || echo "note: not root, so tests that load programs into the kernel will be skipped, each by name below; run them with: sudo make test" >&2
	@$(MAKE) lint
	@$(MAKE) generate-check
	@$(MAKE) page-test
	@$(MAKE) go-test

lint: ## vet, staticcheck, gofmt and the rules of the house
	go vet ./...
	go tool staticcheck ./...
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); [ -z "$$bad" ] || { echo "not gofmt'ed:"; echo "$$bad"; exit 1; }
	go test ./internal/house/...

generate: web/node_modules/.package-lock.json ## rebuild the BPF objects and the page
	@hack/need go bpf node
	go generate ./internal/datapath/...
	cd web && npm run --silent build

generate-check: bpf-check page-check ## compare the committed BPF objects and page with their sources

bpf-check:
	@hack/need go bpf
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; mkdir -p "$$tmp/internal"; \
	cp go.mod go.sum "$$tmp"; cp -r internal/datapath "$$tmp/internal"; \
	find "$$tmp" -name '*_bpfe[lb].*' -delete; \
	(cd "$$tmp" && go generate ./internal/datapath/...); \
	have=$$($(CLANG) --version | head -n 1); \
	if [ "$$have" = "$(CLANG_VERSION)" ] || [ "$${CI:-}" = true ]; then \
	  diff -rq internal/datapath "$$tmp/internal/datapath" || { echo "the BPF objects do not match their source: run make generate and commit (built here with $$have)"; exit 1; }; \
	  echo "BPF objects match their source"; \
	else \
	  echo "note: the BPF programs compile, but their bytes were not compared: that needs $(CLANG_VERSION), this is $$have"; \
	fi

page-check: web/node_modules/.package-lock.json
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	(cd web && npm run --silent build -- --outDir "$$tmp/dist" --emptyOutDir --logLevel error); \
	diff -rq web/dist "$$tmp/dist" || { echo "web/dist does not match web/src: run make generate and commit"; exit 1; }; \
	echo "web/dist matches its source"

page-test: web/node_modules/.package-lock.json
	@hack/need page
	cd web && node --test --test-reporter=spec test/unit/*.test.js
	cd web && node --test --test-reporter=spec --test-concurrency=1 $$(ls test/e2e/*.test.js | grep -vxF '$(PAGE_TIMED)')

web/node_modules/.package-lock.json: web/package-lock.json
	@hack/need node
	cd web && npm ci --silent --no-audit --no-fund </dev/null
	@touch $@

go-test:
	go test $(RACE) $(if $(CI),-count=1) -timeout 9m -json ./... </dev/null | go run ./internal/house/tally $(if $(CI),-no-skips -may-skip '$(MAY_SKIP)')

# Judges that are the platforms' own code, each a module of its own. A judge is
# asked again only when something in the repository or in its go.sum changed;
# Go's build cache keeps what was built. Not under the race detector, which
# would double what takes minutes to build.
oracles: ## the platforms' own code judges what is rendered and read; the first time takes minutes to build
	@hack/need go
	@mkdir -p .cache
	@go build -o .cache/tally ./internal/house/tally
	@go build -o .cache/staticcheck honnef.co/go/tools/cmd/staticcheck
	@tools="$(CURDIR)/.cache"; \
	for d in oracles/*/; do \
	  [ -f "$$d/go.mod" ] || continue; \
	  echo "== $$d"; \
	  bad=$$(gofmt -l "$$d"); [ -z "$$bad" ] || { echo "not gofmt'ed:"; echo "$$bad"; exit 1; }; \
	  (cd "$$d" && go vet ./... && "$$tools/staticcheck" ./...); \
	  (cd "$$d" && go test -timeout 20m -json ./... </dev/null | "$$tools/tally" $(if $(CI),-no-skips)); \
	done
	@echo "== the kernel, by packets"
	@go test ./internal/target/nftables ./internal/corpus -run 'Mutants|ChangedInventories' -mutants $(MUTANTS) -timeout 20m -json </dev/null | .cache/tally $(if $(CI),-no-skips)

bench: web/node_modules/.package-lock.json ## every benchmark; root adds those between enforced namespaces
	@hack/need go page
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	cd web && node --test --test-reporter=spec $(PAGE_TIMED)
	@if [ "$$(id -u)" = 0 ]; then hack/need kernel; go run ./internal/netbench $(ARGS); else echo "note: not root, so nothing was measured between namespaces" >&2; fi

bench-compare: ## one decision by Firebreak, OPA and cedar-go over the same rules; under a minute
	@hack/need go
	cd bench/compare && go test ./... && go run .

bench-growth: ## time and memory from 1,000 workloads up to a million; ARGS="-max 100000 -runs 1"
	@hack/need go
	go run ./internal/gen/growth $(ARGS)

agree: ## ask the engine and the reference evaluator ESTATES x 500 random questions
	go test ./internal/verify -run TestAgreesWithTheReference -v -timeout 60m -estates $(ESTATES)

fuzz: ## run every fuzz target for FUZZTIME
	@hack/need go
	go test -run '^TestFuzzTargets$$' ./internal/house
	@for f in $(FUZZ); do \
	  echo "== $$f"; go test -run '^$$' -fuzz "^$${f#*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "./$${f%:*}"; \
	done

clean: ## remove what make built
	rm -rf bin .cache web/node_modules
