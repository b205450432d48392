package sensors

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// server is Prometheus' API client over our own: it bounds what is read, and says
// who it is.
type server struct {
	*client
	base     *url.URL
	lookback time.Duration // 0 leaves the server's
}

// with is the same server asked with another look-back.
func (s *server) with(lookback time.Duration) *server {
	return &server{client: s.client, base: s.base, lookback: lookback}
}

// ours are the parameters that each query sets itself.
var ours = []string{"query", "time", "start", "end", "step", "timeout"}

// checkServer returns the mistakes in the address of a Prometheus.
func checkServer(field, address string) mistake.Mistakes {
	if mistakes := checkURL(field, address); len(mistakes) > 0 {
		return mistakes
	}
	u, err := url.Parse(address)
	if err != nil {
		return mistake.Mistakes{{Path: field, Message: "is not a URL", Fix: "write it like http://host:9090/path"}}
	}
	if u.Fragment != "" {
		return mistake.Mistakes{{Path: field, Message: "has a part after #, which is sent to no server", Fix: "leave it out"}}
	}
	if wrong := checkParameters(u.Query(), false); wrong != "" {
		return mistake.Mistakes{{Path: field, Message: wrong}}
	}
	return nil
}

// checkParameters is the mistake in the query of an address: a parameter that would have
// no effect.
func checkParameters(given url.Values, lookback bool) string {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case slices.Contains(ours, name):
			return "has the parameter " + name + ", which the sensor sets itself; leave it out"
		case name == "lookback_delta" && lookback:
			return "has the parameter lookback_delta, which is staleAfter; keep one"
		}
	}
	return ""
}

// URL is the address of an endpoint, with the parameters of the server's own address, which
// the client repeats in the body, and in the GET of a server that takes no POST. The
// look-back goes here, in seconds, since the client's own option writes half seconds in a
// way that Prometheus can't read.
func (s *server) URL(endpoint string, _ map[string]string) *url.URL {
	u := *s.base
	u.Path, u.RawPath = path.Join("/", u.Path, endpoint), ""
	if s.lookback > 0 {
		q := u.Query()
		q.Set("lookback_delta", strconv.FormatFloat(s.lookback.Seconds(), 'f', -1, 64))
		u.RawQuery = q.Encode()
	}
	return &u
}

// Do sends one request.
func (s *server) Do(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	resp, body, err := s.do(r.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode >= 500 {
		// The client says the number alone, though Prometheus may say why.
		var said v1.Error
		if json.Unmarshal(body, &struct {
			Type *v1.ErrorType `json:"errorType"`
			Msg  *string       `json:"error"`
		}{&said.Type, &said.Msg}) == nil && said.Msg != "" {
			return nil, nil, s.secrets.clean(place(r.URL), &said)
		}
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode < 300 && strings.Contains(kind, "html") {
		return nil, nil, s.secrets.clean(place(r.URL), errors.New("answered a web page, not JSON; is this a Prometheus?"))
	}
	if resp.StatusCode >= 300 {
		return resp, body, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, s.secrets.clean(place(r.URL), statusError(resp.StatusCode))
	}
	if saysPartial(body) {
		return nil, nil, partialError(place(r.URL), "it has isPartial")
	}
	if err := checkAnswer(body); err != nil {
		return nil, nil, s.secrets.clean(place(r.URL), err)
	}
	return resp, body, nil
}
