package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/server"
)

// apiToken reads the token of --token-file; nil without the flag.
func (o *runFlags) apiToken(log hclog.Logger) (*server.Token, error) {
	if o.tokenFile == "" {
		return nil, nil
	}
	token, err := server.ReadToken(o.tokenFile, engine.WallClock{}, log)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	return token, nil
}

// userToken creates and reads the token in the data folder with which the user of this
// machine authenticates. It returns nil if --token-file or --senders authenticate users, and
// on a cluster, where anyone with access to the pod could read the file.
func (o *runFlags) userToken(log hclog.Logger) (*server.Token, error) {
	if o.tokenFile != "" || o.peers.senders != "" || o.cluster.kubernetes {
		return nil, nil
	}
	file, err := server.EnsureUserToken(o.data, log)
	if err != nil {
		return nil, err
	}
	return server.ReadToken(file, engine.WallClock{}, log)
}

// readToken reads the token of a file that a flag names; "" without a file.
func readToken(flag, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	token := strings.TrimSpace(string(raw))
	if token == "" {
		return "", fmt.Errorf("%s: %s is empty", flag, file)
	}
	return token, nil
}

// readCertPool reads the certificates of a file that a flag names.
func readCertPool(flag, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s has no certificate in PEM", flag, file)
	}
	return pool, nil
}
