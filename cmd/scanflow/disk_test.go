//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// disk is a real file system of 3 MB, mounted on a folder in a mount namespace of
// its own: the host sees none of it, and no rights on the host are needed. A
// process that waits for its input to end keeps the namespace while daemons come and go.
type disk struct {
	t      *testing.T
	dir    string // where it is mounted
	holder *exec.Cmd
}

func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	k := &disk{t: t, dir: dir, holder: exec.Command("/bin/sh", "-c",
		`mount --make-rprivate / && mount -t tmpfs -o size=3m tmpfs "$0" && echo mounted && exec cat`, dir)}
	k.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		k.holder.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		k.holder.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		k.holder.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	var trouble bytes.Buffer
	k.holder.Stderr = &trouble
	in, err := k.holder.StdinPipe()
	require.NoError(t, err)
	out, err := k.holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, k.holder.Start(), "this test needs mount namespaces: run it as root, or allow user namespaces")
	said, err := bufio.NewReader(out).ReadString('\n')
	ended := err != nil
	t.Cleanup(func() {
		_ = in.Close()
		if !ended {
			_ = k.holder.Wait()
		}
	})
	if ended {
		_ = k.holder.Wait()
	}
	require.Equal(t, "mounted\n", said, "no small disk can be mounted: %s", &trouble)
	return k
}

// enter is a command that runs where the disk is mounted, under its own process id.
func (k *disk) enter(name string, args ...string) *exec.Cmd {
	how := []string{"--target", fmt.Sprint(k.holder.Process.Pid), "--mount"}
	if os.Getuid() != 0 {
		how = append(how, "--user", "--preserve-credentials")
	}
	return exec.Command("nsenter", append(append(how, "--", name), args...)...)
}

// sh runs a line of shell there, in which $0 is the disk's folder and $1 the next one.
func (k *disk) sh(line string, args ...string) {
	k.t.Helper()
	out, err := k.enter("/bin/sh", append([]string{"-c", line, k.dir}, args...)...).CombinedOutput()
	require.NoError(k.t, err, "%s: %s", line, out)
}

// file is the path, from outside, of a file on the disk.
func (k *disk) file(name string) string {
	return filepath.Join("/proc", fmt.Sprint(k.holder.Process.Pid), "root", k.dir, name)
}

// startDaemon starts scanflow run there, and waits until it says its address.
func (k *disk) startDaemon(args ...string) *daemon {
	k.t.Helper()
	name, err := binary()
	require.NoError(k.t, err)
	d := &daemon{t: k.t, log: filepath.Join(k.t.TempDir(), "log"), exit: make(chan error, 1)}
	log, err := os.Create(d.log)
	require.NoError(k.t, err)
	d.cmd = k.enter(name, append([]string{"run", "--listen", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	d.cmd.Env = append(os.Environ(), "HOOK_TOKEN=s3cret-token")
	d.cmd.Stderr, d.cmd.Stdout = log, log
	require.NoError(k.t, d.cmd.Start(), "this test needs nsenter, of util-linux")
	go func() { d.exit <- d.cmd.Wait() }()
	k.t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = log.Close()
		if k.t.Failed() {
			k.t.Logf("daemon:\n%s", d.text())
		}
	})
	require.Eventually(k.t, func() bool {
		for _, line := range d.lines() {
			if address, is := line["address"].(string); is && line["@message"] == "running" {
				d.url = "http://" + address
			}
		}
		return d.url != "" || d.ended()
	}, 30*time.Second, 5*time.Millisecond)
	require.NotEmpty(k.t, d.url, "it did not start:\n%s", d.text())
	return d
}

// requireIdle has the daemon sense and not act: it says why, and fires on.
func requireIdle(t *testing.T, d *daemon, why string) {
	t.Helper()
	d.said("the journal can't be written, so nothing is done")
	d.metric("scanflow_journal_writable 0")
	code, body := d.get("/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, body, why)
	require.Contains(t, body, "nothing is done until then")
	_, before := d.get("/metrics")
	require.Eventually(t, func() bool { _, now := d.get("/metrics"); return firings(now) > firings(before)+3 }, 20*time.Second, 10*time.Millisecond, "it keeps sensing")
	d.metric(`scanflow_signals{agent="test/watcher",signal="load",state="ok"} 1`)
}

// requireReady has the daemon well again.
func requireReady(t *testing.T, d *daemon) {
	t.Helper()
	d.metric("scanflow_journal_writable 1")
	require.Eventually(t, func() bool { code, _ := d.get("/readyz"); return code == 200 }, 20*time.Second, 10*time.Millisecond)
}

// The journal's disk is full: a real one, of a megabyte or two.
func TestOnAFullDiskTheAgentStopsActingAndKeepsSensing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	k := newDisk(t, s.data)
	d := k.startDaemon(s.args()...)
	requireReady(t, d)
	full := k.file("filler")
	fill(t, full)
	d.metric("scanflow_journal_writable 0")
	s.app.set(`{"load": 50}`)
	requireIdle(t, d, "no space left")
	require.Empty(t, s.app.keys())

	require.NoError(t, os.Remove(full))
	s.calls(1)
	requireReady(t, d)
	d.stop()
	require.Len(t, s.app.keys(), 1)
}

// The journal's disk is read-only. The kernel turns no file system read-only by
// request while files of it are open for writing, as the journal's are; so in the
// first part the disk goes, as a volume does that is detached, and comes back read-only.
func TestOnAReadOnlyDiskNothingIsDone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.app.set(`{"load": 5}`)
	k := newDisk(t, s.data)
	again := filepath.Join(s.dir, "again") // the same disk, read-only
	require.NoError(t, os.MkdirAll(again, 0o755))
	k.sh(`mount --bind "$0" "$1" && mount -o remount,bind,ro "$1"`, again)
	d := k.startDaemon(s.args()...)
	requireReady(t, d)

	k.sh(`mount -t tmpfs gone "$0"`)
	d.said(": file gone (")
	s.app.set(`{"load": 50}`)
	requireIdle(t, d, "file gone")
	k.sh(`mount --bind "$1" "$0"`, again)
	d.said(": read-only (")
	requireIdle(t, d, "read-only")
	require.Empty(t, s.app.keys())
	k.sh(`umount --lazy "$0" && umount --lazy "$0"`) // both: it is gone in between, never writable too early
	s.calls(1)
	requireReady(t, d)
	d.stop()

	// A start on a read-only journal: past acts and their cooldowns can be read only
	// later, so no agent may act before.
	second := newApp(t)
	s.write("agents/second.yaml", strings.NewReplacer(s.app.URL, second.URL, "name: watcher", "name: second").Replace(s.read("agents/watcher.yaml")))
	k.sh(`mount --bind "$1" "$0"`, again)
	d = k.startDaemon(s.args()...)
	requireIdle(t, d, "read-only")
	d.metric(`scanflow_signals{agent="test/second",signal="load",state="ok"} 1`)
	require.Len(t, s.app.keys(), 1)
	require.Empty(t, second.keys())
	k.sh(`umount --lazy "$0"`)
	require.Eventually(t, func() bool { return len(second.keys()) > 0 }, 20*time.Second, 5*time.Millisecond, "it acts once it may write")
	d.metric(`scanflow_refusals_total{agent="test/watcher",by="guards.cooldown"} 1`)
	requireReady(t, d)
	d.stop()
	require.Len(t, s.app.keys(), 1, "what was done before is remembered")
	require.Len(t, second.keys(), 1)
}

func fill(t *testing.T, name string) {
	f, err := os.Create(name)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	chunk := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}
