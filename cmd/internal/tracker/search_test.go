package tracker

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSearchIsThatOfANaiveProgram draws runs and searches, and compares the pages of each search
// with the results of a naive search over all runs.
func TestSearchIsThatOfANaiveProgram(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		made++
		e := c.experiment(fmt.Sprint("rapid-", made))
		var runs []*naiveRun
		var ids []string
		for range rapid.IntRange(0, 8).Draw(t, "runs") {
			r := c.naive(t, e)
			runs, ids = append(runs, r), append(ids, r.id)
		}
		for range 5 {
			var filters, orders []string
			var clauses []clause
			var by []order
			for range rapid.IntRange(0, 2).Draw(t, "clauses") {
				cl, text := drawClause(t, ids)
				clauses, filters = append(clauses, cl), append(filters, text)
			}
			for range rapid.IntRange(0, 3).Draw(t, "orders") {
				if o, text := drawOrder(t); !slices.ContainsFunc(by, func(p order) bool { return p.entity == o.entity && p.key == o.key }) {
					by, orders = append(by, o), append(orders, text)
				}
			}
			want := []string{}
			sorted := slices.Clone(runs)
			slices.SortFunc(sorted, func(a, b *naiveRun) int { return before(a, b, by) })
			for _, r := range sorted {
				if !slices.ContainsFunc(clauses, func(cl clause) bool { return !r.matches(cl) }) {
					want = append(want, r.id)
				}
			}
			filter := strings.Join(filters, " AND ")
			require.Equal(t, want, c.searchAll(e, filter, orders, rapid.IntRange(1, 4).Draw(t, "page")), "filter %s, order %v", filter, orders)
		}
	})
}

// naive draws a run and creates it on the server.
func (c *client) naive(t *rapid.T, experiment string) *naiveRun {
	r := &naiveRun{
		name: someTexts.Draw(t, "name") + "-", status: someStates.Draw(t, "status"), started: rapid.Int64Range(0, 2).Draw(t, "started"),
		params: map[string]string{}, tags: map[string]string{},
	}
	created := c.post("/runs/create", object{"experiment_id": experiment, "run_name": r.name, "start_time": r.started})
	r.id = at(c.t, created, "run", "info", "run_id").(string)
	update := object{"run_id": r.id, "status": r.status}
	if rapid.Bool().Draw(t, "ended") {
		ended := rapid.Int64Range(1, 3).Draw(t, "end")
		r.ended, update["end_time"] = &ended, ended
	}
	c.post("/runs/update", update)
	for range rapid.IntRange(0, 2).Draw(t, "batches") {
		batch := logBatchRequest{Run: r.id}
		for range rapid.IntRange(0, 4).Draw(t, "points") {
			p := naivePoint{someKeys.Draw(t, "key"), someValues.Draw(t, "value"), rapid.Int64Range(0, 1).Draw(t, "at"), rapid.Int64Range(-1, 1).Draw(t, "step")}
			value, at := double(p.value), integer(p.at)
			batch.Metrics = append(batch.Metrics, newPoint{p.key, &value, &at, integer(p.step)})
			r.points = append(r.points, p)
		}
		for range rapid.IntRange(0, 2).Draw(t, "params") {
			if k := someKeys.Draw(t, "key"); r.params[k] == "" {
				r.params[k] = someTexts.Draw(t, "value") + "p"
				batch.Params = append(batch.Params, tag{k, r.params[k]})
			}
		}
		for range rapid.IntRange(0, 2).Draw(t, "tags") {
			k := someKeys.Draw(t, "key")
			r.tags[k] = someTexts.Draw(t, "value")
			batch.Tags = append(batch.Tags, tag{k, r.tags[k]})
		}
		c.post("/runs/log-batch", batch)
	}
	return r
}

// searchAll reads all pages, and returns the ids.
func (c *client) searchAll(experiment, filter string, orders []string, size int) []string {
	c.t.Helper()
	out := []string{}
	body := object{"experiment_ids": listOf(experiment), "filter": filter, "order_by": orders, "max_results": size}
	for {
		answer := c.post("/runs/search", body)
		if runs, ok := answer["runs"].([]any); ok {
			require.LessOrEqual(c.t, len(runs), size)
			for _, r := range runs {
				out = append(out, at(c.t, r, "info", "run_id").(string))
			}
		}
		next, ok := answer["next_page_token"].(string)
		if !ok {
			return out
		}
		body["page_token"] = next
	}
}

// TestLatestMetric draws points and the batches they come in.
func TestLatestMetric(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e := c.experiment("latest")
	rapid.Check(t, func(t *rapid.T) {
		r := &naiveRun{id: c.run(e)}
		seen := map[string]bool{}
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			batch := logBatchRequest{Run: r.id}
			for range rapid.IntRange(1, 5).Draw(t, "points") {
				p := naivePoint{"m", someValues.Draw(t, "value"), rapid.Int64Range(0, 2).Draw(t, "at"), rapid.Int64Range(-2, 2).Draw(t, "step")}
				value, at := double(p.value), integer(p.at)
				batch.Metrics = append(batch.Metrics, newPoint{p.key, &value, &at, integer(p.step)})
				r.points = append(r.points, p)
				seen[fmt.Sprint(p)] = true
			}
			c.post("/runs/log-batch", batch)
		}
		got := at(c.t, c.get("/runs/get?run_id="+r.id), "run", "data", "metrics", 0, "value")
		if want := *r.metric("m"); math.IsNaN(want) {
			require.Equal(t, "NaN", got)
		} else {
			require.Equal(t, want, got)
		}
		require.Len(t, at(c.t, c.get("/metrics/get-history?metric_key=m&run_id="+r.id), "metrics"), len(seen), "each point once")
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	c, clock := start(t)
	e := c.experiment("pages")
	for range 5 {
		c.run(e)
		clock.pass(time.Second)
	}
	for n := range 3 {
		c.post("/registered-models/create", object{"name": fmt.Sprint("m", n)})
		c.post("/model-versions/create", object{"name": "m0", "source": "s3://b/k"})
		c.experiment(fmt.Sprint("e", n))
	}
	t.Run("a page that is just full is the last", func(t *testing.T) {
		answer := c.post("/runs/search", object{"experiment_ids": listOf(e), "max_results": 5})
		require.Len(t, answer["runs"], 5)
		require.NotContains(t, answer, "next_page_token")
	})
	for path, list := range map[string]string{
		"/experiments/search": "experiments", "/registered-models/search": "registered_models", "/model-versions/search": "model_versions",
	} {
		t.Run(path, func(t *testing.T) {
			whole := c.get(path + "?max_results=100")[list].([]any)
			var paged []any
			token := ""
			for {
				answer := c.get(path + "?max_results=2&page_token=" + url.QueryEscape(token))
				paged = append(paged, answer[list].([]any)...)
				next, ok := answer["next_page_token"].(string)
				if !ok {
					break
				}
				token = next
			}
			require.Equal(t, whole, paged)
		})
	}
	for path, most := range map[string]int{
		"/experiments/search": 50_000, "/registered-models/search": 1000, "/model-versions/search": 200_000,
	} {
		for _, bad := range []string{"max_results=0", "max_results=-1", "max_results=" + fmt.Sprint(most+1), "max_results=x", "page_token=x", "page_token=e30=", "page_token=eyJvZmZzZXQiOiAtMX0="} {
			status, answer := c.do(http.MethodGet, api+path+"?"+bad, nil)
			require.Equal(t, http.StatusBadRequest, status, bad)
			require.Equal(t, "INVALID_PARAMETER_VALUE", answer["error_code"])
		}
		c.get(path + "?max_results=" + fmt.Sprint(most))
	}
	status, _ := c.do(http.MethodPost, api+"/runs/search", object{"experiment_ids": listOf(e), "max_results": 50_001})
	require.Equal(t, http.StatusBadRequest, status)
}

func TestSearchesOfTheRegistry(t *testing.T) {
	t.Parallel()
	c, clock := start(t)
	for _, name := range []string{"digits", "Digits-2", "letters"} {
		c.post("/registered-models/create", object{"name": name, "tags": listOf(object{"key": "team", "value": name[:1]})})
		clock.pass(time.Second)
		for n := range 2 {
			c.post("/model-versions/create", object{"name": name, "source": fmt.Sprintf("s3://b/%s/%d", name, n), "run_id": fmt.Sprint("run", n), "tags": listOf(object{"key": "n", "value": fmt.Sprint(n)})})
			clock.pass(time.Second)
		}
	}
	names := func(path, list, filter string, more string, show func(any) string) []string {
		out := []string{}
		if found, ok := c.get(path + "?filter=" + url.QueryEscape(filter) + more)[list].([]any); ok {
			for _, m := range found {
				out = append(out, show(m))
			}
		}
		return out
	}
	models := func(filter, more string) []string {
		return names("/registered-models/search", "registered_models", filter, more, func(m any) string { return at(t, m, "name").(string) })
	}
	require.Equal(t, []string{"Digits-2", "digits", "letters"}, models("", ""))
	require.Equal(t, []string{"digits"}, models("name LIKE '%igits'", ""), "LIKE tells case apart")
	require.Equal(t, []string{"Digits-2", "digits"}, models("name ILIKE 'DIGITS%'", ""))
	require.Equal(t, []string{"letters"}, models("tags.team = 'l'", ""))
	require.Equal(t, []string{"letters", "digits", "Digits-2"}, models("", "&order_by=name+DESC"))
	require.Equal(t, []string{"letters", "Digits-2", "digits"}, models("", "&order_by=last_updated_timestamp+DESC"))
	require.Equal(t, []string{}, models("name = 'none'", ""))
	versions := func(filter, more string) []string {
		return names("/model-versions/search", "model_versions", filter, more, func(v any) string { return at(t, v, "name").(string) + "/" + at(t, v, "version").(string) })
	}
	require.Equal(t, []string{"letters/2", "letters/1", "Digits-2/2", "Digits-2/1", "digits/2", "digits/1"}, versions("", ""), "what changed last comes first")
	require.Equal(t, []string{"digits/2", "digits/1"}, versions("name = 'digits'", ""))
	require.Equal(t, []string{"digits/1", "digits/2"}, versions("name = 'digits'", "&order_by=version_number+ASC"))
	require.Equal(t, []string{"Digits-2/1", "digits/1", "letters/1"}, versions("run_id = 'run0'", "&order_by=name"))
	require.Equal(t, []string{"letters/2"}, versions("source_path = 's3://b/letters/1' AND tags.n = '1'", ""))
	require.Equal(t, []string{"letters/2", "Digits-2/2", "digits/2"}, versions("version_number > 1", ""))
	c.ok(del, "/model-versions/delete", object{"name": "digits", "version": "2"})
	require.Equal(t, []string{"digits/1"}, versions("name = 'digits'", ""))
}
