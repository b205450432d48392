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
	// bodyBytes bounds a body, batchEvents the events of a batch, and groupAlerts the
	// alerts of a group, which its sender can't take apart.
	bodyBytes   = 4 << 20
	batchEvents = 1000
	groupAlerts = 5000
	// atOnce is how many requests of one sender are under way; another Scanflow hands
	// over 16 at once.
	atOnce = 32
	// roomBytes bounds the bodies of all requests under way. Of one that is taken over,
	// some copies are made: as it is written, and within the journal.
	roomBytes = 32 << 20
	// takeTimeout bounds the taking over of what a request brings.
	takeTimeout = 20 * time.Second
)

// reception is the way in for events.
type reception struct {
	*doorkeeper
	take  func(context.Context, engine.Sender, []engine.Event) ([]engine.Receipt, error)
	turns *turns
	clock engine.Clock
	log   hclog.Logger
	// full, large and short are for the lines of the log that any number of requests cause.
	full, large, short rarely
}

func newReception(o Options, door *doorkeeper) *reception {
	return &reception{
		doorkeeper: door,
		take:       o.Receive, turns: newTurns(atOnce, roomBytes), clock: o.Clock, log: o.Log,
		full: rarely{clock: o.Clock}, large: rarely{clock: o.Clock}, short: rarely{clock: o.Clock},
	}
}

// reader takes the events out of a request, and says with which status they are
// answered for.
type reader func(r *http.Request, hold func(bytes int64) error) ([]engine.Event, statusOf, error)

type statusOf func([]engine.Receipt) int

// handler takes over what read finds in a request, from a sender that is known.
func (in *reception) handler(read reader) http.Handler {
	return in.admits(Send, func(w http.ResponseWriter, r *http.Request, who Caller) {
		in.introduce(w, r, who)
		from := who.Sender
		length := r.ContentLength
		if length > bodyBytes { // it will be told so
			length = 0
		}
		turn, err := in.turns.take(from.Name, length)
		if err != nil {
			in.later(w, from, err)
			return
		}
		defer turn.giveBack()
		events, status, err := read(r, turn.hold)
		switch {
		case errors.Is(err, errRoom):
			in.later(w, from, err)
			return
		case err != nil:
			unreadable(w, err)
			return
		}
		in.hand(w, r, from, events, status)
	})
}

// hand gives the events to who handles them, and answers with the receipts.
func (in *reception) hand(w http.ResponseWriter, r *http.Request, from engine.Sender, events []engine.Event, status statusOf) {
	ctx, cancel := context.WithTimeout(r.Context(), takeTimeout)
	defer cancel()
	receipts, err := in.take(ctx, from, events)
	switch {
	case errors.Is(err, engine.ErrFull) || engine.MayPass(err):
		in.later(w, from, err)
	case errors.Is(err, engine.ErrTooLarge): // fewer at once may be taken
		if skipped, now := in.large.say(); now {
			in.log.Warn("events not taken: too large", "sender", from.Name, "events", len(events), "error", err, "not told", skipped)
		}
		reply(w, http.StatusRequestEntityTooLarge, failure{Error: err.Error()})
	case err != nil:
		in.log.Error("events not taken", "sender", from.Name, "events", len(events), "error", err)
		reply(w, http.StatusInternalServerError, failure{Error: err.Error()})
	default:
		if receipts == nil {
			receipts = []engine.Receipt{} // of an empty batch
		}
		reply(w, status(receipts), map[string]any{"receipts": receipts})
	}
}

// later has a sender try again.
func (in *reception) later(w http.ResponseWriter, from engine.Sender, err error) {
	if skipped, now := in.full.say(); now {
		in.log.Warn("events not taken; their sender tries again", "sender", from.Name, "error", err, "not told", skipped)
	}
	tryLater(w, err.Error())
}

// readEvents reads CloudEvents. What became of a single one is the status.
func (in *reception) readEvents(r *http.Request, hold func(int64) error) ([]engine.Event, statusOf, error) {
	events, err := cloudevents.Read(r, cloudevents.Limits{Bytes: bodyBytes, Events: batchEvents, Hold: hold}, in.clock.Now())
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

// readAlerts reads what Alertmanager sends. Alerts that nobody waits for are no error,
// which Alertmanager would count as a failed notification; a sender from whom none is
// taken should hear of it.
func (in *reception) readAlerts(r *http.Request, hold func(int64) error) ([]engine.Event, statusOf, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, nil, fmt.Errorf("%w: alerts come as application/json", cloudevents.ErrMediaType)
	}
	body, err := cloudevents.ReadBody(r, cloudevents.Limits{Bytes: bodyBytes, Hold: hold})
	if err != nil {
		return nil, nil, err
	}
	events, err := alertmanager.Read(body, groupAlerts)
	if left := alertmanager.LeftOut(body); err == nil && left > 0 {
		if skipped, now := in.short.say(); now {
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

// unreadable answers for what can't be read.
func unreadable(w http.ResponseWriter, err error) {
	var mistakes mistake.Mistakes
	answer, code := failure{Error: err.Error()}, http.StatusBadRequest
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
	reply(w, code, answer)
}

// tryLater refuses for now, and ends the connection: the next one may reach another
// replica, by whatever balances connections in front.
func tryLater(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", retryAfter)
	w.Header().Set("Connection", "close")
	reply(w, http.StatusServiceUnavailable, failure{Error: why})
}
