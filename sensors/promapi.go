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

// prometheusAPI implements the HTTP client of Prometheus' API package on our own client, which
// bounds the size of responses and sends the credentials.
type prometheusAPI struct {
	*client
	base     *url.URL
	lookback time.Duration // 0 means the server's default
}

// withLookback returns a copy with another look-back.
func (s *prometheusAPI) withLookback(lookback time.Duration) *prometheusAPI {
	return &prometheusAPI{client: s.client, base: s.base, lookback: lookback}
}

// reservedParameters are the parameters that each query sets.
var reservedParameters = []string{"query", "time", "start", "end", "step", "timeout"}

// checkServer returns the mistakes in the address of a Prometheus server.
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

// checkParameters returns a mistake in the parameters of an address: one that would have no
// effect.
func checkParameters(given url.Values, lookback bool) string {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case slices.Contains(reservedParameters, name):
			return "has the parameter " + name + ", which the sensor sets itself; leave it out"
		case name == "lookback_delta" && lookback:
			return "has the parameter lookback_delta, which is staleAfter; keep one"
		}
	}
	return ""
}

// URL returns the address of an endpoint, with the parameters of the server's own address. The
// client repeats them in the body, or in the GET request for a server that does not accept
// POST. The look-back is added here in seconds, because the client's own option formats half
// seconds in a way that Prometheus can't parse.
func (s *prometheusAPI) URL(endpoint string, _ map[string]string) *url.URL {
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
func (s *prometheusAPI) Do(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	resp, body, err := s.do(r.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode >= 500 {
		// The client would return only the status, but Prometheus may have sent the reason.
		var reason v1.Error
		if json.Unmarshal(body, &struct {
			Type *v1.ErrorType `json:"errorType"`
			Msg  *string       `json:"error"`
		}{&reason.Type, &reason.Msg}) == nil && reason.Msg != "" {
			return nil, nil, s.secrets.wrap(redactedURL(r.URL), &reason)
		}
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode < 300 && strings.Contains(kind, "html") {
		return nil, nil, s.secrets.wrap(redactedURL(r.URL), errors.New("answered a web page, not JSON; is this a Prometheus?"))
	}
	if resp.StatusCode >= 300 {
		return resp, body, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, s.secrets.wrap(redactedURL(r.URL), statusError(resp.StatusCode))
	}
	if isPartial(body) {
		return nil, nil, partialError(redactedURL(r.URL), "it has isPartial")
	}
	if err := checkResponse(body); err != nil {
		return nil, nil, s.secrets.wrap(redactedURL(r.URL), err)
	}
	return resp, body, nil
}
