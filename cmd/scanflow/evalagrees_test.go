package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oddAnswer is an answer of a server to a sensor, and the state and reason that it has to give.
type oddAnswer struct {
	sensor         string // with a place for the address
	code           int
	kind, body     string
	state, problem string
}

// Of whatever a server answers, a command that has just begun and the daemon say the same
// state for the same reason.
func TestEvalAndTheDaemonAgreeOnOddAnswers(t *testing.T) {
	t.Parallel()
	const (
		scrape = "scrape: {url: %q, metric: load}"
		asked  = "http: {url: %q, pointer: /v}"
		prom   = "prometheus: {address: %q, query: sum(load)}"
		text   = "text/plain"
		json   = "application/json"
		vector = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[%d.5,%s]}]}%s}`
	)
	now := time.Now().Unix()
	odd := map[string]oddAnswer{
		"part_of_a_page":    {scrape, 206, text, "load 3\n", "error", "answered 206 Partial Content"},
		"no_such_sample":    {scrape, 200, text, "loads 3\n", "empty", "no page has a sample of load; there are loads"},
		"empty_page":        {scrape, 200, text, "\n", "error", "answered an empty page"},
		"cut_open_metrics":  {scrape, 200, "application/openmetrics-text", "load 3\n", "error", "data does not end with # EOF"},
		"not_a_number":      {scrape, 200, text, "load NaN\n", "nan", "the value is NaN"},
		"stamped_ahead":     {scrape, 200, text, "load 3 99999999999999\n", "error", "more than 10 minutes ahead of now"},
		"beyond_floats":     {asked, 200, json, `{"v":9007199254740993}`, "error", "the value 9007199254740993 would be another number"},
		"text_for_a_number": {asked, 200, json, `{"v":"3"}`, "error", "the value is of type string, not number"},
		"null_there":        {asked, 200, json, `{"v":null}`, "empty", "the answer has nothing there"},
		"promised":          {asked, 202, json, `{"v":3}`, "error", "answered 202 Accepted"},
		"no_json":           {asked, 200, json, `{"v":NaN}`, "error", "the answer is not JSON"},
		"null_sample":       {prom, 200, json, fmt.Sprintf(vector, now, "null", ""), "error", "where there should be a time and a number in quotes"},
		"infinite":          {prom, 200, json, fmt.Sprintf(vector, now, `"+Inf"`, ""), "nan", "the value is +Inf"},
		"partial":           {prom, 200, json, fmt.Sprintf(vector, now, `"3"`, `,"isPartial":true`), "error", "the server calls its answer partial"},
		"warned":            {prom, 200, json, fmt.Sprintf(vector, now, `"3"`, `,"warnings":["store a is away"]`), "error", "store a is away"},
		"failed":            {prom, 422, json, `{"status":"error","errorType":"execution","error":"boom"}`, "error", "execution: boom"},
		"no_series":         {prom, 200, json, `{"status":"success","data":{"resultType":"vector","result":[]}}`, "empty", "nothing was measured"},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		w.Header().Set("Content-Type", odd[name].kind)
		w.WriteHeader(odd[name].code)
		_, _ = io.WriteString(w, odd[name].body)
	}))
	t.Cleanup(srv.Close)
	s := newSite(t)
	var sensors strings.Builder
	for _, name := range slices.Sorted(maps.Keys(odd)) {
		_, _ = fmt.Fprintf(&sensors, "\n    - {name: %s, "+odd[name].sensor+"}", name, srv.URL+"/"+name)
	}
	s.sensing("{static: [{name: api, namespace: prod}]}", sensors.String())
	_, errs := evals(t, "-f", s.agents, "--policies", s.policies)
	d := startDaemon(t, s.args()...)
	for name, c := range odd {
		d.metric(fmt.Sprintf(`scanflow_signals{agent="test/watcher",signal=%q,state=%q} 1`, name, c.state))
	}
	for name, c := range odd {
		var line string
		for one := range strings.Lines(errs) {
			if strings.HasPrefix(one, "signal "+name+" ") || strings.HasPrefix(one, "signal "+name+":") || strings.HasPrefix(one, "problem: sensor "+name+":") {
				line = one
			}
		}
		require.Contains(t, line, c.problem, "%s: %s", name, errs)
		if strings.HasPrefix(line, "signal ") {
			require.Contains(t, line, ": "+c.state+": ", name)
		}
		if c.state != "empty" { // of which the log says nothing
			d.said(c.problem)
		}
	}
	d.stop()
}
