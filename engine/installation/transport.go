package installation

import (
	"errors"
	"net/http"
	"time"
)

// ErrRefused is an answer of the API of this installation, or of a peer's, to an agent.
var ErrRefused = errors.New("it is the API of this installation or of one of its peers, and no agent may use that; send an event without a url to reach other agents")

// ForAgents is a transport for what agents send: it marks each request, and connects to
// no listener of this process.
func (i *Installation) ForAgents() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = i.DialContext
	t.MaxIdleConnsPerHost = 4
	t.IdleConnTimeout = 30 * time.Second
	return &marked{next: t, mark: func(r *http.Request) { r.Header.Set(Header, i.ID()) }}
}

// ForPeers has requests to a peer say who we are, and learns from its answers who it is.
// failed is told where that can't be written down.
func (i *Installation) ForPeers(next http.RoundTripper, failed func(error)) http.RoundTripper {
	return &marked{
		next: next,
		mark: func(r *http.Request) { r.Header.Set(PeerHeader, i.ID()) },
		answered: func(r *http.Response) {
			if err := i.Learn("--peer "+r.Request.URL.Host, r.Header.Get(PeerHeader)); err != nil {
				failed(err)
			}
		},
	}
}

// Refused is ErrRefused where an answer says that an agent may not make the request, which
// is so however often it is made.
func Refused(r *http.Response) error {
	if r.StatusCode == http.StatusForbidden && r.Header.Get(RefusedHeader) != "" {
		return ErrRefused
	}
	return nil
}

// marked is a transport that sets a header.
type marked struct {
	next     http.RoundTripper
	mark     func(*http.Request)
	answered func(*http.Response) // nil looks at none
}

func (m *marked) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // it is the caller's
	m.mark(r)
	resp, err := m.next.RoundTrip(r)
	if err == nil && m.answered != nil {
		m.answered(resp)
	}
	return resp, err
}

// CloseIdleConnections gives them back.
func (m *marked) CloseIdleConnections() {
	if next, ok := m.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
