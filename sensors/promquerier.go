package sensors

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// querier queries one Prometheus server. Its errors name the address and contain no secret.
type querier struct {
	api       v1.API
	unbounded v1.API // uses the server's own look-back
	server    *prometheusAPI
	client    *client
	log       hclog.Logger
	lookback  *serverLookback

	mu       sync.Mutex
	warnings map[string]string // the last ones by query, so that a warning is not logged again at every tick
}

// newQuerier is for the server at an address, by default the one of --prometheus. It reports
// the mistakes that the caller found in the configuration together with those in the address.
func newQuerier(address string, a access, env Env, mistakes mistake.Mistakes) (*querier, error) {
	from := "address"
	if address == "" {
		address, from = env.Prometheus, "--prometheus"
	}
	if address == "" {
		return nil, errors.New("address: no Prometheus is named; set it, or start with --prometheus URL")
	}
	if mistakes = append(mistakes, checkServer(from, address)...); len(mistakes) > 0 {
		return nil, errors.New(strings.Join(mistakes.Lines(), "; "))
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%s: is not a URL", from)
	}
	cl, err := newClient(a, env)
	if err != nil {
		return nil, err
	}
	if wrong := checkParameters(base.Query(), env.StaleAfter > 0); wrong != "" {
		return nil, fmt.Errorf("%s: %s", from, wrong)
	}
	srv := &prometheusAPI{client: cl, base: base, lookback: env.StaleAfter}
	key, err := a.key(address, env.Namespace)
	if err != nil {
		return nil, err
	}
	known := env.Lookbacks
	if known == nil {
		known = NewLookbacks()
	}
	return &querier{
		api: v1.NewAPI(srv), unbounded: v1.NewAPI(srv.withLookback(0)), server: srv, client: cl, log: env.Log, lookback: known.of(key), warnings: map[string]string{},
	}, nil
}

// queryInstant evaluates a query at one time.
func (q *querier) queryInstant(ctx context.Context, api v1.API, query string, at time.Time) (model.Value, error) {
	answer, warnings, _, err := api.Query(ctx, query, at, timeoutOption(ctx)...)
	return answer, q.check(query, warnings, err)
}

// queryRange evaluates a query over a range.
func (q *querier) queryRange(ctx context.Context, api v1.API, query string, r v1.Range) (model.Value, error) {
	answer, warnings, _, err := api.QueryRange(ctx, query, r, timeoutOption(ctx)...)
	return answer, q.check(query, warnings, err)
}

// check returns the error of a query, or an error if the result is partial. It logs PromQL's
// own warnings.
func (q *querier) check(query string, warnings v1.Warnings, err error) error {
	if err == nil {
		err = q.partialWarning(warnings)
	}
	q.warn(query, slices.DeleteFunc(warnings, func(w string) bool { return !isPromQLWarning(w) }))
	return q.queryError(err)
}

// timeoutOption makes the server stop at our own deadline. It is in whole seconds, because the
// client formats 1.5s in a way that Prometheus can't parse, and rounded up, because our
// deadline applies anyway.
func timeoutOption(ctx context.Context) []v1.Option {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return []v1.Option{v1.WithTimeout(time.Until(deadline).Truncate(time.Second) + time.Second)}
}

// matchSeries assigns each series to its target. It redacts the problems.
func (q *querier) matchSeries(fleet []engine.Target, list []series, match []labelMatch) (engine.Reading, error) {
	out, err := matchSeries(fleet, list, match)
	return q.redactProblems(out, err)
}

// redactProblems redacts the problems of a reading, and the error in its place.
func (q *querier) redactProblems(out engine.Reading, err error) (engine.Reading, error) {
	if err != nil {
		return nil, q.client.secrets.wrapWhole(err)
	}
	for i := range out {
		if out[i].Problem != "" {
			out[i].Problem = q.client.secrets.redact(out[i].Problem)
		}
	}
	return out, nil
}

// queryError wraps and redacts the error of a query; nil stays nil.
func (q *querier) queryError(err error) error {
	if err == nil {
		return nil
	}
	var inner *redactedError // it has the address already
	if !errors.As(err, &inner) {
		err = q.client.secrets.wrap(redactedURL(q.server.base), err)
	}
	return fmt.Errorf("query Prometheus: %w", err)
}

func (q *querier) warn(query string, warnings v1.Warnings) {
	text := q.client.secrets.redactLine(strings.Join(warnings, "; "))
	q.mu.Lock()
	defer q.mu.Unlock()
	if text != q.warnings[query] && text != "" {
		q.log.Warn("Prometheus answered with warnings", "query", query, "warnings", text)
	}
	q.warnings[query] = text
}
