package load

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"
)

// Scenario is how queries follow one another: MLPerf inference's four.
type Scenario string

const (
	// Server sends queries when they are due, whatever became of those before.
	Server Scenario = "server"
	// SingleStream sends a query of one sample when the one before has ended.
	SingleStream Scenario = "single-stream"
	// MultiStream does so with queries of several samples, which are sent at once; a query
	// ends with its slowest sample.
	MultiStream Scenario = "multi-stream"
	// Offline has one query of all samples, of which some are under way at a time. All are
	// due when it begins.
	Offline Scenario = "offline"
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
	// Scenario is Server where it is empty.
	Scenario Scenario
	// Phases are when queries are due: of Server.
	Phases []Phase
	// Duration is how long queries are sent: of SingleStream and MultiStream.
	Duration time.Duration
	// Samples is how many a query has: of MultiStream (8) and Offline.
	Samples int
	// Concurrency is how many samples are under way at a time: of Offline (1).
	Concurrency int
	// Bound, if above 0, is the latency that Result.Within counts by.
	Bound time.Duration
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
	o.completeScenario(refuse)
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

// completeScenario checks what the scenario takes.
func (o *Options) completeScenario(refuse func(bad bool, format string, args ...any)) {
	switch o.Scenario {
	case "", Server:
		o.Scenario = Server
		refuse(len(o.Phases) == 0, "phases: there are none")
	case SingleStream, MultiStream:
		refuse(o.Duration <= 0, "duration: %s is not above 0", o.Duration)
		o.Phases = []Phase{{Name: string(o.Scenario), Duration: max(o.Duration, 1)}}
		if o.Samples == 0 && o.Scenario == MultiStream {
			o.Samples = multiStreamSamples
		}
	case Offline:
		refuse(o.Samples <= 0, "samples: %d is not above 0", o.Samples)
		o.Phases = []Phase{{Name: string(o.Scenario), Duration: math.MaxInt64}}
	default:
		refuse(true, "scenario: %q is not one of server, single-stream, multi-stream, offline", o.Scenario)
	}
	refuse(o.Samples < 0, "samples: %d is below 0", o.Samples)
	refuse(o.Concurrency < 0, "concurrency: %d is below 0", o.Concurrency)
	refuse(o.Bound < 0, "bound: %s is below 0", o.Bound)
	o.Samples, o.Concurrency = max(o.Samples, 1), max(o.Concurrency, 1)
	for i, p := range o.Phases {
		err := p.check()
		refuse(err != nil, "phase %d (%s): %w", i+1, p.Name, err)
	}
}

// multiStreamSamples is MLPerf's (inference rules, section 3, Scenarios).
const multiStreamSamples = 8
