package tracker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestManyClients has clients write to the same run, model and names at once, while
// others search.
func TestManyClients(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	run := c.run("0")
	c.post("/registered-models/create", object{"name": "m"})
	const clients, rounds = 8, 10
	var all sync.WaitGroup
	made := make(chan string, clients*rounds)
	refused := make(chan error, clients*rounds)
	for n := range clients {
		all.Go(func() {
			for i := range rounds {
				batch := object{
					"run_id": run, "metrics": listOf(object{"key": "m", "value": n, "timestamp": 1, "step": i}),
					"params": listOf(object{"key": fmt.Sprint("p", i), "value": "same"}), "tags": listOf(object{"key": "last", "value": fmt.Sprint(n)}),
				}
				if err := quick(c.base, post, api+"/runs/log-batch", batch, nil); err != nil {
					t.Error(err)
				}
				var added versionAnswer
				if err := quick(c.base, post, api+"/model-versions/create", object{"name": "m", "source": "s3://b/k"}, &added); err != nil {
					t.Error(err)
				}
				made <- added.Version.Version
				if err := quick(c.base, post, api+"/runs/search", object{"experiment_ids": listOf("0"), "filter": "metrics.m >= 0"}, nil); err != nil {
					t.Error(err)
				}
				if err := quick(c.base, post, api+"/experiments/create", object{"name": fmt.Sprint("e", i)}, nil); err != nil {
					refused <- err
				}
			}
		})
	}
	all.Wait()
	close(made)
	close(refused)
	versions := map[string]bool{}
	for v := range made {
		require.False(t, versions[v], "version %s came twice", v)
		versions[v] = true
	}
	require.Len(t, versions, clients*rounds)
	require.True(t, versions[fmt.Sprint(clients*rounds)], "numbers have no gaps")
	require.Len(t, refused, (clients-1)*rounds, "each name is given once")
	for err := range refused {
		require.ErrorContains(t, err, "RESOURCE_ALREADY_EXISTS")
	}
	require.Len(t, at(t, c.get("/metrics/get-history?metric_key=m&run_id="+run), "metrics"), clients*rounds)
	data := at(t, c.get("/runs/get?run_id="+run), "run", "data")
	require.Equal(t, float64(clients-1), at(t, data, "metrics", 0, "value"), "the greatest value of the last step")
	require.Len(t, at(t, data, "params"), rounds)
}

// TestRequestThatGoesAway leaves nothing behind, and the next is served.
func TestRequestThatGoesAway(t *testing.T) {
	t.Parallel()
	tr, err := Open(t.Context(), Options{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tr.createExperiment(ctx, &createExperimentRequest{Name: "gone"})
	require.ErrorIs(t, err, errBusy)
	require.Equal(t, notNow, publicError(err).Code)
	require.Equal(t, http.StatusServiceUnavailable, statuses[publicError(err).Code])
	_, err = tr.getExperimentByName(t.Context(), &experimentNameRequest{Name: "gone"})
	require.Equal(t, notThere, publicError(err).Code)
}

// TestFailuresAreNotTold: details of internal failures are logged and not sent to clients.
func TestFailuresAreNotTold(t *testing.T) {
	t.Parallel()
	e := publicError(fmt.Errorf("read /home/ann/secret: %w", errors.New("disk on fire")))
	require.Equal(t, internalError, e.Code)
	require.False(t, strings.Contains(e.Message, "secret") || strings.Contains(e.Message, "fire"))
}
