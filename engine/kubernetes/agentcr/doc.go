// Package agentcr has agents as custom resources of a cluster: it watches
// agents.scanflow.dev, reads each by the rules of manifests, and writes back what
// became of it, as the resource's status.
//
// It runs no agent, decides nothing, and writes nothing but status. It never writes
// what the cluster shows already, and never more often than every 5 s for an agent.
//
// Start reading at source.go; store.go is what was seen, writer.go what is written.
package agentcr
