package processnode

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"github.com/scanflow-k8s/scanflow/engine"
)

const logPollInterval = 100 * time.Millisecond

// serveLogs serves the kubelet's endpoint for `kubectl logs` only. It doesn't authenticate
// its clients, and listens on the node's loopback address.
func (n *node) serveLogs(group *sync.WaitGroup) (*http.Server, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey(n.addresses.host.String(), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make the node's certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("make the node's certificate: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", n.logs)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: n.Log.StandardLogger(nil),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	group.Go(func() {
		if err := server.ServeTLS(n.addresses.listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			n.Log.Error("can't serve logs any more", "error", err)
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
		return // the container has not started yet
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
		_ = http.NewResponseController(w).Flush() // if the client has left, the next write fails
		if !engine.Sleep(req.Context(), n.Clock, logPollInterval) {
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

// seekTail seeks to the start of the last lines.
func seekTail(f *os.File, lines string) error {
	n, err := strconv.Atoi(lines)
	if err != nil || n < 0 {
		return fmt.Errorf("tailLines %q is not a number of lines", lines)
	}
	raw, err := io.ReadAll(f) // bounded by the log rotation of package pod
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
