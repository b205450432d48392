package apiclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
)

const (
	// secretsKept is how long a Secret that was read is taken for what it is: one that
	// was rotated is taken up after that.
	secretsKept = 30 * time.Second
	// refusalsKept is the same for an error, so that a fleet of a thousand does not ask
	// a thousand times for what is not there.
	refusalsKept = 2 * time.Second
	// secretsOutlive is how long one is used beyond that where the API server is away:
	// sensing goes on then.
	secretsOutlive = 10 * time.Minute
	// secretTimeout bounds a request, and secretHaste one that can do without an answer:
	// both are below what a sample has in all.
	secretTimeout = 3 * time.Second
	secretHaste   = time.Second
)

var secretResource = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// Secrets reads keys of Secrets, each Secret at most once in a while. What is in them
// stays in memory, and never gets into an error or a log. It is safe for concurrent use.
type Secrets struct {
	client *Client
	clock  engine.Clock
	hosts  hosts.List // that every Secret may be sent to

	mu  sync.Mutex
	all map[secretName]*secret
}

// content is a Secret as it was read at one moment.
type content struct {
	data  map[string]any // in base64
	hosts hosts.List     // of the annotation HostsAnnotation
	wrong error          // with the annotation; then hosts counts for nothing
}

type secretName struct{ namespace, name string }

// secret is what the API server last said. busy is closed when the request that is
// under way has ended; nil where there is none.
type secret struct {
	busy  chan struct{}
	data  *content
	err   error
	read  time.Time // when data was
	asked time.Time // the last request
}

// NewSecrets makes a reader of Secrets without any. Each may be sent to these hosts, and
// to those of its own annotation.
func NewSecrets(client *Client, clock engine.Clock, to hosts.List) *Secrets {
	return &Secrets{client: client, clock: clock, hosts: to, all: map[secretName]*secret{}}
}

// Read returns the value of a key, without white space around it, to be sent to an
// address. The error names the Secret, the key and the host. It is a *NotAllowedError
// where the Secret may not be sent there, and may pass (engine.IsRetryable) where the API
// server is away.
func (s *Secrets) Read(ctx context.Context, namespace, name, key string, to *url.URL) (string, error) {
	if namespace == "" || name == "" { // the API server would list them
		return "", errors.New("a Secret without a name or a namespace can't be read")
	}
	at := secretName{namespace, name}
	is, err := s.get(ctx, at)
	if err != nil {
		return "", fmt.Errorf("key %q of Secret %s/%s: %w", key, namespace, name, err)
	}
	if err := s.allow(at, is, to); err != nil {
		return "", err
	}
	encoded, there := is.data[key].(string)
	if !there {
		return "", fmt.Errorf("the Secret %s/%s has no key %q; add it, or name another", namespace, name, key)
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil { // the error would quote it
		return "", fmt.Errorf("key %q of Secret %s/%s is not in base64", key, namespace, name)
	}
	value := strings.TrimSpace(string(raw))
	if value == "" {
		return "", fmt.Errorf("key %q of Secret %s/%s is empty", key, namespace, name)
	}
	return value, nil
}

// get asks the API server where what is known is too old. Of many callers at a time,
// one asks, and the others wait for it.
func (s *Secrets) get(ctx context.Context, at secretName) (*content, error) {
	for {
		s.mu.Lock()
		now := s.clock.Now()
		is := s.all[at]
		if is == nil {
			is = &secret{}
			s.all[at] = is
		}
		if data, known, err := is.known(now); known {
			s.mu.Unlock()
			return data, err
		}
		if is.busy == nil {
			is.busy = make(chan struct{})
			s.mu.Unlock()
			return s.refresh(ctx, at, is)
		}
		busy := is.busy
		s.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// known is what need not be asked for.
func (e *secret) known(now time.Time) (data *content, known bool, err error) {
	switch {
	case e.data != nil && now.Sub(e.read) < secretsKept:
		return e.data, true, nil
	case e.err == nil || now.Sub(e.asked) >= refusalsKept:
		return nil, false, nil
	case e.outlives(now):
		return e.data, true, nil
	}
	return nil, true, e.err
}

// outlives tells whether old data are used, since the API server is away.
func (e *secret) outlives(now time.Time) bool {
	return e.data != nil && engine.IsRetryable(e.err) && now.Sub(e.read) < secretsKept+secretsOutlive
}

// refresh asks the API server, and lets the others go on.
func (s *Secrets) refresh(ctx context.Context, at secretName, is *secret) (*content, error) {
	limit := secretTimeout
	if is.data != nil { // nobody else writes it while this request is under way
		limit = secretHaste
	}
	data, err := s.ask(ctx, at, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(is.busy)
	is.busy = nil
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err() // the caller's own end says nothing of the Secret
	}
	now := s.clock.Now()
	is.asked, is.err = now, err
	switch {
	case err == nil:
		is.data, is.read = data, now
	case is.outlives(now):
		return is.data, nil
	default:
		is.data = nil
	}
	return is.data, err
}

func (s *Secrets) ask(ctx context.Context, at secretName, limit time.Duration) (*content, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o, err := s.client.Dynamic.Resource(secretResource).Namespace(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errors.New("there is no such Secret; create it in the agent's namespace")
	case apierrors.IsForbidden(err):
		return nil, errors.New("this process may not read it; print its roles anew with scanflow rbac, and apply them")
	case err != nil:
		return nil, Classify(fmt.Errorf("ask the API server: %w", withoutSecrets(err)))
	}
	data, _, err := unstructured.NestedMap(o.Object, "data")
	if err != nil {
		return nil, errors.New("its data can't be read")
	}
	is := &content{data: data}
	is.hosts, is.wrong = hosts.Parse(o.GetAnnotations()[HostsAnnotation])
	return is, nil
}
