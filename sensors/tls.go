package sensors

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
	"github.com/scanflow-k8s/scanflow/engine/plainfile"
)

// TLS says whom to trust and who we are.
type TLS struct {
	CAFile             string `json:"caFile,omitempty" doc:"PEM file of the authorities to trust, instead of the system's"`
	CertFile           string `json:"certFile,omitempty" process:"certificate" doc:"PEM file of our own certificate; for agents given by -f"`
	KeyFile            string `json:"keyFile,omitempty" process:"certificate" doc:"PEM file of its key; for agents given by -f"`
	ServerName         string `json:"serverName,omitempty" doc:"name to find in the server's certificate, if it is not the address's"`
	InsecureSkipVerify bool   `json:"insecureSkipVerify,omitempty" doc:"accept any certificate"`
}

// Check finds a certificate without its key.
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

// longestCA bounds a file of authorities, in bytes: all that a system trusts fit into a
// quarter of it.
const longestCA = 1 << 20

// readCA reads a regular file. The name may come from whoever may create Agents, and a
// pipe would hold the process, a device fill its memory.
func readCA(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() && info.Size() == 0: // those of /proc, too, which need not end
		return nil, fmt.Errorf("%s is empty", file)
	}
	return plainfile.Read(file, longestCA)
}
