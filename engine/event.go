package engine

import (
	"errors"
	"strings"
	"time"
)

// Event is a CloudEvent (CloudEvents 1.0 attribute names) on its way to an agent.
type Event struct {
	ID      string    `json:"id"`
	Source  string    `json:"source"`
	Type    string    `json:"type"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time"`
	// Data is what encoding/json makes of JSON. Of an event on its way between two
	// processes it may be json.RawMessage: sound, within the limits, and decoded by nobody.
	Data any `json:"data,omitempty"`
	// Hops is how many events led to this one, each sent because of the one before:
	// the extension attribute scanflowhops. MaxHops bounds it.
	Hops int `json:"hops,omitempty"`
	// Sender is who it came from, as that was found out here: the agent as
	// namespace/name, or a declared sender's name. It is not taken from the event.
	Sender string `json:"sender,omitempty"`
	// Held is set where an agent could not do all for it yet. No sender writes it, and no
	// policy sees it.
	Held *Held `json:"held,omitempty"`
	// Call is set of what is no event, and no inbox ever has: a request of an act that the
	// outbox delivers.
	Call *Call `json:"call,omitempty"`
	// Alert is what an event made of an alert says of it, until Mail has taken the event
	// over: it decides by that under which id the event is kept. Nil for any other.
	Alert *AlertStatus `json:"-"`
}

// name identifies an event in one inbox.
func (e *Event) name() string { return e.Source + "\x00" + e.ID }

// tells is true of what nobody need want: the end of a workflow, a promotion, that a
// person is asked. What else an agent sends asks for something, and somebody has to.
func (e *Event) tells() bool {
	return !strings.HasPrefix(e.Source, AgentSource) || e.Type == ApprovalRequested
}

// MaxHops is the most events in a row of which each was sent because of the one
// before. Agents that ask each other in a circle end there.
const MaxHops = 16

// Sender is who hands events over, as authenticated.
type Sender struct {
	// Name is the sender's, as it is declared; OperatorSender for who may use the API.
	Name string
	// Peer is another Scanflow, which speaks for its own agents: the sender of an event
	// of theirs is the agent that its source names.
	Peer bool
}

// OperatorSender is the name of who holds the process's own token.
const OperatorSender = "api"

// Receipt says what became of one event that was handed over.
type Receipt struct {
	ID      string         `json:"id"`
	Source  string         `json:"source"`
	Verdict ReceiptVerdict `json:"verdict"`
	// Why is for a person, where the verdict is not accepted.
	Why string `json:"why,omitempty"`
}

// ReceiptVerdict is what became of an event that was handed over.
type ReceiptVerdict string

const (
	// Accepted is durable: the event will be handled, once. One that was there before is
	// accepted again, and changes nothing.
	Accepted ReceiptVerdict = "accepted"
	// UnwantedEvent is one of a type that no agent here has a trigger for.
	UnwantedEvent ReceiptVerdict = "unwanted"
	// RefusedEvent is one that no agent takes from this sender, or that has come too far.
	RefusedEvent ReceiptVerdict = "refused"
)

// ErrFull is wrapped where an inbox or the outbox has no room: not all was taken, and
// the same may be handed over again later.
var ErrFull = errors.New("no room for more events")

// ErrTooLarge is wrapped where what was handed over can't be kept in one piece: nothing
// was taken, and the same would be refused again. Fewer events at once may be taken.
var ErrTooLarge = errors.New("too large")
