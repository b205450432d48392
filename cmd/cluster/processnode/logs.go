package processnode

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

const logPollInterval = 100 * time.Millisecond

// serveLogs answers what the API server asks a kubelet for `kubectl logs`, and
// nothing else. Whoever can reach the node's loopback address can read them.
func (n *node) serveLogs(group *sync.WaitGroup) (*http.Server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the node's key: %w", err)
	}
	now := n.Clock.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the node's certificate: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.logs)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: n.Log.StandardLogger(nil),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
	}
	group.Go(func() {
		if err := server.ServeTLS(n.addresses.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			n.Log.Error("logs are not served any more", "error", err)
		}
	})
	return server, nil
}

func (n *node) logs(w http.ResponseWriter, req *http.Request) {
	r := n.find(req.PathValue("namespace"), req.PathValue("pod"))
	if r == nil {
		http.Error(w, "the pod is not on this node", http.StatusNotFound)
		return
	}
	known := false
	for _, c := range containers(&r.latest().Spec) {
		known = known || c.Name == req.PathValue("container")
	}
	if !known {
		http.Error(w, "the pod has no such container", http.StatusNotFound)
		return
	}
	f, err := os.Open(r.logPath(req.PathValue("container")))
	if errors.Is(err, os.ErrNotExist) {
		return // it has not started yet
	}
	if err == nil {
		defer func() { _ = f.Close() }()
		if tail := req.FormValue("tailLines"); tail != "" {
			err = seekTail(f, tail)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	follow := req.FormValue("follow") == "true"
	for {
		_, err := io.Copy(w, f)
		r.mu.Lock()
		ended := r.state.ended()
		r.mu.Unlock()
		if err != nil || !follow || ended || r.deletedCtx.Err() != nil || n.draining.Err() != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // a client that has left shows at the next write
		if !n.pause(req.Context(), logPollInterval) {
			return
		}
	}
}

func (n *node) find(namespace, name string) *podRunner {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.runners {
		if o := r.latest(); o.Namespace == namespace && o.Name == name {
			return r
		}
	}
	return nil
}

// seekTail goes to the last so many lines.
func seekTail(f *os.File, lines string) error {
	n, err := strconv.Atoi(lines)
	if err != nil || n < 0 {
		return fmt.Errorf("tailLines %q is not a number of lines", lines)
	}
	raw, err := io.ReadAll(f) // at most what package pod lets a log grow to, and a run more
	if err != nil {
		return err
	}
	text := bytes.TrimSuffix(raw, []byte("\n"))
	at := len(raw)
	for ; n > 0 && at > 0; n-- {
		at = bytes.LastIndexByte(text, '\n') + 1
		text = text[:max(0, at-1)]
	}
	_, err = f.Seek(int64(at), io.SeekStart)
	return err
}
