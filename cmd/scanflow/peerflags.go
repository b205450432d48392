package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/cmd/internal/app/peers"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// peerFlags configure who may connect to this process, and the peers that it connects to.
type peerFlags struct {
	senders           string
	cert, key         string
	clientCA          string
	urls              []string
	tokenFile, caFile string
}

func (o *peerFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.senders, "senders", "", "file of those who may send events, see the API, or answer for a person, besides who has the token of --token-file")
	f.StringVar(&o.cert, "tls-cert", "", "file of the certificate to listen with, in PEM; it is shown to peers too")
	f.StringVar(&o.key, "tls-key", "", "file of its key")
	f.StringVar(&o.clientCA, "client-ca", "", "file of the authorities that sign the certificates of senders")
	listFlag(f, &o.urls, "peer", "", "base URL of another scanflow, whose agents get the events of these, and whose claims count here; may be given again")
	f.StringVar(&o.tokenFile, "peer-token-file", "", "file with the bearer token to show to peers")
	f.StringVar(&o.caFile, "peer-ca", "", "file of the authorities that sign the certificates of peers; absent: the system's")
}

// check refuses flags that don't go together.
func (o *peerFlags) check() error {
	var errs []error
	if (o.cert == "") != (o.key == "") {
		errs = append(errs, errors.New("--tls-cert and --tls-key: give both, or none"))
	}
	if o.clientCA != "" && o.cert == "" {
		errs = append(errs, errors.New("--client-ca: goes with --tls-cert and --tls-key"))
	}
	for _, peer := range o.urls {
		u, err := url.Parse(peer)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
			errs = append(errs, errors.New("--peer: wants a base URL like https://scanflow-east:8282, without a user or a query"))
		}
	}
	if len(o.urls) == 0 && (o.tokenFile != "" || o.caFile != "") {
		errs = append(errs, errors.New("--peer-token-file and --peer-ca: go with --peer"))
	}
	return errors.Join(errs...)
}

// inbound returns the senders that are accepted and the TLS configuration of the listener;
// each is nil if it is not configured. No sender may have the process's own token.
func (o *peerFlags) inbound(own *server.Token, log hclog.Logger) (senders *server.Senders, config *tls.Config, err error) {
	if o.senders != "" {
		if senders, err = server.ReadSenders(o.senders, own, log); err != nil {
			return nil, nil, fmt.Errorf("--senders: %w", err)
		}
	}
	if o.cert != "" {
		if config, err = server.TLS(o.cert, o.key, o.clientCA, log); err != nil {
			return nil, nil, fmt.Errorf("--tls-cert: %w", err)
		}
	}
	return senders, config, nil
}

// outbound returns the options for connections to peers.
func (o *peerFlags) outbound(log hclog.Logger) (peers.Options, error) {
	out := peers.Options{URLs: o.urls, TokenFile: o.tokenFile}
	if _, err := readToken("--peer-token-file", o.tokenFile); err != nil { // it is read again at each use
		return out, err
	}
	if len(o.urls) == 0 || o.caFile == "" && o.cert == "" {
		return out, nil
	}
	var err error
	if out.TLS, err = server.PeerTLS(o.caFile, o.cert, o.key, log); err != nil {
		return out, fmt.Errorf("--peer-ca, and --tls-cert towards peers: %w", err)
	}
	return out, nil
}
