package server

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/alertmanager"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

const (
	// maxBodyBytes bounds a body, maxBatchEvents the events of a batch, and maxGroupAlerts the
	// alerts of a group, which Alertmanager can't split.
	maxBodyBytes   = 4 << 20
	maxBatchEvents = 1000
	maxGroupAlerts = 5000
	// maxRequestsPerSender bounds the concurrent requests of one sender. Another Scanflow
	// sends up to 16.
	maxRequestsPerSender = 32
	// maxInflightBytes bounds the bodies of all requests in flight. While events are stored,
	// there are several copies of each: as written, and within the journal.
	maxInflightBytes = 32 << 20
	// receiveTimeout bounds the storing of a request's events.
	receiveTimeout = 20 * time.Second
)

// eventReceiver handles requests with events.
type eventReceiver struct {
	*authenticator
	receive  func(context.Context, engine.Sender, []engine.Event) ([]engine.Receipt, error)
	inflight *inflightLimiter
	clock    engine.Clock
	log      hclog.Logger
	// These limit the log messages about requests.
	fullLog, largeLog, truncatedLog logThrottle
}

func newEventReceiver(o Options, auth *authenticator) *eventReceiver {
	return &eventReceiver{
		authenticator: auth,
		receive:       o.Receive, inflight: newInflightLimiter(maxRequestsPerSender, maxInflightBytes), clock: o.Clock, log: o.Log,
		fullLog: logThrottle{clock: o.Clock}, largeLog: logThrottle{clock: o.Clock}, truncatedLog: logThrottle{clock: o.Clock},
	}
}

// requestReader decodes the events of a request, and returns a function that computes the
// status of the response from the receipts.
type requestReader func(r *http.Request, reserve func(bytes int64) error) ([]engine.Event, statusOf, error)

type statusOf func([]engine.Receipt) int

// handler receives the events that read finds in a request of an authorized sender.
func (in *eventReceiver) handler(read requestReader) http.Handler {
	return in.require(Send, func(w http.ResponseWriter, r *http.Request, caller Caller) {
		in.exchangeInstallationIDs(w, r, caller)
		from := caller.Sender
		length := r.ContentLength
		if length > maxBodyBytes { // read refuses it
			length = 0
		}
		slot, err := in.inflight.acquire(from.Name, length)
		if err != nil {
			in.retryLater(w, from, err)
			return
		}
		defer slot.release()
		events, status, err := read(r, slot.reserve)
		switch {
		case errors.Is(err, errTooManyBytes):
			in.retryLater(w, from, err)
			return
		case err != nil:
			replyUnreadable(w, err)
			return
		}
		in.deliver(w, r, from, events, status)
	})
}

// deliver passes the events on and responds with the receipts.
func (in *eventReceiver) deliver(w http.ResponseWriter, r *http.Request, from engine.Sender, events []engine.Event, status statusOf) {
	ctx, cancel := context.WithTimeout(r.Context(), receiveTimeout)
	defer cancel()
	receipts, err := in.receive(ctx, from, events)
	switch {
	case errors.Is(err, engine.ErrFull) || engine.IsRetryable(err):
		in.retryLater(w, from, err)
	case errors.Is(err, engine.ErrTooLarge): // a smaller batch may be accepted
		if skipped, now := in.largeLog.allow(); now {
			in.log.Warn("events not taken: too large", "sender", from.Name, "events", len(events), "error", err, "not told", skipped)
		}
		replyJSON(w, http.StatusRequestEntityTooLarge, errorBody{Error: err.Error()})
	case err != nil:
		in.log.Error("events not taken", "sender", from.Name, "events", len(events), "error", err)
		replyJSON(w, http.StatusInternalServerError, errorBody{Error: err.Error()})
	default:
		if receipts == nil {
			receipts = []engine.Receipt{} // of an empty batch
		}
		replyJSON(w, status(receipts), map[string]any{"receipts": receipts})
	}
}

// retryLater asks the sender to try again.
func (in *eventReceiver) retryLater(w http.ResponseWriter, from engine.Sender, err error) {
	if skipped, now := in.fullLog.allow(); now {
		in.log.Warn("events not taken; their sender tries again", "sender", from.Name, "error", err, "not told", skipped)
	}
	replyUnavailable(w, err.Error())
}

// readEvents decodes CloudEvents. The status of a single event depends on its receipt.
func (in *eventReceiver) readEvents(r *http.Request, reserve func(int64) error) ([]engine.Event, statusOf, error) {
	events, err := cloudevents.Read(r, cloudevents.Limits{Bytes: maxBodyBytes, Events: maxBatchEvents, Hold: reserve}, in.clock.Now())
	return events, func(receipts []engine.Receipt) int {
		if len(receipts) != 1 {
			return http.StatusAccepted
		}
		switch receipts[0].Verdict {
		case engine.Accepted:
			return http.StatusAccepted
		case engine.UnwantedEvent:
			return http.StatusNotFound
		}
		return http.StatusForbidden
	}, err
}

// readAlerts decodes a notification of Alertmanager. Alerts that no agent waits for are not an
// error, because Alertmanager would count it as a failed notification. If all alerts of a
// sender are refused, it gets an error.
func (in *eventReceiver) readAlerts(r *http.Request, reserve func(int64) error) ([]engine.Event, statusOf, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, nil, fmt.Errorf("%w: alerts come as application/json", cloudevents.ErrMediaType)
	}
	body, err := cloudevents.ReadBody(r, cloudevents.Limits{Bytes: maxBodyBytes, Hold: reserve})
	if err != nil {
		return nil, nil, err
	}
	events, err := alertmanager.Read(body, maxGroupAlerts)
	if left := alertmanager.Truncated(body); err == nil && left > 0 {
		if skipped, now := in.truncatedLog.allow(); now {
			in.log.Warn("alerts of a group never come: their sender leaves them out; unset max_alerts there", "alerts", left, "not told", skipped)
		}
	}
	return events, func(receipts []engine.Receipt) int {
		for _, receipt := range receipts {
			if receipt.Verdict != engine.RefusedEvent {
				return http.StatusAccepted
			}
		}
		return http.StatusForbidden
	}, err
}

// replyUnreadable responds to a request that can't be decoded.
func replyUnreadable(w http.ResponseWriter, err error) {
	var mistakes mistake.Mistakes
	answer, code := errorBody{Error: err.Error()}, http.StatusBadRequest
	switch {
	case errors.As(err, &mistakes):
		answer.Mistakes = mistakes.Lines()
	case errors.Is(err, cloudevents.ErrTooLarge), errors.Is(err, alertmanager.ErrTooMany), errors.Is(err, alertmanager.ErrTooLarge):
		code = http.StatusRequestEntityTooLarge
	case errors.Is(err, cloudevents.ErrMediaType):
		code = http.StatusUnsupportedMediaType
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer.Error, code = "the body did not come in time", http.StatusRequestTimeout
	}
	answer.Error = strings.ReplaceAll(answer.Error, "\n", "; ")
	replyJSON(w, code, answer)
}

// replyUnavailable asks the client to try again. It closes the connection, so that a load
// balancer may choose another replica for the next one.
func replyUnavailable(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", retryAfter)
	w.Header().Set("Connection", "close")
	replyJSON(w, http.StatusServiceUnavailable, errorBody{Error: why})
}
