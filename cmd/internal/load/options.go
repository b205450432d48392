package load

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"
)

// Scenario is a scenario of MLPerf inference, which determines when queries are sent.
type Scenario string

const (
	// Server sends queries when they are due, regardless of earlier ones.
	Server Scenario = "server"
	// SingleStream sends a query of one sample when the previous one has ended.
	SingleStream Scenario = "single-stream"
	// MultiStream is SingleStream with queries of several samples, which are sent at once. A
	// query ends with its slowest sample.
	MultiStream Scenario = "multi-stream"
	// Offline has one query of all samples, with a limited concurrency. All samples are due
	// at the start.
	Offline Scenario = "offline"
)

// Options configure a run. The defaults of zero values are given in brackets.
type Options struct {
	// URL is the address to which queries are posted.
	URL string
	// Body returns the body of the n-th query and its media type. It is called concurrently.
	// The bytes are not modified, so they may be shared.
	Body func(n int) (contentType string, body []byte)
	// Header returns additional headers of the n-th query; may be nil. It is called
	// concurrently.
	Header func(n int) map[string]string
	// Scenario is the scenario [Server].
	Scenario Scenario
	// Phases determine when queries are due, in Server.
	Phases []Phase
	// Duration is the time for which queries are sent, in SingleStream and MultiStream.
	Duration time.Duration
	// Samples is the number of samples of a query, in MultiStream [8] and Offline.
	Samples int
	// Concurrency is the number of outstanding samples, in Offline [1].
	Concurrency int
	// Bound is the latency bound of Result.Within; 0 is none.
	Bound time.Duration
	// Seed determines the arrivals.
	Seed uint64
	// Timeout bounds one query, from the time at which it is sent [10 s].
	Timeout time.Duration
	// MaxOutstanding bounds the outstanding queries [1024]. A query beyond it is not sent and
	// counts as an error.
	MaxOutstanding int
	// Transport sends the requests. The default keeps a connection for each outstanding query.
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

// completeScenario validates the options of the scenario.
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

// multiStreamSamples is from MLPerf's inference rules, section 3, Scenarios.
const multiStreamSamples = 8
