// Package rbac says what agents must be allowed on a cluster, as Roles and
// ClusterRoles, from their manifests alone: it asks no cluster. What is not needed is
// not in it, and it holds no wildcard. A ClusterRole is made only where an agent looks
// beyond one namespace, or where the definition of a custom resource must be read,
// which lies in no namespace. Of Secrets, those may be read that a manifest names, each
// by its name, in the agent's own namespace.
//
// What a kind's plural is called can't be known without a cluster. It is guessed as
// kubectl's own libraries guess it, and Options.Plurals corrects the guess.
//
// Start reading at plan.go; needs.go is what an agent needs and why, process.go what
// the process that runs it needs, rules.go how that becomes rules, and write.go how
// they are written.
package rbac
