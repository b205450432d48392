package credentials

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

const (
	// refusalKept is the time for which the reader remembers that it refused a Secret to a host.
	refusalKept = time.Hour
	// maxRefusals bounds the hosts remembered of a Secret: each may be made of the name of
	// a target.
	maxRefusals = 5
)

// SecretReader reads Secrets of Kubernetes for agents, and remembers to which hosts it
// refused them. Where a host is made of a target's fields, only the use of a Secret shows
// which host it is.
type SecretReader struct {
	secrets *apiclient.Secrets
	clock   engine.Clock

	mu      sync.Mutex
	refused map[secretID]map[string]refusal // by host
}

type secretID struct{ namespace, name string }

type refusal struct {
	to *url.URL
	at time.Time
}

// NewSecretReader makes a reader that has refused nothing yet.
func NewSecretReader(secrets *apiclient.Secrets, clock engine.Clock) *SecretReader {
	return &SecretReader{secrets: secrets, clock: clock, refused: map[secretID]map[string]refusal{}}
}

// Read reads a key of a Secret that an agent of a namespace sends to an address.
func (r *SecretReader) Read(ctx context.Context, namespace string, ref manifest.SecretKeyRef, to *url.URL) (string, error) {
	value, err := r.secrets.Read(ctx, namespace, ref.Name, ref.Key, to)
	if refused := (*apiclient.NotAllowedError)(nil); errors.As(err, &refused) {
		r.remember(secretID{refused.Namespace, refused.Name}, refused.Host, to)
	}
	return value, err
}

func (r *SecretReader) remember(id secretID, host string, to *url.URL) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused[id] == nil {
		r.refused[id] = map[string]refusal{}
	}
	if _, known := r.refused[id][host]; known || len(r.refused[id]) < maxRefusals {
		r.refused[id][host] = refusal{to, r.clock.Now()}
	}
}

// refusedTo lists the addresses that a Secret was refused to lately, sorted.
func (r *SecretReader) refusedTo(id secretID) []*url.URL {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	maps.DeleteFunc(r.refused[id], func(_ string, h refusal) bool { return now.Sub(h.at) > refusalKept })
	var out []*url.URL
	for _, host := range slices.Sorted(maps.Keys(r.refused[id])) {
		out = append(out, r.refused[id][host].to)
	}
	return out
}
