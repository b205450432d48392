//go:build unix && !linux

package confine

import "os"

var self, _ = os.Executable() // if it is not known, starting a child fails
