package credentials

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/sensors"
)

const (
	// checkEvery is the time between two checks of where Secrets may be sent: as long as
	// the reader caches a Secret.
	checkEvery = 30 * time.Second
	// checkTimeout bounds the check of one agent.
	checkTimeout = 20 * time.Second
)

// HostChecker reports, for the status of each agent, which of its Secrets may not be sent
// where the agent wants them. A sensor finds that out when it samples, but a webhook reads
// its Secret only when it is called, which may be next month.
type HostChecker struct {
	HostCheckerOptions
	changed chan struct{}
}

// HostCheckerOptions configure a HostChecker; all are required.
type HostCheckerOptions struct {
	Secrets *SecretReader
	// Servers has the base URLs for sensors that name none.
	Servers sensors.Env
	// Agents returns the agents that run.
	Agents func() []*manifest.Agent
	// Leading reports whether this process writes the statuses.
	Leading func() bool
	// Report receives the Secrets of an agent that are withheld, and the rights to read them
	// that the process lacks; hash is the Generation of its manifest.
	Report func(agent, hash string, withheld []string, rights []engine.RightError)
	Clock  engine.Clock
}

// NewHostChecker makes a checker that does nothing before Run.
func NewHostChecker(o HostCheckerOptions) *HostChecker {
	return &HostChecker{HostCheckerOptions: o, changed: make(chan struct{}, 1)}
}

// AgentsChanged has the next check come now.
func (c *HostChecker) AgentsChanged() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// Run checks all agents again and again until ctx ends.
func (c *HostChecker) Run(ctx context.Context) {
	for {
		if c.Leading() {
			for _, a := range c.Agents() {
				if ctx.Err() != nil {
					return
				}
				hash, err := a.Generation()
				if err != nil {
					continue // impossible for an agent that runs: its spec has the hash
				}
				withheld, rights := c.withheld(ctx, a)
				c.Report(a.Info().String(), hash, withheld, rights)
			}
		}
		again, stop := c.Clock.Timer(checkEvery)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-again:
		case <-c.changed:
			stop()
		}
	}
}

// withheld lists the Secrets of an agent that don't exist or may not be sent to their
// address, each with its field. Where the host is made of a target's fields, it knows the
// hosts that were refused before. It leaves out what can't be found out now, and those that
// the process has no right to read.
func (c *HostChecker) withheld(ctx context.Context, a *manifest.Agent) (out []string, rights []engine.RightError) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for _, use := range a.SecretUses() {
		if lacks := engine.MissingRight(c.Secrets.secrets.Readable(ctx, a.Metadata.Namespace, use.Ref.Name)); lacks != nil {
			rights = engine.AddMissingRight(rights, lacks)
			continue
		}
		addresses := c.Secrets.refusedTo(secretID{a.Metadata.Namespace, use.Ref.Name})
		if to, known := secretAddress(a, use, c.Servers); known {
			addresses = []*url.URL{to}
		} else {
			addresses = slices.DeleteFunc(addresses, func(to *url.URL) bool { return !mayBeFor(use, to) })
		}
		for _, to := range addresses {
			err := c.Secrets.secrets.Allow(ctx, a.Metadata.Namespace, use.Ref.Name, to)
			if err != nil && !engine.IsRetryable(err) && ctx.Err() == nil {
				out = append(out, use.Field+": "+err.Error())
			}
		}
	}
	return out, rights
}

// secretAddress returns where a Secret is sent. It is unknown where the host is made of a
// target's fields, or the process has no server of that kind.
func secretAddress(a *manifest.Agent, use manifest.SecretUse, servers sensors.Env) (to *url.URL, known bool) {
	address := use.To
	if address == "" && use.Sensor >= 0 {
		address = sensors.DefaultAddress(a.Spec.Sensors[use.Sensor].Config, servers)
	}
	to, err := url.Parse(address)
	return to, err == nil && to.Host != "" && !strings.Contains(to.Host, "{")
}

var placeholder = regexp.MustCompile(`\\\{.*?\\\}`) // quoted

// mayBeFor reports whether an address may come from this use of a Secret: its
// placeholders can make the address, or the use is for pods and the address is an IP.
func mayBeFor(use manifest.SecretUse, to *url.URL) bool {
	if use.To == "" {
		return net.ParseIP(to.Hostname()) != nil
	}
	scheme, rest, _ := strings.Cut(use.To, "://")
	host, _, _ := strings.Cut(rest, "/")
	pattern, err := regexp.Compile("^" + placeholder.ReplaceAllString(regexp.QuoteMeta(host), ".*") + "$")
	return err == nil && scheme == to.Scheme && pattern.MatchString(to.Host)
}

// HostWarnings lists the Secrets that agents send to hosts outside of a list. A process on
// a cluster does not send them there, unless the annotation of the Secret allows it.
func HostWarnings(agents []*manifest.Agent, allowed hosts.List) mistake.Mistakes {
	var out mistake.Mistakes
	for _, a := range agents {
		for _, use := range a.SecretUses() {
			host := "the addresses of the pods, as a network like http://10.244.0.0/16:8080,"
			to, known := secretAddress(a, use, sensors.Env{})
			switch {
			case known && allowed.AllowsURL(to):
				continue
			case known:
				origin, err := hosts.OriginOf(to)
				if host = origin.String(); err != nil {
					continue // reading the manifest has refused it
				}
			case use.To != "":
				host = "each host of " + use.To
			case sensors.DefaultAddress(a.Spec.Sensors[use.Sensor].Config, sensors.Env{Prometheus: "p", MLflow: "m"}) != "":
				host = "the server of --prometheus or --mlflow"
			}
			out = append(out, a.MistakeAt(use.Field+".secretKeyRef", fmt.Sprintf("the Secret %s/%s goes to allowed hosts alone", a.Metadata.Namespace, use.Ref.Name),
				fmt.Sprintf("have %s in the annotation %s of the Secret, or in %s of the process", host, apiclient.HostsAnnotation, apiclient.HostsFlag)))
		}
	}
	return out
}
