# The static binary and what it can't do without: certificates. Build it with
#   docker build --build-arg VERSION=v1.2.3 -t scanflow .
FROM golang:1.26.8 AS build
ARG VERSION=unreleased
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION}" -o /out/scanflow ./cmd/scanflow
# The folder that pods of the sample workload keep their model in.
RUN mkdir -p /out/work

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/scanflow /scanflow
COPY --from=build --chown=65532:65532 /out/work /work
# So that a pod may say `command: [scanflow, ...]`.
ENV PATH=/
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/scanflow"]
