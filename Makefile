.DEFAULT_GOAL := help

# The programs are static. vet and tests use the race detector where there is a C compiler for it; both share one build.
# Without debug tables (-w) the thirty test programs link in half the time. Tests mostly wait, so three packages run at a
# time; those that wait most begin, so that none of them runs alone at the end. The race detector lets a program sleep for
# a second before it exits, to find races of goroutines that still run. Tests leave that out (atexit_sleep_ms=0): in the
# packages with most goroutines goleak has verified that none runs. golangci-lint reports from its cache with the paths of
# the clone that it first saw, and no exclusion matches once that clone is gone: each clone has a cache of its own.
version := $(shell git describe --tags --always --dirty 2>/dev/null)
build := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(version)' -o bin/
race := $(if $(shell command -v $${CC:-cc} 2>/dev/null),-race)
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.0

.PHONY: run
run: engine build ## fetch the engine once, build, and run everything on this machine
	@exec bin/hooktape serve

.PHONY: build
build: ## build bin/hooktape and bin/embedded-clickhouse
	$(build) ./cmd/...

.PHONY: engine
engine: ## fetch the embedded ClickHouse engine into the cache, once (178 MB)
	@$(build) ./cmd/embedded-clickhouse
	@bin/embedded-clickhouse fetch

.PHONY: test
test: engine vet ## run all tests: unit, fuzz seeds, end to end on the real engine
	@$(if $(race),,echo "no C compiler: testing without the race detector")
	GOFLAGS="$$GOFLAGS -ldflags=-w" GORACE="atexit_sleep_ms=0 $$GORACE" HOOKTAPE_EMBEDDED_BIN=$(CURDIR)/bin/embedded-clickhouse \
		go test $(race) -vet=off -p 3 -parallel 3 -timeout 40m \
		./web/... ./replay ./test/... ./cmd/... ./...

.PHONY: chaos
chaos: engine ## kill, starve and freeze the real processes and an endpoint, and count lost events (10 minutes)
	go run ./test/chaos

.PHONY: flood
flood: engine ## attack a real process as an unknown client can; measure its memory and the answers to a known sender (3 minutes)
	go run ./test/flood

.PHONY: bench-ingest
bench-ingest: engine ## measure ingest with and without its guarantees (10 minutes, on a quiet machine)
	go run ./test/bench ingest

.PHONY: bench-replay
bench-replay: engine ## measure delivery beside a bare loop (5 minutes, on a quiet machine)
	go run ./test/bench replay

.PHONY: bench-forward
bench-forward: engine ## measure External Requests through hooktape beside direct ones (2 minutes, on a quiet machine)
	go run ./test/bench forward

.PHONY: bench-dashboards
bench-dashboards: engine ## measure the dashboards' queries over ten million events (10 minutes)
	go run ./test/bench dashboards

.PHONY: bench-console
bench-console: engine ## measure the console's pages over ten million events (10 minutes)
	go run ./test/bench console

.PHONY: collector
collector: engine ## try otel/collector.yaml with a real collector, built once (1 minute, the first time 5)
	go run ./test/collector

.PHONY: cluster
cluster: engine ## run all ClickHouse tests on two shards; make test runs some of them (5 minutes)
	HOOKTAPE_TEST_WHOLE=1 HOOKTAPE_EMBEDDED_BIN=$(CURDIR)/bin/embedded-clickhouse go test -run OnCluster -count 1 -timeout 40m ./internal/store ./replay ./test/panels

.PHONY: dashboards
dashboards: ## generate dashboards/json from the code
	go generate ./dashboards

.PHONY: fuzz
FUZZTIME ?= 60s
fuzz: ## fuzz each fuzz test for a minute
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z]*' . | while IFS=: read -r file name; do \
		echo "$$file $${name#func }"; \
		go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s \
			</dev/null || exit 1; done

.PHONY: vet
vet: ## check format and run go vet
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt these: $$unformatted"; exit 1; }
	go vet $(race) ./...

.PHONY: lint
lint: vet ## run the linters of .golangci.yml (the first time it builds golangci-lint: 3 minutes)
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint-cache go run $(GOLANGCI) run ./...

.PHONY: clean
clean: ## remove bin/ (data/ and the engine's cache stay)
	rm -rf bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
