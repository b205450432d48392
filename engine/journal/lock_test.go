package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// childHolds opens the journal and keeps it until its input ends.
func childHolds(dir string) error {
	j, err := Open(context.Background(), dir, Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, j.Close())
}

func TestTwoDaemonsOnOneJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	cmd := child(t, "hold", dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "open\n", line)

	for _, tolerant := range []bool{false, true} {
		_, err = Open(t.Context(), dir, Options{Tolerant: tolerant})
		require.ErrorIs(t, err, ErrLocked)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, LockedError{Dir: dir, PID: cmd.Process.Pid}, *locked)
		require.ErrorContains(t, err, dir)
		require.ErrorContains(t, err, fmt.Sprint(cmd.Process.Pid))
	}

	// Killed, it holds nothing more.
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	_ = in.Close()
	j := open(t, dir, Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))

	// Within one process too.
	_, err = Open(t.Context(), dir, Options{})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, fmt.Sprint(os.Getpid()))
	require.NoError(t, j.Close())
	require.NoError(t, open(t, dir, Options{}).Close())
}

func TestJournalIsForItsUserOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	j := open(t, dir, Options{})
	require.NoError(t, j.Intend(t.Context(), intent("a", 1)))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
}
