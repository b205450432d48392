package sensors

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// TLS configures the trusted authorities and the client certificate.
type TLS struct {
	CAFile             string `json:"caFile,omitempty" doc:"PEM file of the authorities to trust, instead of the system's"`
	CertFile           string `json:"certFile,omitempty" process:"certificate" doc:"PEM file of our own certificate; for agents given by -f"`
	KeyFile            string `json:"keyFile,omitempty" process:"certificate" doc:"PEM file of its key; for agents given by -f"`
	ServerName         string `json:"serverName,omitempty" doc:"name to find in the server's certificate, if it is not the address's"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty" doc:"accept any certificate"`
}

// Check returns a certificate without a key, or a key without a certificate.
func (t TLS) Check() mistake.Mistakes {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return mistake.Mistakes{{Message: "certFile and keyFile go together"}}
	}
	return nil
}

func (t TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := readCA(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read caFile: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("caFile %s has no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" || t.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read certFile and keyFile: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// maxCABytes bounds a file of authorities, in bytes. The authorities that a system trusts take
// a quarter of it.
const maxCABytes = 1 << 20

// readCA reads a regular file. The author of an Agent chooses its name: reading a pipe
// would block the process, and reading a device would exhaust its memory.
func readCA(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() && info.Size() == 0: // files in /proc report size 0 and may be endless
		return nil, fmt.Errorf("%s is empty", file)
	}
	return plainfile.Read(file, maxCABytes)
}
