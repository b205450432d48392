package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Options configure a log. Zero values take the defaults that are named here.
type Options struct {
	// Client should be fenced, so that a deposed process does not even send a write.
	Client    *apiclient.Client
	Namespace string
	// Install is the common name of the logs of all shards; "" is Name. Name is the log's own,
	// of install and shard. Both are DNS labels; Name has 40 characters at most.
	Install, Name string
	// Writer names this process in errors of others; "" is "unnamed".
	Writer string
	// History stores everything else. It outlives the ledger, which does not close it.
	History engine.Journal
	// Owns reports whether a target belongs to this shard; nil accepts all. The acts and notes
	// of the install's other logs on such a target are remembered, too.
	Owns func(engine.TargetID) bool
	// Adopt names the logs of shards that no longer exist. Open moves their records into this log
	// and deletes them. The caller makes sure that nobody leads them, best by their lease.
	Adopt []string
	Clock engine.Clock
	Log   hclog.Logger
	// Horizon is the age up to which acts are kept, at least the longest look-back of any guard;
	// 24 h. Forget is the age up to which notes, and the last act of each strategy and verb on a
	// target, are kept; 90 days.
	Horizon, Forget time.Duration
	// SegmentBytes is the size that starts a new segment; 128 KiB. MaxObjectBytes bounds every
	// object; 900 KiB.
	SegmentBytes, MaxObjectBytes int
	// CompactAfter bounds the segments that follow the bases; 6.
	CompactAfter int
	// Gather is the time for which conclusions and ends of deliveries are collected; 100 ms.
	Gather time.Duration
	// InboxMost bounds the events in an inbox, 1,000; OutboxMost those to be delivered, 5,000.
	// Events that a firing posts are never refused.
	InboxMost, OutboxMost int
	// MailBytes bounds the bytes of the events in all inboxes and the outbox; an event in several
	// of them counts in each; 32 MiB.
	MailBytes int64
	// Patience bounds a write with all its retries; 10 s.
	Patience time.Duration
}

func (o Options) withDefaults() (Options, error) {
	o.Install = cmp.Or(o.Install, o.Name)
	o.Writer = cmp.Or(o.Writer, "unnamed")
	o.Horizon = cmp.Or(o.Horizon, 24*time.Hour)
	o.Forget = max(cmp.Or(o.Forget, 90*24*time.Hour), o.Horizon)
	o.SegmentBytes = cmp.Or(o.SegmentBytes, 128<<10)
	o.MaxObjectBytes = cmp.Or(o.MaxObjectBytes, 900<<10)
	o.CompactAfter = cmp.Or(o.CompactAfter, 6)
	o.Gather = cmp.Or(o.Gather, 100*time.Millisecond)
	o.InboxMost = cmp.Or(o.InboxMost, 1000)
	o.OutboxMost = cmp.Or(o.OutboxMost, 5000)
	o.MailBytes = cmp.Or(o.MailBytes, 32<<20)
	o.Patience = cmp.Or(o.Patience, 10*time.Second)
	if o.Clock == nil {
		o.Clock = engine.WallClock{}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Owns == nil {
		o.Owns = func(engine.TargetID) bool { return true }
	}
	return o, o.check()
}

func (o *Options) check() error {
	var errs []error
	if o.Client == nil {
		errs = append(errs, errors.New("a Client is missing"))
	}
	if o.History == nil {
		errs = append(errs, errors.New("a History is missing"))
	}
	for _, name := range append([]string{o.Install, o.Name}, o.Adopt...) {
		if why := validation.IsDNS1123Label(name); len(why) > 0 || len(name) > 40 {
			errs = append(errs, fmt.Errorf("name %q must be a DNS label of at most 40 characters%s", name, strings.Join(append([]string{""}, why...), ": ")))
		}
	}
	if o.Namespace == "" {
		errs = append(errs, errors.New("a Namespace is missing"))
	}
	if o.MaxObjectBytes < o.SegmentBytes || o.MaxObjectBytes > 1<<20 || o.SegmentBytes < 1024 {
		errs = append(errs, fmt.Errorf("sizes %d, %d: SegmentBytes must be from 1 KiB to MaxObjectBytes, and that at most 1 MiB", o.SegmentBytes, o.MaxObjectBytes))
	}
	if o.InboxMost < 1 || o.OutboxMost < 1 || o.MailBytes < 1 {
		errs = append(errs, fmt.Errorf("room for %d and %d events, and %d bytes: InboxMost, OutboxMost and MailBytes must be at least 1", o.InboxMost, o.OutboxMost, o.MailBytes))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("options of ledger %q: %w", o.Name, err)
	}
	return nil
}
