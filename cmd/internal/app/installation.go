package app

import (
	"cmp"
	"fmt"
	"os"

	"k8s.io/client-go/rest"

	"github.com/scanflow-k8s/scanflow/engine/installation"
)

// reachOthers makes the clients towards peers, and those for agents, which mark what they
// send as an agent's. Nothing is sent yet.
func (s *System) reachOthers() {
	for _, at := range s.opts.Listens {
		s.Installation.AddListener(at)
	}
	s.forAgents = s.Installation.AgentTransport()
	toPeers := s.Installation.PeerTransport(newPeerTransport(s.opts.Mail.PeerTLS), func(err error) {
		s.opts.Log.Error("a peer is known until the next start only", "error", err)
	})
	s.courier = newCourier(s.opts.Mail, &s.credentials, toPeers, s.forAgents)
	s.neighbours = newNeighbours(s.opts.Mail, s.courier.peerHeader, toPeers, s.opts.Clock, s.opts.Log)
}

// openInstallation finds out which installation this process is of. In a cluster all
// replicas and shards of one are the same, though they share no folder.
func (s *System) openInstallation() error {
	if err := os.MkdirAll(s.opts.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	id := ""
	if k := s.opts.Kubernetes; k != nil {
		cluster, err := clusterName(k.Client.Config)
		if err != nil {
			return err
		}
		id = installation.DeriveID(cluster, k.Client.Namespace, cmp.Or(k.Install, defaultInstall))
	}
	return s.Installation.Open(s.opts.Data, id)
}

// defaultInstall is the name of an installation in a cluster that was given none.
const defaultInstall = "scanflow"

// clusterName tells clusters apart, and is the same from everywhere: the authority of the
// API server, or, where none is given, its address.
func clusterName(c *rest.Config) (string, error) {
	if len(c.CAData) > 0 || c.CAFile == "" {
		return cmp.Or(string(c.CAData), c.Host), nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return "", fmt.Errorf("the authority of the API server: %w", err)
	}
	return string(pem), nil
}
