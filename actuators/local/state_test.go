package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWishThatCannotBeKeptIsNotActedOn(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir)
	reload(t, o, web("web", 1)+web("backup", 0)+routeOver("web", 1, "backup", 0))
	waitReady(t, o, "web")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "workloads")))
	for verb, with := range map[string]map[string]any{
		"scale":   {"replicas": 3.0},
		"restart": nil,
		"traffic": {"route": "models", "weights": map[string]any{"backup": 1.0}},
	} {
		a := actuatorOf(o, verb)
		c, err := a.Plan(t.Context(), proposal(verb, "web", with))
		require.NoError(t, err)
		require.False(t, c.NoOp)
		_, err = a.Apply(t.Context(), c)
		require.ErrorIs(t, err, os.ErrNotExist, verb)
		again, err := a.Plan(t.Context(), proposal(verb, "web", with))
		require.NoError(t, err)
		require.Equal(t, c, again, "%s has changed something", verb)
	}
	require.Equal(t, 1, workload(t, o, "web").Desired)
}

func TestOldLogsOfPodsThatAreNoMoreAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir)
	require.NoError(t, err)
	long := time.Now().Add(-30 * 24 * time.Hour)
	live := record{Namespace: "test", Name: "live", Log: s.logFile(key{"test", "live"})}
	put := func(name string, at time.Time) string {
		file := filepath.Join(dir, "logs", name)
		require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(file, at, at))
		return file
	}
	kept := []string{put("test_live.log", long), put("test_live.log.1", long), put("test_gone.log", time.Now())}
	gone := []string{put("test_old.log", long), put("test_old.log.1", long)}
	require.NoError(t, s.pruneLogs([]record{live}, time.Now().Add(-keepLogs)))
	for _, f := range kept {
		require.FileExists(t, f)
	}
	for _, f := range gone {
		require.NoFileExists(t, f)
	}
	require.NoError(t, s.close())
}
