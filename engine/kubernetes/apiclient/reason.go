package apiclient

import (
	"context"
	"errors"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Reason classifies why a request to the API server failed, for metrics and alerts.
type Reason string

// The reasons.
const (
	Forbidden    Reason = "forbidden"    // 403: RBAC or admission
	Unauthorized Reason = "unauthorized" // 401: the credentials were revoked, or have expired
	Unreachable  Reason = "unreachable"  // no connection
	TimedOut     Reason = "timeout"      // no answer in time
	Failing      Reason = "failing"      // 5xx, 429: the API server answers, and can't serve
	NotThere     Reason = "missing"      // 404: the object, its namespace or its kind
	Other        Reason = "other"
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{Forbidden, Unauthorized, Unreachable, TimedOut, Failing, NotThere, Other}
}

// ReasonOf returns the reason of an error; "" for nil.
func ReasonOf(err error) Reason {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch code := status.Status().Code; {
		case code == http.StatusForbidden:
			return Forbidden
		case code == http.StatusUnauthorized:
			return Unauthorized
		case code == http.StatusNotFound:
			return NotThere
		case code == http.StatusRequestTimeout || code == http.StatusGatewayTimeout:
			return TimedOut
		case code == http.StatusTooManyRequests || code >= 500:
			return Failing
		}
		return Other
	}
	var netErr net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	case Missing(err):
		return NotThere
	case errors.As(err, &netErr):
		if netErr.Timeout() {
			return TimedOut
		}
		return Unreachable
	case utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err):
		return Unreachable
	}
	return Other
}
