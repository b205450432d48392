package clusterview

import (
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// podIndex finds pods by owner and by label. The store of pods updates it.
type podIndex struct {
	mu      sync.RWMutex
	byOwner map[podOwner][]*cachedPod
	// byLabel is built on first use: only workloads that their pods don't name need it.
	byLabel map[podLabel][]*cachedPod
	pods    map[*cachedPod]struct{}
}

type podLabel struct{ namespace, name, value string }

func newPodIndex() *podIndex {
	return &podIndex{byOwner: map[podOwner][]*cachedPod{}, pods: map[*cachedPod]struct{}{}}
}

func (x *podIndex) update(before, after *cachedPod) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before != nil {
		delete(x.pods, before)
		for _, o := range before.owners {
			removePod(x.byOwner, o, before)
		}
		if x.byLabel != nil {
			for k, v := range before.labels {
				removePod(x.byLabel, podLabel{before.namespace, k, v}, before)
			}
		}
	}
	if after != nil {
		x.pods[after] = struct{}{}
		for _, o := range after.owners {
			x.byOwner[o] = append(x.byOwner[o], after)
		}
		x.indexLabels(after)
	}
}

func (x *podIndex) indexLabels(p *cachedPod) {
	if x.byLabel == nil {
		return
	}
	for k, v := range p.labels {
		at := podLabel{p.namespace, k, v}
		x.byLabel[at] = append(x.byLabel[at], p)
	}
}

func removePod[K comparable](from map[K][]*cachedPod, at K, p *cachedPod) {
	list := from[at]
	i := slices.Index(list, p)
	if i < 0 {
		return
	}
	if len(list) == 1 {
		delete(from, at)
		return
	}
	list[i], list[len(list)-1] = list[len(list)-1], nil
	from[at] = list[:len(list)-1]
}

// of returns the pods of a workload by name, ended ones too: those that name it as their
// owner, or else those that its selector matches.
func (x *podIndex) of(owner podOwner, selector string) []*cachedPod {
	x.mu.RLock()
	out := slices.Clone(x.byOwner[owner])
	x.mu.RUnlock()
	if len(out) == 0 && selector != "" {
		out = x.selectedBy(owner.namespace, selector)
	}
	slices.SortFunc(out, func(a, b *cachedPod) int { return strings.Compare(a.name, b.name) })
	return out
}

func (x *podIndex) selectedBy(namespace, text string) []*cachedPod {
	selector, err := labels.Parse(text)
	if err != nil || selector.Empty() { // an empty one matches every pod
		return nil
	}
	return x.matching(namespace, selector)
}

// matching returns the pods of a namespace ("" is all) that a selector matches.
func (x *podIndex) matching(namespace string, selector labels.Selector) []*cachedPod {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byLabel == nil {
		x.byLabel = map[podLabel][]*cachedPod{}
		for p := range x.pods {
			x.indexLabels(p)
		}
	}
	var candidates []*cachedPod
	narrowed := false
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		values := r.ValuesUnsorted()
		if op := r.Operator(); len(values) != 1 || op != selection.Equals && op != selection.DoubleEquals && op != selection.In {
			continue // only `label = value` is indexed
		}
		if namespace == "" {
			break // the index is by namespace
		}
		if list := x.byLabel[podLabel{namespace, r.Key(), values[0]}]; !narrowed || len(list) < len(candidates) {
			candidates, narrowed = list, true
		}
	}
	if !narrowed {
		for p := range x.pods {
			if namespace == "" || p.namespace == namespace {
				candidates = append(candidates, p)
			}
		}
	}
	var out []*cachedPod
	for _, p := range candidates {
		if selector.Matches(labels.Set(p.labels)) {
			out = append(out, p)
		}
	}
	return out
}
