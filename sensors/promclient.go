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

// querier asks one Prometheus server. Its errors name the place and no secret.
type querier struct {
	api       v1.API
	unbounded v1.API // with the server's own look-back
	server    *server
	client    *client
	log       hclog.Logger
	lookback  *lookback

	mu       sync.Mutex
	warnings map[string]string // the last ones by query, so that each is logged once and not at every tick
}

// newQuerier is for the server at an address, or else the one of --prometheus. The
// mistakes that the configuration has besides come first.
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
	srv := &server{client: cl, base: base, lookback: env.StaleAfter}
	key, err := a.key(address, env.Namespace)
	if err != nil {
		return nil, err
	}
	known := env.Lookbacks
	if known == nil {
		known = NewLookbacks()
	}
	return &querier{
		api: v1.NewAPI(srv), unbounded: v1.NewAPI(srv.with(0)), server: srv, client: cl, log: env.Log, lookback: known.of(key), warnings: map[string]string{},
	}, nil
}

// instant asks for a query's value at a moment.
func (q *querier) instant(ctx context.Context, api v1.API, query string, at time.Time) (model.Value, error) {
	answer, warnings, _, err := api.Query(ctx, query, at, inTime(ctx)...)
	return answer, q.judge(query, warnings, err)
}

// over asks for a query's values over a span.
func (q *querier) over(ctx context.Context, api v1.API, query string, span v1.Range) (model.Value, error) {
	answer, warnings, _, err := api.QueryRange(ctx, query, span, inTime(ctx)...)
	return answer, q.judge(query, warnings, err)
}

// judge is the error of an answer: that of the query, or that the answer is partial.
// PromQL's own warnings are logged.
func (q *querier) judge(query string, warnings v1.Warnings, err error) error {
	if err == nil {
		err = q.partial(warnings)
	}
	q.warn(query, slices.DeleteFunc(warnings, func(w string) bool { return !ownWarning(w) }))
	return q.fault(err)
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

// deal gives each target its series. What it says of them holds no secret.
func (q *querier) deal(fleet []engine.Target, list []series, match []pair) (engine.Reading, error) {
	out, err := deal(fleet, list, match)
	if err != nil {
		return nil, q.client.secrets.cleanOwn(err)
	}
	for i := range out {
		if out[i].Problem != "" {
			out[i].Problem = q.client.secrets.blank(out[i].Problem)
		}
	}
	return out, nil
}

// fault is an error of a query, without secrets; nil stays nil.
func (q *querier) fault(err error) error {
	if err == nil {
		return nil
	}
	var inner *cleanError // it names the place already
	if !errors.As(err, &inner) {
		err = q.client.secrets.clean(place(q.server.base), err)
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
