package journal

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// unpack extracts a folder of testdata/upgrade, and returns its journal's folder.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Open(filepath.Join("testdata", "upgrade", archive))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	for in := tar.NewReader(unzipped); ; {
		head, err := in.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, "journal")
		}
		require.NoError(t, err)
		if head.Typeflag != tar.TypeReg {
			continue
		}
		path := filepath.Join(dir, filepath.Clean("/"+head.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		content, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}

func times(n int, s string) []string { return slices.Repeat([]string{s}, n) }

// sampleEnd is just after the kill of the process that wrote 0e08181.tgz.
var sampleEnd = time.Date(2026, 11, 30, 16, 33, 0, 0, time.UTC)

// A journal that an earlier program left behind when it was killed opens, shows what was in
// it, and is continued.
func TestAJournalOfAnEarlierVersion(t *testing.T) {
	dir := unpack(t, "0e08181.tgz")
	clock := newClock()
	clock.Pass(sampleEnd.Sub(clock.Now()))
	j := open(t, dir, Options{Clock: clock})
	ctx := t.Context()

	letters := func() (out []string) {
		all, err := j.Messages(ctx, "", -1)
		require.NoError(t, err)
		for _, m := range all {
			owner := m.Agent
			if m.Box == engine.BoxOutbox {
				owner = m.Event.Source
			}
			out = append(out, m.Box+" "+owner+" "+m.Event.Type)
		}
		slices.Sort(out)
		return out
	}
	kept := append(append(append([]string{},
		"inbox sample/waiter sample.asked", "inbox sample/waiter sample.asked"),
		times(3, "outbox /agents/sample/asker dev.scanflow.approval.requested")...),
		append(times(3, "outbox /agents/sample/hanger/webhook-2 webhook"), times(3, "outbox /agents/sample/sender sample.sent")...)...)
	require.Equal(t, append([]string{"dead sample/caller sample.asked"}, kept...), letters())
	soundCounts(t, j)

	acts := func(agent string) (out []string) {
		memory, err := j.Remember(ctx, agent, time.Time{})
		require.NoError(t, err)
		for _, a := range memory.Acts {
			out = append(out, a.Primitive+" "+string(a.Outcome.Status)+" "+a.Outcome.Detail)
		}
		for _, n := range memory.Notes {
			out = append(out, n.Strategy)
			require.Equal(t, map[string]any{"asked_at": "e2"}, n.Value, "that of the last admitted act")
		}
		return out
	}
	require.Equal(t, []string{"webhook done 200 OK", "webhook done 200 OK", "sample.calls"}, acts("sample/caller"))

	hanging, err := j.Open(ctx, "sample/hanger")
	require.NoError(t, err)
	require.Len(t, hanging, 3)
	for _, in := range hanging {
		require.Equal(t, "POST http://127.0.0.1:18999/hangs", in.Diff)
		require.Equal(t, engine.TargetID{Namespace: "sample", Name: "page"}, in.Target.ID())
	}

	approvals, err := j.Approvals(ctx, "sample/asker", time.Time{})
	require.NoError(t, err)
	states := map[engine.ApprovalState]engine.Approval{}
	for _, a := range approvals {
		states[a.State] = a
	}
	require.Len(t, states, 3)
	require.Equal(t, "api", states[engine.ApprovalUsed].By)
	require.Equal(t, "api", states[engine.ApprovalDenied].By)
	waiting := states[engine.ApprovalWaiting]
	require.Equal(t, "e3", waiting.Trigger.Event.ID)

	decisions, err := reader(t, j).Decisions(ctx, Filter{})
	require.NoError(t, err)
	require.Len(t, decisions, 17)
	document, err := reader(t, j).Document(ctx, decisions[1].ID)
	require.NoError(t, err)
	require.Contains(t, string(document), `"page"`)

	// It goes on.
	before := decisions[0].Firing
	next, err := j.NextFiring(ctx)
	require.NoError(t, err)
	require.NotEqual(t, before, next)
	conclude(t, j, hanging[0].Identity, clock.Now())
	require.NoError(t, j.SaveApproval(ctx, engine.ApprovalChange{Approval: with(waiting, func(a *engine.Approval) {
		a.State, a.By, a.Decided = engine.ApprovalApproved, "ana", clock.Now()
	}), From: engine.ApprovalWaiting}))
	require.Zero(t, put(t, j, "sample/caller", event("/sample", "e1")), "it was handled before")
	require.Equal(t, 1, put(t, j, "sample/paused", event("/sample", "e4")))
	dead, err := j.Messages(ctx, "sample/caller", -1)
	require.NoError(t, err)
	require.Len(t, dead, 1)
	again, err := j.Redeliver(ctx, []string{dead[0].ID})
	require.NoError(t, err)
	require.Len(t, again, 1)
	require.NoError(t, j.Close())

	j = open(t, dir, Options{Clock: clock})
	now := append([]string{"inbox sample/caller sample.asked", "inbox sample/paused dev.scanflow.retrain.requested"}, kept...)
	require.Equal(t, now, letters())
	hanging, err = j.Open(ctx, "sample/hanger")
	require.NoError(t, err)
	require.Len(t, hanging, 2)
	answered, err := j.Approval(ctx, waiting.ID)
	require.NoError(t, err)
	require.Equal(t, "ana", answered.By)
	soundCounts(t, j)
}
