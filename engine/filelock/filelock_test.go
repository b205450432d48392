package filelock

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLockHasOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	require.False(t, Held(path))
	require.NoFileExists(t, path, "Held creates nothing")
	first, err := Acquire(path)
	require.NoError(t, err)
	require.True(t, Held(path))

	_, err = Acquire(path)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, HeldError{Path: path, PID: os.Getpid()}, *held)
	ctx, cancel := context.WithTimeout(t.Context(), 2*retryEvery)
	defer cancel()
	_, err = Wait(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	require.NoError(t, first.Release())
	require.False(t, Held(path), "the file is no lock")
	require.FileExists(t, path)
	second, err := Wait(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestWaitGetsTheLockOnceItIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Acquire(path)
	require.NoError(t, err)
	time.AfterFunc(2*retryEvery, func() { _ = first.Release() })
	second, err := Wait(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, second.Release())
}

func TestHolderThatIsNotKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Acquire(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("?"), 0o600))
	_, err = Acquire(path)
	require.EqualError(t, err, path+" is locked by another process")
	require.NoError(t, l.Release())
}

func TestLockInAFolderThatIsNotThere(t *testing.T) {
	_, err := Acquire(filepath.Join(t.TempDir(), "absent", "lock"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// A process starts children all the time, which have its files for a moment: they must
// not keep the lock that it gives back.
func TestLockIsGivenBackWhileChildrenStart(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var started sync.WaitGroup
	started.Go(func() {
		for ctx.Err() == nil {
			_ = exec.CommandContext(ctx, "true").Run()
		}
	})
	defer started.Wait()
	defer stop()
	path := filepath.Join(t.TempDir(), "lock")
	for range 100 {
		l, err := Acquire(path)
		require.NoError(t, err)
		require.NoError(t, l.Release())
	}
}
