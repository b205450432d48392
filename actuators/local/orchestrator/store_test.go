package orchestrator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOldLogsOfPodsThatAreNoMoreAreRemoved(t *testing.T) {
	dir := t.TempDir()
	s, err := openStore(dir)
	require.NoError(t, err)
	long := time.Now().Add(-30 * 24 * time.Hour)
	live := record{Namespace: "test", Name: "live", Log: s.logFile(named("test", "live"))}
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
