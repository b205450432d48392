package apiclient

import (
	"context"
	"errors"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/scanflow-k8s/scanflow/engine"
)

// Classify marks an error of the API server as temporary (engine.Retry) where the same request
// can succeed later: the server is unreachable, busy (429), failing (5xx) or slow, or our token
// has expired and may be renewed. A conflict (409), a refusal (403, 422, a webhook) and a
// missing object (404) are final: the caller must plan again. Where this process lacks a right,
// the error has a *ForbiddenError in its chain.
//
// ErrDeposed is temporary as well. An act that fails with it may have landed in an earlier
// attempt, so it must not be recorded as failed. It goes on until its agent is stopped, and the
// next leader concludes it.
func Classify(err error) error {
	switch {
	case err == nil || engine.IsRetryable(err):
		return err
	case isTemporary(err):
		return engine.Retry(err)
	}
	if lacks := missingRight(err); lacks != nil {
		return lacks
	}
	return err
}

func isTemporary(err error) bool {
	if errors.Is(err, ErrDeposed) {
		return true
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code == http.StatusUnauthorized || code == http.StatusRequestTimeout || code >= 500
	}
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) ||
		utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err)
}
