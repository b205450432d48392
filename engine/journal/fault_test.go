package journal

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// squeeze bounds the file to its current size, so that SQLite fails as on a full disk. It
// returns a function that removes the bound.
func squeeze(t *testing.T, j *Journal) (release func()) {
	set := func(query string) {
		require.NoError(t, j.writer.do(context.Background(), func(ctx context.Context, s *store) error {
			_, err := s.queryInts(ctx, query)
			return err
		}))
	}
	set(`PRAGMA max_page_count = 1`) // SQLite makes it the present size
	return func() { set(`PRAGMA max_page_count = 4294967294`) }
}

func TestFullAndRecovered(t *testing.T) {
	var log bytes.Buffer
	var mu sync.Mutex
	j := open(t, t.TempDir(), Options{Log: hclog.New(&hclog.LoggerOptions{Output: &log, Mutex: &mu})})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
	release := squeeze(t, j)

	before := rows(t, j)
	for i := range 3 {
		err := j.RecordFiring(t.Context(), firingOf(fmt.Sprint("f-", i), day, 50))
		require.ErrorIs(t, err, ErrFull)
		require.ErrorContains(t, err, j.path)
		require.ErrorIs(t, j.Health(), ErrFull)
	}
	large := event("s", "large")
	large.Data = strings.Repeat("x", 1<<20)
	_, err := j.Enqueue(t.Context(), postings([]string{"a/x"}, []engine.Destination{peer}, event("s", "1"), large))
	require.ErrorIs(t, err, ErrFull)
	require.NotErrorIs(t, err, engine.ErrFull, "the disk is full, the inbox is not")
	require.Equal(t, before, rows(t, j), "nothing was written")
	open, err := j.Open(t.Context(), "mlperf/planner")
	require.NoError(t, err, "reading goes on")
	require.Len(t, open, 1)

	release()
	require.NoError(t, j.RecordFiring(t.Context(), firingOf("f-0", day, 50)))
	require.NoError(t, j.Health())
	soundCounts(t, j)
	require.Equal(t, 2, put(t, j, "a/x", event("s", "1"), large))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, strings.Count(log.String(), "can't be written"), "said once: %s", log.String())
	require.Equal(t, 1, strings.Count(log.String(), "can be written again"), log.String())
}

// A write that is too large for the free space does not fail the others of its batch.
func TestHugeWriteAmongSmallOnes(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
	release := squeeze(t, j)
	g := hold(t, j)
	var wg sync.WaitGroup
	var huge error
	small := make([]error, 20)
	wg.Go(func() { huge = j.RecordFiring(context.Background(), firingOf("huge", day, 200)) })
	eventually(t, func() bool { return j.writer.queued() == 1 })
	for i := range small {
		wg.Go(func() {
			small[i] = j.writer.do(context.Background(), func(ctx context.Context, s *store) error {
				return s.exec(ctx, `UPDATE acts SET detail = ? WHERE identity = 'a'`, fmt.Sprint(i))
			})
		})
	}
	eventually(t, func() bool { return j.writer.queued() == 21 })
	close(g.opened)
	wg.Wait()
	require.ErrorIs(t, huge, ErrFull)
	for _, err := range small {
		require.NoError(t, err)
	}
	release()
}
