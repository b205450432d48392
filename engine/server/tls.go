package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
)

// TLS returns the configuration of a server with the certificate and key in two PEM files.
// Clients may present certificates that an authority in clientCAFile has signed; "" accepts
// none. The files are read again when they change.
func TLS(certFile, keyFile, clientCAFile string, log hclog.Logger) (*tls.Config, error) {
	files := []string{certFile, keyFile}
	if clientCAFile != "" {
		files = append(files, clientCAFile)
	}
	current, err := newReloadedFiles(files, log, func() (*tls.Config, error) { return readTLS(certFile, keyFile, clientCAFile) })
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.get(), nil },
	}, nil
}

// PeerTLS returns the configuration of connections to peers: with the authorities in caFile,
// "" for the system's, and with the certificate and key in two files, "" for none. It changes
// when a file has changed.
func PeerTLS(caFile, certFile, keyFile string, log hclog.Logger) (func() *tls.Config, error) {
	var files []string
	for _, file := range []string{caFile, certFile, keyFile} {
		if file != "" {
			files = append(files, file)
		}
	}
	current, err := newReloadedFiles(files, log, func() (*tls.Config, error) { return readPeerTLS(caFile, certFile, keyFile) })
	if err != nil {
		return nil, err
	}
	return current.get, nil
}

func readPeerTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("authorities of peers: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities of peers: %s has no certificate in PEM", caFile)
		}
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c, nil
}

func readTLS(certFile, keyFile, clientCAFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{pair}}
	if clientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(clientCAFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of clients: %w", err)
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of clients: %s has no certificate in PEM", clientCAFile)
	}
	return c, nil
}
