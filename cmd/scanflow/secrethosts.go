package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/engine/hosts"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// secretHostsFlag is --secret-hosts.
type secretHostsFlag struct{ hosts []string }

func (o *secretHostsFlag) add(c *cobra.Command) {
	listFlag(c.Flags(), &o.hosts, strings.TrimPrefix(apiclient.HostsFlag, "--"), "", "with agents of a cluster: hosts that the Secrets which agents name (secretKeyRef) may be sent to, besides those of a Secret's annotation "+
		apiclient.HostsAnnotation+": https://HOST, http://HOST:PORT, https://*.DOMAIN, http://NETWORK/BITS:PORT; without a scheme it is https")
}

// list parses the flag.
func (o *secretHostsFlag) list() (hosts.List, error) {
	list, err := hosts.Parse(strings.Join(o.hosts, ","))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", apiclient.HostsFlag, err)
	}
	return list, nil
}
