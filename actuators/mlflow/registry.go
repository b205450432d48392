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

// Registry is the tracker that the verbs write to, and what they need besides.
type Registry struct {
	Client *tracker.Client
	// Credentials finds what an agent sends in the Authorization header of a request to
	// an address, "" for nothing; nil leaves the client's own.
	Credentials func(ctx context.Context, agent, url string) (string, error)
	// Headers finds the other headers of such a request, those that may be shown and those
	// that are secret; nil sends none.
	Headers func(ctx context.Context, agent, url string) (plain, secret http.Header, err error)
	// Publish tells the agents; nil tells nobody.
	Publish func(context.Context, engine.Event) error
	Now     func() time.Time
}

// as is the client with an agent's credentials.
func (r *Registry) as(agent string) *tracker.Client {
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
	// ErrMoved says that the world is no longer what the plan was made from.
	ErrMoved = errors.New("it was changed after it was planned")
	// ErrNothingBefore says that there is no version to go back to.
	ErrNothingBefore = errors.New("there is nothing to go back to")
)

// The tags that the verbs put on versions of models.
const (
	// TagArchived is when a version was replaced in production (RFC 3339).
	TagArchived = "scanflow.archived"
	// TagRolledBack is when a version was taken out of production for serving badly (RFC
	// 3339): it is not promoted again.
	TagRolledBack = "scanflow.rolled_back"
	// TagRolledBackReason is why.
	TagRolledBackReason = "scanflow.rolled_back_reason"
)

// classify marks what may pass, for the engine to try again.
func classify(err error) error {
	if tracker.Passing(err) {
		return engine.Retry(err)
	}
	return err
}

// refuse is the error for parameters with mistakes; nil if there are none.
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
