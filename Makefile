# What a developer types. `make test` is what the README and CI call.
LINT = go tool -modfile=.ci/tools/go.mod
OPA  = go run ./cmd/scanflow opa

.PHONY: build image test race check soak bench docs demo case-studies cluster

build:
	go build -trimpath -o bin/scanflow ./cmd/scanflow

# image: the container image as an OCI layout in bin/image, without Docker.
# ARGS="--arch amd64 --arch arm64 --version v1.2.3" changes that.
image:
	go run ./cmd/image -o bin/image $(ARGS)

# The control plane that tests talk to is built once, into the user's cache folder:
# some 6 minutes then, nothing afterwards.
test:
	go run ./cmd/cluster build
	go test -timeout 30m ./...

race:
	go run ./cmd/cluster build
	go test -race -timeout 60m ./...

# check: formatting, vet, linters, the policies by the stock tool, the generated
# reference against the code, and known vulnerabilities where the database can be reached.
check:
	@mkdir -p bin
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	cd testdata/controlplane && go vet .
	cd cmd/internal/tracker/testdata/mlflow && go vet .
	$(LINT) golangci-lint run ./...
	$(OPA) fmt --fail -l policies
	$(OPA) check --strict policies
	$(OPA) test policies
	$(OPA) build -b policies -o bin/policies.tar.gz
	go run ./cmd/scanflow schema -f deploy/local/autoscale > bin/planner.schema.json
	$(OPA) check --strict --schema bin/planner.schema.json policies/scanflow/strategies/serving/autoscale/autoscale.rego policies/scanflow/lib/capacity/capacity.rego policies/scanflow/lib/params/params.rego
	go run ./cmd/scanflow check -f deploy/local/autoscale --workloads deploy/local/autoscale/workloads --policies policies
	go run ./cmd/scanflow check -f deploy/modeldebug/agents --workloads deploy/modeldebug/workloads --policies policies
	for s in mlperf interference failover; do go run ./cmd/scanflow check -f deploy/scenarios/$$s/agents --workloads deploy/scenarios/$$s/workloads --policies policies || exit 1; done
	go run ./cmd/scanflow reference --check docs/reference
	go run ./cmd/scanflow crd --check deploy/crds/agents.yaml
	.ci/vulncheck

# soak: the tests in their long form (hundreds of kills, a hundred thousand events),
# then an hour and more of fuzzing. Its last figures are in docs/performance.md.
soak:
	SCANFLOW_SOAK=1 go test -count=1 -timeout 4h -v -run 'Soak|Kill' ./...
	.ci/fuzz 5m

bench:
	go test -run '^$$' -bench . -benchtime 1x ./...

docs:
	go run ./cmd/scanflow reference docs/reference

demo:
	go run ./cmd/scanflow demo

# case-studies: the figures and pictures of docs/case-studies.md, made again. It takes
# some 40 minutes, on a machine with nothing else to do.
case-studies: build
	mkdir -p bin/case-studies
	for s in drift day mlperf interference failover; do \
		bin/scanflow demo $$s --plot bin/case-studies/$$s.svg --json > bin/case-studies/$$s.log || echo "$$s did not hold: bin/case-studies/$$s.log"; \
	done

# cluster: a real control plane and two nodes that run pods as processes, until Ctrl-C.
# ARGS="--nodes 3 --kwok-nodes 10 --dir DIR --kubeconfig FILE" changes that.
cluster:
	go run ./cmd/cluster up $(ARGS)
