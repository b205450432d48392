package sensors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// querier asks one Prometheus server. Its errors name the place and no secret.
type querier struct {
	api    v1.API
	client *client
	log    hclog.Logger

	mu       sync.Mutex
	warnings map[string]string // the last ones by query, so that each is logged once and not at every tick
}

// newQuerier is for the server at an address, or else the one of --prometheus. The
// mistakes that the configuration has besides come first.
func newQuerier(address string, a access, env Env, mistakes []string) (*querier, error) {
	from := "address"
	if address == "" {
		address, from = env.Prometheus, "--prometheus"
	}
	if address == "" {
		return nil, errors.New("address: no Prometheus is named; set it, or start with --prometheus URL")
	}
	if mistakes = append(mistakes, checkURL(from, address)...); len(mistakes) > 0 {
		return nil, errors.New(strings.Join(mistakes, "; "))
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: is not a URL", from)
	}
	cl, err := newClient(a, env)
	if err != nil {
		return nil, err
	}
	return &querier{
		api:    v1.NewAPI(&server{client: cl, base: base, lookback: env.StaleAfter}),
		client: cl, log: env.Log, warnings: map[string]string{},
	}, nil
}

// instant asks for a query's value at a moment.
func (q *querier) instant(ctx context.Context, query string, at time.Time) (model.Value, error) {
	answer, warnings, _, err := q.api.Query(ctx, query, at, inTime(ctx)...)
	q.warn(query, warnings)
	return answer, q.fault(err)
}

// over asks for a query's values over a span.
func (q *querier) over(ctx context.Context, query string, span v1.Range) (model.Value, error) {
	answer, warnings, _, err := q.api.QueryRange(ctx, query, span, inTime(ctx)...)
	q.warn(query, warnings)
	return answer, q.fault(err)
}

// inTime has the server stop when our own deadline is over. It is in whole seconds:
// the client would write 1.5s, which Prometheus can't read. Rounded up, since our
// own deadline cuts in time.
func inTime(ctx context.Context) []v1.Option {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return []v1.Option{v1.WithTimeout(time.Until(deadline).Truncate(time.Second) + time.Second)}
}

// fault is an error of a query, without secrets; nil stays nil.
func (q *querier) fault(err error) error {
	if err == nil {
		return nil
	}
	var inner *cleanError // it names the place already
	if !errors.As(err, &inner) {
		err = q.client.secrets.clean("", err)
	}
	return fmt.Errorf("query Prometheus: %w", err)
}

func (q *querier) warn(query string, warnings v1.Warnings) {
	text := q.client.secrets.hide(strings.Join(warnings, "; "))
	q.mu.Lock()
	defer q.mu.Unlock()
	if text != q.warnings[query] && text != "" {
		q.log.Warn("Prometheus answered with warnings", "query", query, "warnings", text)
	}
	q.warnings[query] = text
}

// server is Prometheus' API client over our own: it bounds what is read, and says
// who it is.
type server struct {
	*client
	base     *url.URL
	lookback time.Duration
}

// URL is the address of an endpoint. The look-back goes here, in seconds, since
// the client's own option writes half seconds in a way that Prometheus can't read.
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
	return resp, body, nil
}
