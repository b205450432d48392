package predictionlog

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
	"github.com/scanflow-k8s/scanflow/cmd/internal/digits/samples"
	"github.com/scanflow-k8s/scanflow/cmd/internal/tracker"
	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// site is a real tracker that a test can make unavailable.
type site struct {
	t      *testing.T
	client *mlflow.Client
	door   atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool] // answers by itself and returns true, or lets pass
}

func newSite(t *testing.T) *site {
	tr, err := tracker.Open(t.Context(), tracker.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	s := &site{t: t}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if door := s.door.Load(); door == nil || !(*door)(w, r) {
			tr.Handler().ServeHTTP(w, r)
		}
	}))
	s.client, err = mlflow.New(mlflow.Options{URL: web.URL})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.client.Close()
		web.Close()
		require.NoError(t, tr.Close())
	})
	return s
}

// shut makes some requests fail with a status.
func (s *site) shut(status int, which func(r *http.Request) bool) {
	door := func(w http.ResponseWriter, r *http.Request) bool {
		if !which(r) {
			return false
		}
		w.WriteHeader(status)
		return true
	}
	s.door.Store(&door)
}

func all(*http.Request) bool { return true }

func (s *site) start(o Options) *Log {
	o.Client, o.Experiment, o.Model, o.Writer = s.client, "p", "3", "pod-1"
	l, err := Start(o)
	require.NoError(s.t, err)
	return l
}

func (s *site) record(l *Log, n int) {
	for i := range n {
		var img digits.Image
		img[0] = byte(i)
		label := i % 10
		if i%2 == 1 {
			label = digits.NoClass
		}
		l.Record(&img, digits.Prediction{Class: i % 10, Confidence: 0.5}, label)
	}
}

func (s *site) end(l *Log) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(s.t, l.Close(ctx))
}

// batches returns the finished runs with their samples, oldest first.
func (s *site) batches() (runs []mlflow.Run, content [][]samples.Sample) {
	ids, err := s.client.Experiments(s.t.Context(), []string{"p"})
	require.NoError(s.t, err)
	runs, err = s.client.SearchRuns(s.t.Context(), mlflow.Search{ExperimentIDs: []string{ids["p"]}, Filter: "attributes.status = 'FINISHED'", OrderBy: []string{"attributes.start_time ASC"}})
	require.NoError(s.t, err)
	for _, r := range runs {
		body, err := s.client.DownloadArtifact(s.t.Context(), r.ID, Artifact)
		require.NoError(s.t, err)
		read, err := samples.Read(body)
		require.NoError(s.t, err)
		require.NoError(s.t, body.Close())
		content = append(content, read)
	}
	return runs, content
}

func value(t *testing.T, c prometheus.Metric) float64 {
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	return m.GetCounter().GetValue()
}

func (s *site) counts(l *Log, written, dropped float64) {
	s.t.Helper()
	require.Equal(s.t, written, value(s.t, l.metrics.written), "written")
	require.Equal(s.t, dropped, value(s.t, l.metrics.dropped), "dropped")
}

func TestABatchIsARunWithAllThatWasPredicted(t *testing.T) {
	s := newSite(t)
	now := time.UnixMilli(1_700_000_000_000)
	l := s.start(Options{Batch: 4, Every: time.Hour, Now: func() time.Time { return now }})
	s.record(l, 8)
	s.end(l)
	runs, content := s.batches()
	require.Len(t, runs, 2)
	for _, r := range runs {
		require.Equal(t, map[string]float64{Predictions: 4, MeanConfidence: 0.5}, r.Metrics)
		require.Equal(t, "3", r.Tags["model_version"])
		require.Equal(t, "pod-1", r.Tags["writer"])
		require.Equal(t, now, r.Start)
		require.Equal(t, now, r.End)
	}
	seen := map[byte]bool{}
	for b, batch := range content {
		require.Len(t, batch, 4)
		for i, x := range batch {
			require.Equal(t, runs[b].ID+"/"+string(rune('0'+i)), x.ID)
			require.Equal(t, "3", x.Model)
			require.Equal(t, int(x.Image[0]), x.Predicted)
			if x.Predicted%2 == 0 {
				require.Equal(t, x.Predicted, x.Label)
			} else {
				require.Equal(t, digits.NoClass, x.Label)
			}
			seen[x.Image[0]] = true
		}
	}
	require.Len(t, seen, 8)
	s.counts(l, 8, 0)
}

func TestABatchThatIsNotFullDoesNotWaitForEver(t *testing.T) {
	s := newSite(t)
	l := s.start(Options{Every: 20 * time.Millisecond})
	s.record(l, 3)
	require.Eventually(t, func() bool { return value(t, l.metrics.written) == 3 }, 10*time.Second, 5*time.Millisecond)
	s.end(l)
}

func TestCloseWritesWhatWaits(t *testing.T) {
	s := newSite(t)
	l := s.start(Options{Batch: 10, Every: time.Hour})
	s.record(l, 25)
	s.end(l)
	_, content := s.batches()
	total := 0
	for _, batch := range content {
		total += len(batch)
	}
	require.Equal(t, 25, total)
	s.counts(l, 25, 0)
	s.end(s.start(Options{}))
}

// Whichever request fails for a while, the predictions are logged once, as one run.
func TestATrackerThatIsAwayForAWhile(t *testing.T) {
	for name, which := range map[string]func(r *http.Request) bool{
		"everything":  all,
		"experiments": func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/experiments/") },
		"making":      func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/runs/create") },
		"uploading":   func(r *http.Request) bool { return r.Method == http.MethodPut },
		"metrics":     func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/runs/log-batch") },
		"ending":      func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/runs/update") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.shut(http.StatusServiceUnavailable, which)
			l := s.start(Options{Batch: 5, Every: time.Hour, Pause: time.Millisecond})
			s.record(l, 5)
			require.Eventually(t, func() bool { return value(t, l.metrics.retries) >= 3 }, 10*time.Second, time.Millisecond)
			s.counts(l, 0, 0)
			s.door.Store(nil)
			s.end(l)
			s.counts(l, 5, 0)
			runs, content := s.batches()
			require.Len(t, runs, 1)
			require.Len(t, content[0], 5)
			id, err := s.client.EnsureExperiment(t.Context(), "p")
			require.NoError(t, err)
			every, err := s.client.SearchRuns(t.Context(), mlflow.Search{ExperimentIDs: []string{id}})
			require.NoError(t, err)
			require.Len(t, every, 1, "no half of a run is left")
		})
	}
}

func TestWhatTheTrackerRefusesIsDroppedAndCounted(t *testing.T) {
	s := newSite(t)
	s.shut(http.StatusBadRequest, func(r *http.Request) bool { return r.Method == http.MethodPut })
	l := s.start(Options{Batch: 5, Every: time.Hour})
	s.record(l, 5)
	require.Eventually(t, func() bool { return value(t, l.metrics.dropped) == 5 }, 10*time.Second, time.Millisecond)
	s.door.Store(nil)
	s.record(l, 5)
	s.end(l)
	s.counts(l, 5, 5)
	runs, _ := s.batches()
	require.Len(t, runs, 1, "the refused batch is no finished run")
}

func TestRecordingNeverWaits(t *testing.T) {
	s := newSite(t)
	held, release := make(chan struct{}, 1), make(chan struct{})
	var once sync.Once
	door := func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() { held <- struct{}{} })
		<-release
		return false
	}
	s.door.Store(&door)
	l := s.start(Options{Batch: 10, Queue: 50, Every: time.Hour})
	s.record(l, 10)
	<-held // the first batch is on its way, and hangs
	began := time.Now()
	s.record(l, 1000)
	require.Less(t, time.Since(began), time.Second)
	s.counts(l, 0, 950)
	close(release)
	s.end(l)
	s.counts(l, 60, 950)
}

func TestCloseGivesUpInTime(t *testing.T) {
	s := newSite(t)
	s.shut(http.StatusServiceUnavailable, all)
	l := s.start(Options{Batch: 10, Every: time.Hour})
	s.record(l, 25)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := l.Close(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "25 that waited are lost")
	s.counts(l, 0, 25)
}

func TestAnExperimentThatWasDeletedMeanwhileIsAskedForAnew(t *testing.T) {
	s := newSite(t)
	l := s.start(Options{Batch: 1, Every: time.Hour})
	s.record(l, 1)
	require.Eventually(t, func() bool { return value(t, l.metrics.written) == 1 }, 10*time.Second, time.Millisecond)
	gone := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/runs/create") {
			return false
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}`))
		return true
	}
	s.door.Store(&gone)
	s.record(l, 1)
	require.Eventually(t, func() bool { return value(t, l.metrics.dropped) == 1 }, 10*time.Second, time.Millisecond)
	s.door.Store(nil)
	s.record(l, 1)
	s.end(l)
	s.counts(l, 2, 1)
}

func TestStartRefuses(t *testing.T) {
	_, err := Start(Options{Batch: -1})
	for _, part := range []string{"no tracker", "no experiment", "below 0"} {
		require.ErrorContains(t, err, part)
	}
}
