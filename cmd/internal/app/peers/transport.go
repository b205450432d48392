package peers

import (
	"crypto/tls"
	"net/http"
	"sync"
)

// Transport makes the requests to peers. When the TLS configuration changes, it opens new
// connections: a rotated authority applies from the next request on.
type Transport struct {
	config func() *tls.Config

	mu   sync.Mutex
	with *tls.Config // the configuration of used
	used *http.Transport
}

// NewTransport makes one that asks for its configuration at each request. Nil uses the
// system's authorities and shows no certificate.
func NewTransport(config func() *tls.Config) *Transport {
	if config == nil {
		config = func() *tls.Config { return nil }
	}
	return &Transport{config: config}
}

// RoundTrip makes one request.
func (p *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.current().RoundTrip(r)
}

func (p *Transport) current() *http.Transport {
	with := p.config()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used != nil && p.with == with {
		return p.used
	}
	if p.used != nil {
		p.used.CloseIdleConnections()
	}
	p.with, p.used = with, http.DefaultTransport.(*http.Transport).Clone()
	p.used.MaxIdleConnsPerHost = 4
	p.used.TLSClientConfig = with.Clone()
	return p.used
}

// CloseIdleConnections closes the connections that no request uses.
func (p *Transport) CloseIdleConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used != nil {
		p.used.CloseIdleConnections()
	}
}
