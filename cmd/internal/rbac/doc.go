// Package rbac computes the Roles and ClusterRoles that agents need on a cluster, from their
// manifests alone: it connects to no cluster. A rule has no wildcard and nothing that is not
// needed. A ClusterRole is made only if an agent reads more than one namespace, or if the
// process must read the definition of a custom resource, which is cluster-scoped. Secrets
// are granted by name, in the agent's own namespace.
//
// The plural of a kind is not known without a cluster. It is guessed as client-go does it,
// and Options.Plurals corrects the guess.
//
// Start reading at plan.go. needs.go has what an agent needs and why, process.go what the
// process needs, rules.go how needs become rules, and write.go the output.
package rbac
