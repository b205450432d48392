package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
)

// nobody is the user of the child if the test runs as root, which ignores permissions.
const nobody = 65534

func TestReadOnlyFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "journal-readonly-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	cmd := child(t, "readonly", dir)
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, nobody, nobody))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "ok\n", string(out))
}

func childReadOnly(base string) error {
	ctx := context.Background()
	dir := filepath.Join(base, "data")
	// A folder that can't be created.
	if err := os.Chmod(base, 0o500); err != nil {
		return err
	}
	_, err := Open(ctx, dir, Options{})
	if err := errors.Join(expect("no folder", err, ErrReadOnly), os.Chmod(base, 0o700)); err != nil {
		return err
	}
	j, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(j.Intend(ctx, intent("a", 1)), j.Close()); err != nil {
		return err
	}
	for name, modes := range map[string]struct{ dir, file os.FileMode }{
		"folder": {0o500, 0o400}, "files": {0o700, 0o400},
	} {
		if err := readsOnly(ctx, dir, modes.dir, modes.file); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	fmt.Println("ok")
	return nil
}

func expect(what string, err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("%s: got %w, want %w", what, err, want)
	}
	return nil
}

func chmodAll(dir string, dirMode, fileMode os.FileMode) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(dir, e.Name()), fileMode); err != nil {
			return err
		}
	}
	return os.Chmod(dir, dirMode)
}

func readsOnly(ctx context.Context, dir string, dirMode, fileMode os.FileMode) error {
	if err := chmodAll(dir, dirMode, fileMode); err != nil {
		return err
	}
	_, err := Open(ctx, dir, Options{})
	if err := expect("open", err, ErrReadOnly); err != nil {
		return err
	}
	r, err := OpenReader(ctx, dir)
	if err != nil {
		return fmt.Errorf("reading needs no right to write: %w", err)
	}
	stats, err := r.Stats(ctx)
	if err != nil || stats.Acts == 0 {
		return fmt.Errorf("read %+v: %w", stats, err)
	}
	if err := r.Close(); err != nil {
		return err
	}
	j, err := Open(ctx, dir, Options{Tolerant: true})
	if err != nil {
		return fmt.Errorf("open tolerantly: %w", err)
	}
	_, rerr := j.NextFiring(ctx)
	_, perr := j.Enqueue(ctx, postings([]string{"a/x"}, nil, event("s", "1")))
	if err := errors.Join(expect("health", j.Health(), ErrReadOnly), expect("next", rerr, ErrReadOnly), expect("post", perr, ErrReadOnly),
		expect("settle", j.Ack(ctx, []engine.Ack{{ID: "out-1", State: engine.Delivered}}), ErrReadOnly),
		expect("approve", j.SaveApproval(ctx, engine.ApprovalChange{Approval: approval("p")}), ErrReadOnly)); err != nil {
		return err
	}
	if err := chmodAll(dir, 0o700, 0o600); err != nil {
		return err
	}
	_, perr = j.Enqueue(ctx, postings([]string{"a/x"}, nil, event("s", "1")))
	if err := errors.Join(j.Intend(ctx, intent("a", 1)), perr, j.Health(), j.Close()); err != nil {
		return fmt.Errorf("writable again: %w", err)
	}
	return nil
}
