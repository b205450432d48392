// Package shard splits a fleet over several processes: each target belongs to exactly
// one shard. It imports nothing but the engine's types. Start reading at Shard.
package shard

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Shard is the part of the fleet that a process owns: number Index of Of, counted from
// 0. The zero value owns every target.
type Shard struct {
	Index, Of int
	// By is the key of the shards: "namespace" (the default), "name" (each target by itself)
	// or "label=KEY" (targets with the same value of a label are in one shard).
	By string
}

// Parse reads the flags --shard, such as "1/3", and --shard-by.
func Parse(text, by string) (Shard, error) {
	s := Shard{By: by}
	if text != "" {
		index, of, ok := strings.Cut(text, "/")
		var errIndex, errOf error
		s.Index, errIndex = strconv.Atoi(index)
		s.Of, errOf = strconv.Atoi(of)
		if !ok || errors.Join(errIndex, errOf) != nil || s.Of < 1 || s.Index < 0 || s.Index >= s.Of {
			return Shard{}, fmt.Errorf("--shard: %q is no part of a whole; write I/N with I from 0 to N-1, like 0/3", text)
		}
	}
	if key, label := strings.CutPrefix(by, "label="); by != "" && by != "namespace" && by != "name" && (!label || key == "") {
		return Shard{}, fmt.Errorf("--shard-by: %q is not known; write namespace, name or label=KEY", by)
	}
	return s, nil
}

// String is "I/N by KEY"; "" where this is the only shard.
func (s Shard) String() string {
	if s.whole() {
		return ""
	}
	return fmt.Sprintf("%d/%d by %s", s.Index, s.Of, cmp.Or(s.By, "namespace"))
}

func (s Shard) whole() bool { return s.Of <= 1 }

// Owns reports whether a target belongs to this shard, by the FNV-1a hash of what keeps
// it together with others.
func (s Shard) Owns(namespace, name string, labels map[string]string) bool {
	if s.whole() {
		return true
	}
	key := namespace
	switch label, by := strings.CutPrefix(s.By, "label="); {
	case by:
		key = labels[label]
	case s.By == "name":
		key = namespace + "/" + name
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32()%uint32(s.Of)) == s.Index
}

// Remembers reports whether this shard loads the history of a target. The history has
// no labels, so a shard by label loads all of it.
func (s Shard) Remembers(id engine.TargetID) bool {
	return strings.HasPrefix(s.By, "label=") || s.Owns(id.Namespace, id.Name, nil)
}

// Name is the name of this shard's Lease and ledger.
func (s Shard) Name(install string) string {
	if s.whole() {
		return install
	}
	return fmt.Sprintf("%s-%d", install, s.Index)
}

// Names are the names of the Leases and ledgers of all shards.
func (s Shard) Names(install string) []string {
	if s.whole() {
		return []string{install}
	}
	out := make([]string, s.Of)
	for i := range out {
		out[i] = Shard{Index: i, Of: s.Of}.Name(install)
	}
	return out
}
