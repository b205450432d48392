// Package apiclient is the connection to a Kubernetes API server that everything else
// here shares: where it is, who we are there, what kinds it serves, how many
// requests may be under way, and whether this process may still write.
//
// It knows no workload and no agent, never throttles by itself (the API server's
// priority and fairness does that), and never puts a token into an error or a log.
// Start reading at client.go; gate.go is what every request passes, errors.go says
// which of them are worth another try, and secrets.go reads what manifests refer to.
package apiclient
