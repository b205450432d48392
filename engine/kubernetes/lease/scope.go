package lease

import (
	"encoding/json"
	"fmt"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// ScopeAnnotation of a Lease is the scope of its holder, as JSON. It is written with the
// renewals.
const ScopeAnnotation = "scanflow.dev/scope"

// Scope names the namespace, the agents and the shard that a leader serves. Two processes with one lease and different scopes are two
// installations under one name: each would stand by while the other serves something else.
type Scope struct {
	// Namespace is the only namespace served; "" is every namespace.
	Namespace string `json:"namespace"`
	// Agents is a label selector; "" is all.
	Agents string `json:"agents,omitempty"`
	// Shard is the part of the targets, such as "0/3 by namespace"; "" is all.
	Shard string `json:"shard,omitempty"`
	// ReplicaOf names the workload whose pods run this process. It is no part of what is served:
	// pods of one workload differ in scope while it is rolled out.
	ReplicaOf string `json:"replicaOf,omitempty"`
}

// String describes what is served, in the terms of the flags.
func (s Scope) String() string {
	var out []string
	if s.Namespace == "" {
		out = append(out, "every namespace")
	} else {
		out = append(out, "the namespace "+s.Namespace)
	}
	if s.Agents != "" {
		out = append(out, "agents "+s.Agents)
	}
	if s.Shard != "" {
		out = append(out, "shard "+s.Shard)
	}
	return strings.Join(out, ", ")
}

func (s Scope) serves() Scope { s.ReplicaOf = ""; return s }

// ScopeError means that a lease is held by a process with another scope.
type ScopeError struct {
	Namespace, Name    string // of the lease
	Holder, Identity   string
	HolderScope, Scope Scope
}

// Error names both processes, both scopes and the fix.
func (e *ScopeError) Error() string {
	out := fmt.Sprintf("the lease %s/%s is held by %s, which serves %s; this process, %s, serves %s: these are two installations under one name; give this one a name of its own with --install NAME, or the same scope",
		e.Namespace, e.Name, e.Holder, e.HolderScope, e.Identity, e.Scope)
	if e.Scope.ReplicaOf == "" || e.HolderScope.ReplicaOf == "" {
		out += "; if it replaces the other one in a rollout of one workload, give both --replica-of WORKLOAD"
	}
	return out
}

// written is the annotation. A release that does not know it keeps it while it writes its own
// holder, so that the holder says whose scope it is.
type written struct {
	Holder string `json:"holder"`
	Scope
}

// ScopeOf returns the scope of a lease's holder; false where it is not known.
func ScopeOf(l *coordinationv1.Lease) (Scope, bool) {
	by, s, ok := scopeWritten(l)
	if !ok || by != holderOf(l) {
		return Scope{}, false
	}
	return s, true
}

// scopeWritten returns the scope on a lease, and the holder that wrote it.
func scopeWritten(l *coordinationv1.Lease) (by string, s Scope, ok bool) {
	var w written
	if json.Unmarshal([]byte(l.Annotations[ScopeAnnotation]), &w) != nil || w.Holder == "" {
		return "", Scope{}, false
	}
	return w.Holder, w.Scope, true
}

// setScope writes the scope of the holder.
func setScope(l *coordinationv1.Lease, holder string, s Scope) {
	raw, err := json.Marshal(written{Holder: holder, Scope: s})
	if err != nil { // strings only
		return
	}
	if l.Annotations == nil {
		l.Annotations = map[string]string{}
	}
	l.Annotations[ScopeAnnotation] = string(raw)
}

// conflict returns the error of a lease whose holder serves another scope. rollout is true where
// the holder is a pod of this process's own workload: it is being replaced, and is waited for.
func (o *Options) conflict(l *coordinationv1.Lease, identity string) (e *ScopeError, rollout bool) {
	theirs, known := ScopeOf(l)
	if !known || theirs.serves() == o.Scope.serves() {
		return nil, false
	}
	if theirs.ReplicaOf != "" && theirs.ReplicaOf == o.Scope.ReplicaOf {
		return nil, true
	}
	return &ScopeError{Namespace: o.Namespace, Name: o.Name, Holder: holderOf(l), Identity: identity, HolderScope: theirs, Scope: o.Scope}, false
}
