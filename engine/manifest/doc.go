// Package manifest reads Agent manifests: the YAML that declares what an agent supervises,
// when it runs, what it samples, and the bounds of what it may do.
//
// It decodes strictly and reports every mistake of every file at once, each with its line
// and a fix. From the same Go types it generates the JSON Schema of a manifest, the
// definition of the custom resource, the schema of an agent's own document, and the
// reference.
//
// It opens no connection, reads no secret while it reads a manifest, and never prints the
// user part of a URL. It imports no sensor and no actuator: their configurations come in
// through Kinds.
//
// Start reading at types.go (the fields), then read.go (files), mixed.go (files with objects
// of other kinds, and standard input), object.go (custom resources), decode.go and
// validate.go (the checks), and spec.go (what the engine gets).
package manifest
