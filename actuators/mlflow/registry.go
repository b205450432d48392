package mlflow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	tracker "github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// Registry holds the client of the tracker that the verbs write to, and their environment.
type Registry struct {
	Client *tracker.Client
	// Credentials returns the Authorization header of an agent's requests to an address; ""
	// sends none, and nil keeps the client's own.
	Credentials func(ctx context.Context, agent, url string) (string, error)
	// Headers returns the other headers of such a request: those that may be shown and those
	// that are secret; nil sends none.
	Headers func(ctx context.Context, agent, url string) (plain, secret http.Header, err error)
	// Publish delivers an event to the agents; nil drops it.
	Publish func(context.Context, engine.Event) error
	Now     func() time.Time
}

// clientOf returns the client with an agent's credentials.
func (r *Registry) clientOf(agent string) *tracker.Client {
	if r.Credentials == nil {
		return r.Client
	}
	return r.Client.As(func(ctx context.Context) (plain, secret http.Header, err error) {
		authorization, err := r.Credentials(ctx, agent, r.Client.URL())
		if err == nil && r.Headers != nil {
			plain, secret, err = r.Headers(ctx, agent, r.Client.URL())
		}
		if err == nil && authorization != "" {
			if secret == nil {
				secret = http.Header{}
			}
			secret.Set("Authorization", authorization)
		}
		return plain, secret, err
	})
}

// Errors of the verbs.
var (
	// ErrMoved: the tracker was changed since the plan was made.
	ErrMoved = errors.New("it was changed after it was planned")
	// ErrNothingBefore: there is no version to roll back to.
	ErrNothingBefore = errors.New("there is nothing to go back to")
)

// The tags that the verbs set on model versions.
const (
	// TagArchived is the time when a version was replaced in production (RFC 3339).
	TagArchived = "scanflow.archived"
	// TagRolledBack is the time when a version was rolled back (RFC 3339). A version with
	// it is not promoted again.
	TagRolledBack = "scanflow.rolled_back"
	// TagRolledBackReason is the reason of the rollback.
	TagRolledBackReason = "scanflow.rolled_back_reason"
)

// classify marks the errors that the engine may retry.
func classify(err error) error {
	if tracker.Retryable(err) {
		return engine.Retry(err)
	}
	return err
}

// refuse returns the error of parameters with mistakes; nil without any.
func refuse(p engine.Proposal, mistakes []string) error {
	if len(mistakes) == 0 {
		return nil
	}
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = errors.New(m)
	}
	return fmt.Errorf("%s: %w", p.Primitive, errors.Join(errs...))
}
