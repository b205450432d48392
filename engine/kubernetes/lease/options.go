package lease

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// The defaults of Options.
const (
	DefaultDuration = 15 * time.Second
	DefaultRenew    = 10 * time.Second
	DefaultRetry    = 2 * time.Second
)

// Options configure a lease.
type Options struct {
	// Client must not be fenced by this lease, since renewals are writes. It should be a
	// connection of its own, so that a renewal never waits for other requests.
	Client          *apiclient.Client
	Namespace, Name string
	// Identity names this process to persons, for example by its pod. Each Run adds a random
	// suffix, so that a restarted process does not take its predecessor's lease for its own.
	Identity string
	// Duration is the time after its last renewal at which another process can take the lease. A
	// Lease has whole seconds, so it is rounded up. Renew is the time after the last renewal at
	// which the leader gives up. Retry is the pause between renewals, and between attempts to
	// acquire. 0 is the default.
	Duration, Renew, Retry time.Duration
	// Scope names the namespace, the agents and the shard that this process serves while it leads.
	Scope Scope
	// State shows the election to others; nil shows it to nobody.
	State *State
	Log   hclog.Logger
}

func (o Options) withDefaults() (Options, error) {
	o.Duration = cmp.Or(o.Duration, DefaultDuration)
	o.Renew = cmp.Or(o.Renew, DefaultRenew)
	o.Retry = cmp.Or(o.Retry, DefaultRetry)
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.State == nil {
		o.State = &State{}
	}
	var errs []error
	if o.Client == nil {
		errs = append(errs, errors.New("a Client is missing"))
	}
	for _, s := range []struct{ what, is string }{{"Namespace", o.Namespace}, {"Name", o.Name}, {"Identity", o.Identity}} {
		if s.is == "" {
			errs = append(errs, fmt.Errorf("the %s is missing", s.what))
		}
	}
	if o.Retry < 0 || o.Renew < 2*o.Retry {
		errs = append(errs, fmt.Errorf("retry %s: must be positive, and at most half of renew (%s), so that one lost renewal does no harm", o.Retry, o.Renew))
	}
	if o.Renew > o.Duration*9/10 {
		errs = append(errs, fmt.Errorf("renew %s: must be at most nine tenths of duration (%s), so that the leader gives up before another can take the lease", o.Renew, o.Duration))
	}
	if o.Duration > 24*time.Hour {
		errs = append(errs, fmt.Errorf("duration %s: at most 24h", o.Duration))
	}
	if err := errors.Join(errs...); err != nil {
		return o, fmt.Errorf("options of lease %q: %w", o.Name, err)
	}
	return o, nil
}

// seconds is the duration as a Lease stores it.
func (o *Options) seconds() int32 { return int32((o.Duration + time.Second - 1) / time.Second) }
