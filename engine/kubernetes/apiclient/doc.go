// Package apiclient is the connection to a Kubernetes API server that the other packages share:
// it finds the server and the credentials, resolves kinds, limits concurrent requests, and stops
// writes once the process may not write any more. It also reads Secrets for agents.
//
// It knows no workload and no agent, has no rate limit (the API server's priority and fairness
// has), and never puts a token into an error or a log. It imports the engine and hosts.
//
// Start reading at client.go. gate.go is passed by every request, errors.go says which failures
// are temporary, secrets.go reads the Secrets that manifests refer to.
package apiclient
