//go:build unix && !linux

package confine

import "os"

var self, _ = os.Executable() // where it is not known, the start of a child says so
