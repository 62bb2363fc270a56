# Everything that is made goes into target/. `make help` lists the commands.

ARCH ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
PORT ?= 8080
WATCH_ADDRESS ?= 127.0.0.1
WATCH_PORT ?= 9000
FUZZ_SECONDS ?= 10
URL ?= http://127.0.0.1:8080
SECONDS ?= 600
NAME ?= caller
STACK ?= py-executor
PARAMETERS ?=
DEPLOY_FLAGS ?=
REGION ?=
PLOT ?= target/bench/plot.svg
IMAGE ?= py-executor
KERNELS ?= 6.1 5.10 6.12 6.12-arm64
KERNELS_FLAGS ?=

RUNTIME := $(CURDIR)/target/layer/runtime
TOOLS := $(CURDIR)/target/tools/bin

.DEFAULT_GOAL := help
.PHONY: help run test test-programs test-kernels key attack chaos bench soak bench-programs fuzz layer tools watch package image image-root deploy \
	deploy-packed deploy-url deploy-cloudrun check clean audit audit-rules verify-layer sbom scaling build-RuntimeLayer \
	server-arm64

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

run: layer ## build what is needed and serve on http://127.0.0.1:8080 (PORT=...)
	cargo build --release --locked --bin py-executor-server
	EXECUTOR_HOST=$${EXECUTOR_HOST:-127.0.0.1} EXECUTOR_RUNTIME=$${EXECUTOR_RUNTIME:-$(RUNTIME)} PORT=$(PORT) \
		EXECUTOR_LOG_FORMAT=$${EXECUTOR_LOG_FORMAT:-text} exec target/release/py-executor-server

# Many tests wait for something most of the time, so more of them run than there are processors.
test: layer tools ## build what is needed and pass all tests
	$(MAKE) --no-print-directory -j2 package test-programs
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-3} cargo test --locked --features otlp

# Nicely, because a package takes longer: the end of it is linking, which one processor does while the other has time for this.
test-programs:
	nice cargo test --locked --features otlp --no-run

# Apart from the tests, because it installs QEMU, and emulates whole machines where there is no KVM.
test-kernels: layer $(if $(filter %-arm64,$(KERNELS)),server-arm64) ## try and attack the service on Debian's kernels under QEMU, as root, in a cgroup of its own, as a user (KERNELS="6.1 5.10 6.12 6.12-arm64")
	cargo build --release --locked --bin py-executor-server --example attack
	@tests/kernels/setup $(KERNELS)
	@tests/kernels/run $(KERNELS_FLAGS) $(KERNELS)

# The server for a guest of another architecture, in target/kernels, with a runtime.
server-arm64: tools
	layer/build arm64
	PATH="$(TOOLS):$$PATH" cargo-lambda lambda build --release --locked --arm64 --bin py-executor-server --lambda-dir target/kernels

key: ## make an API key (NAME=...): the key for the caller, its digest for EXECUTOR_API_KEYS
	@key=$$(head -c 24 /dev/urandom | base64 | tr '+/' '-_') && printf 'key:    %s\ndigest: %s:%s\n' \
		"$$key" "$(NAME)" "$$(printf %s "$$key" | sha256sum | cut -d' ' -f1)"

attack: ## attack a running service and say what held (URL=http://..., ATTACK_FLAGS=--lambda, --only PATTERN, --json)
	cargo run --quiet --locked --example attack -- $(ATTACK_FLAGS) $(URL)

chaos: layer ## disturb a service of its own for SECONDS=600 while honest callers go on: what held? (CHAOS_FLAGS="--only kill")
	cargo build --release --locked --bin py-executor-server --example chaos --example jail
	target/release/examples/chaos --seconds $(SECONDS) $(CHAOS_FLAGS)

bench: layer tools bench-programs ## measure the service beside other ways to run Python (PLOT=docs/performance.svg, BENCH_FLAGS="--only start")
	target/release/examples/bench --json target/bench/results.json $(BENCH_FLAGS)
	benches/plot target/bench/results.json $(PLOT)

soak: layer tools bench-programs ## full load for SECONDS=600: does anything of it stay?
	target/release/examples/bench --soak $(SECONDS)

scaling: ## how many instances, at what cost, on Lambda and on Cloud Run: a simulation (SCALING_FLAGS="--write docs/SCALING.md")
	@layer/build tools
	@target/layer/tools/python3 -B benches/scaling/main.py $(SCALING_FLAGS)

bench-programs:
	@benches/tools/setup
	cargo build --release --locked --bins --example bench

layer: ## build the Python runtime, target/layer/runtime (ARCH=x86_64 or arm64)
	@layer/build $(ARCH)

verify-layer: ## compare a runtime, file by file, with the one that was built (VERIFY_FLAGS="--no-links DIRECTORY")
	@layer/verify $(VERIFY_FLAGS)

sbom: layer ## list all that the binaries and the layer are built from, in target/sbom, as CycloneDX (ARCH=...)
	@target/layer/tools/python3 -B supply/sbom.py $(ARCH) target/layer/$(ARCH)/runtime target/sbom

audit: tools ## check the dependencies: licences, versions, sources, and RustSec's advisories, which it fetches
	@supply/audit

audit-rules: tools ## the part of the audit that needs no advisories
	@supply/audit rules

tools: ## install the tests' tools into target/tools: cargo-lambda, the Lambda emulator, sam, gVisor, node, and what checks and audits
	@tests/tools/setup

image: ## build the container image with docker, podman or buildah (IMAGE=py-executor)
	@deploy/image $(IMAGE)

image-root: layer ## assemble the image's root file system in target/image/root, without any of them
	cargo build --release --locked --bin py-executor-server
	rm -rf target/image/root
	deploy/image-root target/release/py-executor-server $(RUNTIME) target/image/root

deploy-cloudrun: ## build, deploy and try out the service on Google Cloud Run (PROJECT=... REGION=... SERVICE=... IMAGE=... PUBLIC=1)
	@deploy/cloudrun

watch: layer tools ## serve the Lambda function with cargo lambda watch on http://127.0.0.1:9000 (WATCH_PORT=...)
	EXECUTOR_RUNTIME=$${EXECUTOR_RUNTIME:-$(RUNTIME)} PATH="$(TOOLS):$$PATH" \
		exec cargo-lambda lambda watch --invoke-address $(WATCH_ADDRESS) --invoke-port $(WATCH_PORT) \
		--bin py-executor-lambda $(WATCH_FLAGS)

package: layer tools ## pack the Lambda function and its layer with sam, in target/package (ARCH=x86_64 or arm64)
	PATH="$(TOOLS):$$PATH" ARCH=$(ARCH) sam build --parameter-overrides Architecture=$(ARCH)
	@target/layer/tools/python3 -B deploy/package.py target/sam target/package $(ARCH)

deploy: package ## deploy to AWS Lambda and try it there (STACK=py-executor REGION=... PARAMETERS="Api=REST ..." ARCH=...)
	@$(MAKE) --no-print-directory deploy-packed

deploy-packed: tools ## the same with what make package has made already
	@export PATH="$(TOOLS):$$PATH" DEPLOY_FLAGS='$(DEPLOY_FLAGS)' $(if $(REGION),AWS_REGION='$(REGION)') && \
		target/layer/tools/python3 -B deploy/aws.py $(STACK) Architecture=$(ARCH) $(PARAMETERS)

deploy-url: ## the same with a URL of the function's own, which streams, instead of an API (STACK=py-executor-url)
	@$(MAKE) deploy STACK=$(if $(filter command environment,$(origin STACK)),$(STACK),py-executor-url) \
		PARAMETERS="Api=NONE FunctionUrl=RESPONSE_STREAM TimeoutSeconds=60 FunctionTimeout=75 $(PARAMETERS)"

fuzz: ## look for bytes that the service reads wrongly, with a nightly compiler (FUZZ_SECONDS=... for each target)
	@fuzz/run $(FUZZ_SECONDS)

check: ## formatting and lints
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets --features otlp -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --features otlp --no-deps --document-private-items --quiet

clean: ## remove all that was made
	rm -rf target

# SAM calls this for the layer of template.yaml; what lies in ARTIFACTS_DIR becomes /opt. SAM's zip would follow links
# and so hold each target twice; they are aliases only, and nothing on Lambda needs them.
build-RuntimeLayer:
	layer/build $(ARCH)
	cp -a target/layer/$(ARCH)/runtime "$(ARTIFACTS_DIR)/runtime"
	find "$(ARTIFACTS_DIR)/runtime" -type l -delete
