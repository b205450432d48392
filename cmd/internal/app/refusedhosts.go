package app

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

const (
	// refusedFor is how long a host is remembered after a Secret was refused to it.
	refusedFor = time.Hour
	// refusedMost bounds how many hosts are remembered of a Secret: each may be made of a
	// target's name.
	refusedMost = 5
)

// refusedHosts remembers where Secrets were refused to. Where a host is made of a target's
// fields, nobody knows it before the Secret is to be sent there.
type refusedHosts struct {
	mu sync.Mutex
	by map[secretID]map[string]refusedHost // by host
}

type secretID struct{ namespace, name string }

type refusedHost struct {
	to *url.URL
	at time.Time
}

// note remembers an error that is a refusal.
func (r *refusedHosts) note(err error, to *url.URL, now time.Time) {
	var refused *apiclient.NotAllowedError
	if !errors.As(err, &refused) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := secretID{refused.Namespace, refused.Name}
	if r.by == nil {
		r.by = map[secretID]map[string]refusedHost{}
	}
	if r.by[id] == nil {
		r.by[id] = map[string]refusedHost{}
	}
	if _, there := r.by[id][refused.Host]; there || len(r.by[id]) < refusedMost {
		r.by[id][refused.Host] = refusedHost{to, now}
	}
}

// of are the addresses that a Secret was refused to lately, in order.
func (r *refusedHosts) of(id secretID, now time.Time) []*url.URL {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.by[id], func(_ string, h refusedHost) bool { return now.Sub(h.at) > refusedFor })
	var out []*url.URL
	for _, host := range slices.Sorted(maps.Keys(r.by[id])) {
		out = append(out, r.by[id][host].to)
	}
	return out
}
