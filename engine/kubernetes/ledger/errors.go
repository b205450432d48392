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
	// ErrTooLarge means that a firing, an approval or a post does not fit into one object.
	// Nothing was written. It is an engine.ErrTooLarge.
	ErrTooLarge = fmt.Errorf("%w for one object of the cluster", engine.ErrTooLarge)
	// ErrUnknown means that the answer to the write was lost, and that it could not be read
	// back. If it landed, it is undone, except for posted events and resent dead letters.
	ErrUnknown = errors.New("not known whether it was written")
	// ErrNotFound means that there is no such intent or event.
	ErrNotFound = errors.New("not found")
	// ErrClosed means that the ledger was closed.
	ErrClosed = errors.New("the ledger is closed")
)

// deposed names the process that writes the log now. It is an apiclient.ErrDeposed.
func deposed(log, by string) error {
	if by == "" {
		by = "another process"
	}
	return fmt.Errorf("ledger %s has another writer, %s: %w", log, by, apiclient.ErrDeposed)
}

// lost reports whether a write with this error may have landed.
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
