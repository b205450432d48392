// Package manifest reads Agent manifests: the YAML that says what an agent
// supervises, when it runs, what it samples and how far it may go.
//
// It reads strictly and reports every mistake of every file at once, each with
// its place and the way to mend it. From the same Go types it makes the JSON
// Schema of a manifest, the definition of the custom resource, the schema of an
// agent's own document, and the reference.
//
// It never opens a connection, never reads a secret while reading a manifest,
// and never shows the user part of a URL. It knows no sensor and no actuator:
// their configurations come in through Kinds.
//
// Start reading at types.go (what a manifest is), then read.go (how one is read),
// object.go (how a custom resource is) and spec.go (what the engine gets).
package manifest
