package load

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Options is what to send, where, and when. Zero values take the defaults given here.
type Options struct {
	// URL is where queries are posted.
	URL string
	// Body makes the n-th query's body and its media type. It is called from many
	// goroutines at a time. The bytes are not changed, so they may be shared.
	Body func(n int) (contentType string, body []byte)
	// Header makes further headers of the n-th query; nil for none. It is called as Body
	// is.
	Header func(n int) map[string]string
	Phases []Phase
	// Seed fixes the arrivals.
	Seed uint64
	// Timeout bounds one query, from the moment at which it is sent: 10 s.
	Timeout time.Duration
	// MaxOutstanding bounds the queries under way. One that is due beyond it is not
	// sent and counts as an error: 1024.
	MaxOutstanding int
	// Transport sends; nil takes one of its own that keeps a connection for each outstanding query.
	Transport http.RoundTripper
}

func (o *Options) complete() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(o.URL)
	refuse(err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"), "url: it is not an http:// or https:// address")
	refuse(o.Body == nil, "body: there is nothing to send")
	refuse(len(o.Phases) == 0, "phases: there are none")
	for i, p := range o.Phases {
		if err := p.check(); err != nil {
			errs = append(errs, fmt.Errorf("phase %d (%s): %w", i+1, p.Name, err))
		}
	}
	refuse(o.Timeout < 0, "timeout: %s is below 0", o.Timeout)
	refuse(o.MaxOutstanding < 0, "max outstanding: %d is below 0", o.MaxOutstanding)
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxOutstanding == 0 {
		o.MaxOutstanding = 1024
	}
	return errors.Join(errs...)
}
