package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	parts["full"], parts["limit"] = childFillsDisk, childHitsLimit
}

// isolated runs a child in its own mount namespace.
func isolated(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// TestFullDisk fills a real volume of 2 MiB. If mounting is not permitted, a limit on the size
// of files is used instead.
func TestFullDisk(t *testing.T) {
	out, err := isolated(child(t, "full", t.TempDir())).Output()
	if err == nil {
		require.Equal(t, "ok\n", string(out))
		return
	}
	t.Logf("no volume of its own here: %v %s", err, out)
	require.NotContains(t, string(out), "mounted", "the volume was there, and the test failed on it")
	out, err = child(t, "limit", t.TempDir()).Output()
	require.NoError(t, err)
	require.Equal(t, "ok\n", string(out))
}

// TestFileTooLarge makes every write beyond a size fail with a system error that SQLite does
// not report.
func TestFileTooLarge(t *testing.T) {
	out, err := child(t, "limit", t.TempDir()).Output()
	require.NoError(t, err)
	require.Equal(t, "ok\n", string(out))
}

func childFillsDisk(dir string) (err error) {
	ctx := context.Background()
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	defer func() {
		if err != nil {
			fmt.Println("mounted")
		}
	}()
	j, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the volume took 4 MiB: %w", err)
	}
	written, full := 0, error(nil)
	for full == nil && written < 1000 { // there is room in the log yet
		if full = j.Intend(ctx, intent(fmt.Sprint(written), written)); full == nil {
			written++
		}
	}
	intents, err := j.Open(ctx, "mlperf/planner")
	if err == nil && len(intents) != written {
		err = fmt.Errorf("%d intents of %d", len(intents), written)
	}
	// A restart on a full disk reports the fault or waits for free space.
	err = errors.Join(err, expect("intend", full, ErrFull), expect("health", j.Health(), ErrFull), os.Remove(ballast))
	if err != nil {
		return err
	}
	if err := j.Intend(ctx, intent("after", 1)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := errors.Join(j.Health(), j.Close()); err != nil {
		return fmt.Errorf("well again: %w", err)
	}
	return opensOnFullDisk(ctx, filepath.Join(dir, "new"), ballast)
}

// opensOnFullDisk creates a journal on a full disk.
func opensOnFullDisk(ctx context.Context, dir, ballast string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the volume took 4 MiB: %w", err)
	}
	_, err := Open(ctx, dir, Options{})
	if err := expect("open", err, ErrFull); err != nil {
		return err
	}
	j, err := Open(ctx, dir, Options{Tolerant: true})
	if err != nil {
		return fmt.Errorf("open tolerantly: %w", err)
	}
	_, rerr := j.Open(ctx, "a/b")
	err = errors.Join(expect("health", j.Health(), ErrFull), expect("read", rerr, ErrFull),
		expect("intend", j.Intend(ctx, intent("a", 1)), ErrFull), os.Remove(ballast))
	if err != nil {
		return err
	}
	if err := errors.Join(j.Intend(ctx, intent("a", 1)), j.Health(), j.Close()); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	fmt.Println("ok")
	return nil
}

func childHitsLimit(dir string) error {
	ctx := context.Background()
	signal.Ignore(syscall.SIGXFSZ)
	j, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	log, err := os.Stat(j.path + "-wal")
	if err != nil {
		return err
	}
	unlimited := limit.Cur
	limit.Cur = uint64(log.Size()) + 100<<10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	full := j.RecordFiring(ctx, firingOf("big", day, 300))
	var known *FaultError
	if !errors.As(full, &known) || j.Health() == nil {
		return fmt.Errorf("got %w, health %w", full, j.Health())
	}
	if err := j.Intend(ctx, intent("small", 1)); err != nil {
		return fmt.Errorf("a small write fits: %w", err)
	}
	limit.Cur = unlimited
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := errors.Join(j.RecordFiring(ctx, firingOf("big", day, 300)), j.Health(), j.Close()); err != nil {
		return fmt.Errorf("without the limit: %w", err)
	}
	fmt.Println("ok")
	return nil
}
