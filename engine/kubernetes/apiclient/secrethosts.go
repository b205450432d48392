package apiclient

import (
	"context"
	"fmt"
	"net/url"

	"github.com/scanflow-k8s/scanflow/engine/hosts"
)

const (
	// HostsAnnotation of a Secret lists the hosts that it may be sent to, as hosts.Parse reads
	// them.
	HostsAnnotation = "scanflow.dev/hosts"
	// HostsFlag of the process lists hosts that every Secret may be sent to.
	HostsFlag = "--secret-hosts"
)

// NotAllowedError means that a Secret may not be sent to a host.
type NotAllowedError struct {
	// Namespace and Name are the Secret's.
	Namespace, Name string
	// Host is the host in the form of a list of hosts.
	Host string
}

// Error names the Secret, the host, and the two ways to allow it.
func (e *NotAllowedError) Error() string {
	return fmt.Sprintf("the Secret %s/%s may not be sent to %s; add that to the annotation %s of the Secret, or to %s of the process", e.Namespace, e.Name, e.Host, HostsAnnotation, HostsFlag)
}

// Allow returns nil where a Secret may be sent to an address, and otherwise the error of Read.
func (s *Secrets) Allow(ctx context.Context, namespace, name string, to *url.URL) error {
	if s.hosts.AllowsURL(to) {
		return nil
	}
	at := secretName{namespace, name}
	is, err := s.get(ctx, at)
	if err != nil {
		return fmt.Errorf("the Secret %s/%s: %w", namespace, name, err)
	}
	return s.allow(at, is, to)
}

// allow checks the flag and the Secret's annotation. A malformed annotation allows nothing.
func (s *Secrets) allow(at secretName, is *content, to *url.URL) error {
	origin, err := hosts.OriginOf(to)
	if err != nil {
		return fmt.Errorf("the Secret %s/%s is sent nowhere: %w", at.namespace, at.name, err)
	}
	if s.hosts.Allows(origin) {
		return nil
	}
	switch {
	case is.hostsErr != nil:
		return fmt.Errorf("the annotation %s of the Secret %s/%s: %w", HostsAnnotation, at.namespace, at.name, is.hostsErr)
	case !is.hosts.Allows(origin):
		return &NotAllowedError{Namespace: at.namespace, Name: at.name, Host: origin.String()}
	}
	return nil
}
