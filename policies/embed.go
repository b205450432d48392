// Package policies holds the Rego that ships with Scanflow, so that the binary
// carries it. The rules themselves are under scanflow/, in folders that mirror
// their packages, with their tests beside them. Start reading at
// scanflow/strategies/serving/autoscale.
package policies

import "embed"

// FS is the policy folder as `opa test` sees it.
//
//go:embed .manifest scanflow
var FS embed.FS
