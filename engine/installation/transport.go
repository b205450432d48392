package installation

import (
	"errors"
	"net/http"
	"time"
)

// ErrRefused is the error for a request that the API of this installation, or of a peer,
// rejected because an agent made it.
var ErrRefused = errors.New("it is the API of this installation or of one of its peers, and no agent may use that; send an event without a url to reach other agents")

// AgentTransport is a transport for the requests of agents. It sets Header and never connects
// to a listener of this process.
func (i *Installation) AgentTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = i.DialContext
	t.MaxIdleConnsPerHost = 4
	t.IdleConnTimeout = 30 * time.Second
	return &headerTransport{next: t, setHeader: func(r *http.Request) { r.Header.Set(Header, i.ID()) }}
}

// PeerTransport is a transport for requests to peers. It sets PeerHeader, and adds the id that
// a peer responds with. It calls failed if the id can't be saved.
func (i *Installation) PeerTransport(next http.RoundTripper, failed func(error)) http.RoundTripper {
	return &headerTransport{
		next:      next,
		setHeader: func(r *http.Request) { r.Header.Set(PeerHeader, i.ID()) },
		readAnswer: func(r *http.Response) {
			if err := i.AddPeerID("--peer "+r.Request.URL.Host, r.Header.Get(PeerHeader)); err != nil {
				failed(err)
			}
		},
	}
}

// Refused returns ErrRefused if a response rejects the request because an agent made it. It
// must not be retried.
func Refused(r *http.Response) error {
	if r.StatusCode == http.StatusForbidden && r.Header.Get(RefusedHeader) != "" {
		return ErrRefused
	}
	return nil
}

// headerTransport is a transport that sets a header.
type headerTransport struct {
	next       http.RoundTripper
	setHeader  func(*http.Request)
	readAnswer func(*http.Response) // may be nil
}

func (m *headerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a RoundTripper must not change the request
	m.setHeader(r)
	resp, err := m.next.RoundTrip(r)
	if err == nil && m.readAnswer != nil {
		m.readAnswer(resp)
	}
	return resp, err
}

// CloseIdleConnections closes those of the next transport, as http.Client expects.
func (m *headerTransport) CloseIdleConnections() {
	if next, ok := m.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}
