// Package source reads sets of policies: from a folder, a bundle, a URL or an
// embedded file system. It verifies their signatures, parses their manifests and
// data files, and joins several sets into one.
//
// It never parses or evaluates Rego, and it keeps no state besides the last download
// of a Remote. Everything that it reads is foreign input: sizes, depths and links are
// bounded, and files that look like policies but would not be read are mistakes.
//
// Start reading at Source, then Read and Source.Open.
package source
