package app

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
	"github.com/scanflow-k8s/scanflow/sensors"
)

// secretHostsEvery is the time between two looks at where Secrets may be sent, which is
// how long a Secret that was read is taken for what it is.
const secretHostsEvery = 30 * time.Second

// secretHostsFor bounds a look.
const secretHostsFor = 20 * time.Second

// watchSecretHosts keeps each agent's status saying which of its Secrets may not be sent to
// where the agent wants them: a sensor says so when it samples, but what a webhook shows
// is not read until it is called, which may be next month.
func (s *System) watchSecretHosts(ctx context.Context) {
	for {
		if s.host.Load() != nil { // else another replica writes the status
			for _, a := range *s.agents.Load() {
				if ctx.Err() != nil {
					return
				}
				s.cluster.board.withheld(a.Info().String(), s.withheld(ctx, a))
			}
		}
		again, stop := s.opts.Clock.Timer(secretHostsEvery)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-again:
		case <-s.cluster.applied:
			stop()
		}
	}
}

// withheld are the Secrets of an agent that may not be sent where they should go, or are
// not there, each with its field. Of a host that is made of a target's fields, it is known
// once the Secret was to be sent there. What can't be known now is not among them.
func (s *System) withheld(ctx context.Context, a *manifest.Agent) []string {
	ctx, cancel := context.WithTimeout(ctx, secretHostsFor)
	defer cancel()
	around := s.surroundings()
	var out []string
	for _, use := range a.SecretUses() {
		wanted := s.cluster.refused.of(secretID{a.Metadata.Namespace, use.Ref.Name}, s.opts.Clock.Now())
		if to, known := secretAddress(a, use, around); known {
			wanted = []*url.URL{to}
		} else {
			wanted = slices.DeleteFunc(wanted, func(to *url.URL) bool { return !wants(use, to) })
		}
		for _, to := range wanted {
			err := s.cluster.secrets.Allow(ctx, a.Metadata.Namespace, use.Ref.Name, to)
			if err != nil && !engine.MayPass(err) && ctx.Err() == nil {
				out = append(out, use.Field+": "+err.Error())
			}
		}
	}
	return out
}

// secretAddress is where a Secret is sent. It is not known where the host is made of a
// target's fields, or the process has no server of that kind.
func secretAddress(a *manifest.Agent, use manifest.SecretUse, around Surroundings) (to *url.URL, known bool) {
	address := use.To
	if address == "" && use.Sensor >= 0 {
		address = sensors.DefaultAddress(a.Spec.Sensors[use.Sensor].Config, sensors.Env{Prometheus: around.Prometheus, MLflow: around.MLflow})
	}
	to, err := url.Parse(address)
	return to, err == nil && to.Host != "" && !strings.Contains(to.Host, "{")
}

var placeholder = regexp.MustCompile(`\\\{.*?\\\}`) // quoted

// wants reports whether a reference may be what a Secret was to be sent to an address
// for: an address that its placeholders can make, or one of a pod.
func wants(use manifest.SecretUse, to *url.URL) bool {
	if use.To == "" {
		return net.ParseIP(to.Hostname()) != nil
	}
	scheme, rest, _ := strings.Cut(use.To, "://")
	host, _, _ := strings.Cut(rest, "/")
	like, err := regexp.Compile("^" + placeholder.ReplaceAllString(regexp.QuoteMeta(host), ".*") + "$")
	return err == nil && scheme == to.Scheme && like.MatchString(to.Host)
}

// HostDoubts are the Secrets that agents send to hosts which a list does not have: on a
// cluster nothing is sent there, unless the Secret's own annotation allows it.
func HostDoubts(agents []*manifest.Agent, allowed hosts.List) []string {
	var out []string
	for _, a := range agents {
		for _, use := range a.SecretUses() {
			host := "the addresses of the pods, as a network like http://10.244.0.0/16:8080,"
			to, known := secretAddress(a, use, Surroundings{})
			switch {
			case known && allowed.AllowsURL(to):
				continue
			case known:
				origin, err := hosts.Of(to)
				if host = origin.String(); err != nil {
					continue // reading the manifest has refused it
				}
			case use.To != "":
				host = "each host of " + use.To
			case sensors.DefaultAddress(a.Spec.Sensors[use.Sensor].Config, sensors.Env{Prometheus: "p", MLflow: "m"}) != "":
				host = "the server of --prometheus or --mlflow"
			}
			out = append(out, a.Mistaken(use.Field+".secretKeyRef", fmt.Sprintf("the Secret %s/%s goes to allowed hosts alone", a.Metadata.Namespace, use.Ref.Name),
				fmt.Sprintf("have %s in the annotation %s of the Secret, or in %s of the process", host, apiclient.HostsAnnotation, apiclient.HostsFlag)).Error())
		}
	}
	return out
}
