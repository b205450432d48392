package app

import (
	"crypto/tls"
	"net/http"
	"sync"
)

// peerTransport makes the requests to peers. Once the TLS is another, so are the
// connections: a rotated authority counts for the next request.
type peerTransport struct {
	tls func() *tls.Config // nil is the system's authorities, and no certificate

	mu   sync.Mutex
	with *tls.Config
	now  *http.Transport
}

func newPeerTransport(config func() *tls.Config) *peerTransport {
	if config == nil {
		config = func() *tls.Config { return nil }
	}
	return &peerTransport{tls: config}
}

func (p *peerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.current().RoundTrip(r)
}

func (p *peerTransport) current() *http.Transport {
	with := p.tls()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != nil && p.with == with {
		return p.now
	}
	if p.now != nil {
		p.now.CloseIdleConnections()
	}
	p.with, p.now = with, http.DefaultTransport.(*http.Transport).Clone()
	p.now.MaxIdleConnsPerHost = 4
	p.now.TLSClientConfig = with.Clone()
	return p.now
}

// CloseIdleConnections gives them back.
func (p *peerTransport) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now != nil {
		p.now.CloseIdleConnections()
	}
}
