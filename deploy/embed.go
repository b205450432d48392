// Package deploy holds the manifests that ship with Scanflow, so that the binary
// can run its own scenarios. Start reading at local/autoscale/planner.yaml.
package deploy

import "embed"

// FS is the folder, by its own paths.
//
//go:embed local prometheus modeldebug scenarios
var FS embed.FS
