package ledger

import (
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

var (
	// ErrTooLarge: a firing, an approval, or what was posted at once does not fit into one object. Nothing was written.
	// It is an engine.ErrTooLarge.
	ErrTooLarge = fmt.Errorf("%w for one object of the cluster", engine.ErrTooLarge)
	// ErrUnknown: the answer to the write was lost, and it could not be read back. If
	// it landed, it is taken back, but for events that were posted, and letters that were
	// sent again.
	ErrUnknown = errors.New("not known whether it was written")
	// ErrNotFound: there is no such intent, or no such event.
	ErrNotFound = errors.New("not found")
	// ErrClosed: the ledger was closed.
	ErrClosed = errors.New("the ledger is closed")
)

// deposed says who writes the log now; it is a apiclient.ErrDeposed.
func deposed(log, by string) error {
	if by == "" {
		by = "another process"
	}
	return fmt.Errorf("ledger %s has another writer, %s: %w", log, by, apiclient.ErrDeposed)
}

// lost tells an error after which the write may have landed from one after which it
// has not.
func lost(err error) bool {
	var status apierrors.APIStatus
	switch {
	case err == nil || errors.Is(err, apiclient.ErrDeposed) || utilnet.IsConnectionRefused(err):
		return false
	case errors.As(err, &status):
		code := status.Status().Code
		return code == http.StatusRequestTimeout || code == 0 || code >= 500
	}
	return true
}
