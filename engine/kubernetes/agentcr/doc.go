// Package agentcr handles agents as custom resources: it watches agents.scanflow.dev, parses
// each by the rules of manifests, and writes the resource's status.
//
// It runs no agent, decides nothing, and writes only status. It never writes a status that the
// cluster shows already, and writes each agent at most every 5 s. It imports the engine,
// manifest and apiclient.
//
// Start reading at source.go; store.go has the agents that were seen, writer.go writes status.
package agentcr
