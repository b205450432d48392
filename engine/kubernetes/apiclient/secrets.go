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
	// secretTTL bounds the age of a cached Secret, and so the time until a rotation takes effect.
	secretTTL = 30 * time.Second
	// errorTTL is the same for an error, so that a fleet of a thousand does not send a thousand
	// requests for a missing Secret.
	errorTTL = 2 * time.Second
	// maxStale bounds the use of a Secret beyond secretTTL while the API server is unreachable,
	// so that sampling continues.
	maxStale = 10 * time.Minute
	// secretTimeout bounds a request, and refreshTimeout one for a cached Secret. Both are
	// shorter than the deadline of a sample.
	secretTimeout  = 3 * time.Second
	refreshTimeout = time.Second
)

var secretResource = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// Secrets reads and caches Secrets. Their content stays in memory, and never gets into an error
// or a log. It is safe for concurrent use.
type Secrets struct {
	client *Client
	clock  engine.Clock
	hosts  hosts.List // to which every Secret may be sent

	mu  sync.Mutex
	all map[secretName]*secret
}

// content is a Secret as read.
type content struct {
	data     map[string]any // in base64
	hosts    hosts.List     // of the annotation HostsAnnotation
	hostsErr error          // the annotation is malformed
}

type secretName struct{ namespace, name string }

// secret is the cache entry of a Secret. inflight is closed when the request under way has
// ended; nil if there is none.
type secret struct {
	inflight chan struct{}
	data     *content
	err      error
	read     time.Time // when data was read
	fetched  time.Time // when the last request ended
}

// NewSecrets makes an empty cache. Secrets may be sent to these hosts, and each to those of its
// annotation.
func NewSecrets(client *Client, clock engine.Clock, to hosts.List) *Secrets {
	return &Secrets{client: client, clock: clock, hosts: to, all: map[secretName]*secret{}}
}

// Read returns the value of a key, trimmed, to be sent to an address. The error names the
// Secret, the key and the host. It is a *NotAllowedError where the Secret may not be sent
// there, and temporary (engine.IsRetryable) while the API server is unreachable.
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

// Readable returns the error of reading a Secret, whatever its content is for.
func (s *Secrets) Readable(ctx context.Context, namespace, name string) error {
	_, err := s.get(ctx, secretName{namespace, name})
	return err
}

// get returns the cached Secret, or reads it if it has expired. Concurrent callers share one
// request.
func (s *Secrets) get(ctx context.Context, at secretName) (*content, error) {
	for {
		s.mu.Lock()
		now := s.clock.Now()
		is := s.all[at]
		if is == nil {
			is = &secret{}
			s.all[at] = is
		}
		if data, known, err := is.cached(now); known {
			s.mu.Unlock()
			return data, err
		}
		if is.inflight == nil {
			is.inflight = make(chan struct{})
			s.mu.Unlock()
			return s.refresh(ctx, at, is)
		}
		inflight := is.inflight
		s.mu.Unlock()
		select {
		case <-inflight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// cached returns the entry's data or error, while they have not expired.
func (e *secret) cached(now time.Time) (data *content, known bool, err error) {
	switch {
	case e.data != nil && now.Sub(e.read) < secretTTL:
		return e.data, true, nil
	case e.err == nil || now.Sub(e.fetched) >= errorTTL:
		return nil, false, nil
	case e.usableStale(now):
		return e.data, true, nil
	}
	return nil, true, e.err
}

// usableStale reports whether expired data are used because the API server is unreachable.
func (e *secret) usableStale(now time.Time) bool {
	return e.data != nil && engine.IsRetryable(e.err) && now.Sub(e.read) < secretTTL+maxStale
}

// refresh reads the Secret and releases the callers that wait for it.
func (s *Secrets) refresh(ctx context.Context, at secretName, is *secret) (*content, error) {
	limit := secretTimeout
	if is.data != nil { // written only by the request under way, which is this one
		limit = refreshTimeout
	}
	data, err := s.fetch(ctx, at, limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(is.inflight)
	is.inflight = nil
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err() // the caller gave up, which says nothing about the Secret
	}
	now := s.clock.Now()
	is.fetched, is.err = now, err
	switch {
	case err == nil:
		is.data, is.read = data, now
	case is.usableStale(now):
		return is.data, nil
	default:
		is.data = nil
	}
	return is.data, err
}

func (s *Secrets) fetch(ctx context.Context, at secretName, limit time.Duration) (*content, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o, err := s.client.Dynamic.Resource(secretResource).Namespace(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errors.New("there is no such Secret; create it in the agent's namespace")
	case apierrors.IsForbidden(err):
		cause := errors.New("this process may not read it; print its roles anew with scanflow rbac, and apply them")
		if lacks := missingRight(err); lacks != nil {
			lacks.err = cause
			return nil, lacks
		}
		return nil, cause
	case err != nil:
		return nil, Classify(fmt.Errorf("ask the API server: %w", withoutSecrets(err)))
	}
	data, _, err := unstructured.NestedMap(o.Object, "data")
	if err != nil {
		return nil, errors.New("its data can't be read")
	}
	is := &content{data: data}
	is.hosts, is.hostsErr = hosts.Parse(o.GetAnnotations()[HostsAnnotation])
	return is, nil
}
