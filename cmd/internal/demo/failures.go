package demo

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// failures is a transport that notes which requests were not answered as they should be.
type failures struct {
	http.RoundTripper
	mu   sync.Mutex
	list []failure
}

// failure is when such a request was sent, and when it ended.
type failure struct{ sent, ended time.Time }

func newFailures(connections int) *failures {
	return &failures{RoundTripper: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true}}
}

// RoundTrip notes an error, a status that is no success, and an answer that breaks off.
func (f *failures) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := time.Now()
	res, err := f.RoundTripper.RoundTrip(req)
	switch {
	case err != nil || res.StatusCode < 200 || res.StatusCode > 299:
		f.note(sent)
	default:
		res.Body = &watchedBody{res.Body, func() { f.note(sent) }}
	}
	return res, err
}

func (f *failures) note(sent time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, failure{sent, time.Now()})
}

// between counts those that were under way at any time of a stretch.
func (f *failures) between(from, to time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.list {
		if !x.sent.After(to) && !x.ended.Before(from) {
			n++
		}
	}
	return n
}

// watchedBody tells once when it breaks off.
type watchedBody struct {
	io.ReadCloser
	broken func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && b.broken != nil {
		b.broken()
		b.broken = nil
	}
	return n, err
}
