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

// Classify marks an error of the API server as one that may pass (engine.Retry)
// where trying the same again can help: the server is away, busy (429), failing
// (5xx) or slow, or our token has expired and may be renewed. A conflict (409), a
// refusal (403, 422, a webhook) and a missing object (404) are final: whoever
// planned must look again.
//
// An ErrDeposed may pass, too: of an act that fails by it nobody can say here what
// became of it (an earlier attempt may have landed), so it must not end as failed. It
// goes on until its agent is stopped, and is the next leader's to settle.
func Classify(err error) error {
	switch {
	case err == nil || engine.IsRetryable(err):
		return err
	case mayPass(err):
		return engine.Retry(err)
	}
	return err
}

func mayPass(err error) bool {
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
