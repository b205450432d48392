package app

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Shard is a process' part of the fleet: one of Of, from 0 on. The zero value is all
// of it.
type Shard struct {
	Index, Of int
	// By is what keeps targets together: "namespace" (the default), "name" (each by
	// itself) or "label=KEY" (those of one value).
	By string
}

// ParseShard reads "1/3", and what to go by.
func ParseShard(text, by string) (Shard, error) {
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

func (s Shard) whole() bool { return s.Of <= 1 }

// takes tells whether a target is of this shard, by FNV-1a of what keeps it together.
func (s Shard) takes(namespace, name string, labels map[string]string) bool {
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

// remembers tells of which targets this shard should know what was done before.
// Labels are not known of a target that is only remembered, so by label it is all.
func (s Shard) remembers(id engine.TargetID) bool {
	return strings.HasPrefix(s.By, "label=") || s.takes(id.Namespace, id.Name, nil)
}

// all are the names of what belongs to each of the shards.
func (s Shard) all(install string) []string {
	if s.whole() {
		return []string{install}
	}
	out := make([]string, s.Of)
	for i := range out {
		out[i] = Shard{Index: i, Of: s.Of}.named(install)
	}
	return out
}

// named is the name of what belongs to this shard alone: its Lease, its ledger.
func (s Shard) named(install string) string {
	if s.whole() {
		return install
	}
	return fmt.Sprintf("%s-%d", install, s.Index)
}
