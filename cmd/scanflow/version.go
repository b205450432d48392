package main

import "runtime/debug"

// release is set by the linker (-X main.release=v1.2.3), as in the Dockerfile: the build
// of an image has no repository to read the version from.
var release string

// version returns the release, the module's version, or the commit of the build.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
