package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// identityPath returns the file that identifies the journal of a folder. It is beside the
// folder, so that the loss of the whole folder is noticed too.
func identityPath(dir string) string { return dir + ".id" }

// identityFile records that a folder has a journal, and which one. Without it, a journal that
// was deleted or emptied would be created again, and its cooldowns, approvals and acts would
// be lost silently. It is written once the journal is on the disk.
type identityFile struct {
	// Journal is the journal's epoch, from its table meta.
	Journal string    `json:"journal"`
	Made    time.Time `json:"made"`
	// Closed means that the last owner closed the journal or was about to: no data is only in
	// the write-ahead log.
	Closed bool `json:"closed"`
}

// readIdentity returns nil if there is no file: no journal was created here yet, or only by a
// Scanflow that wrote none.
func readIdentity(path string) (*identityFile, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &identityFile{}
	if err := json.Unmarshal(raw, m); err != nil || m.Journal == "" {
		return nil, &FaultError{filepath.Join(strings.TrimSuffix(path, ".id"), fileName), ErrLost, fmt.Errorf("%s does not say which journal is kept here", path)}
	}
	return m, nil
}

func (m *identityFile) write(path string) (err error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// verify compares the journal's file with the identity before anything is written. Errors of a
// file that can't be read are left to inspect.
func (m *identityFile) verify(ctx context.Context, path string) error {
	lost := func(format string, args ...any) error {
		return &FaultError{path, ErrLost, fmt.Errorf("one was made here on %s, and %s", m.Made.UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))}
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return lost("its file is missing")
	case err != nil || info.IsDir():
		return nil
	case info.Size() == 0:
		return lost("its file is empty")
	}
	if log, err := os.Stat(path + "-wal"); !m.Closed && (errors.Is(err, os.ErrNotExist) || err == nil && log.Size() == 0) {
		return lost("what was written last is gone: it was not closed, and its write-ahead log %s is missing or empty", filepath.Base(path)+"-wal")
	}
	db, err := openReadOnly(path, true)
	if err != nil {
		return nil
	}
	defer func() { _ = db.Close() }()
	v, err := version(ctx, db, path)
	if err != nil {
		return nil
	}
	if v == 0 {
		return lost("its file holds nothing")
	}
	if epoch, err := meta(ctx, db, "epoch"); err == nil && epoch != m.Journal {
		return lost("its file is another journal's")
	}
	return nil
}

// verifyIdentity verifies the file of a journal before it is opened.
func (j *Journal) verifyIdentity(ctx context.Context) error {
	m, err := readIdentity(identityPath(j.dir))
	if err != nil || m == nil {
		return err
	}
	return m.verify(ctx, j.path)
}

// writeIdentity writes the identity of the journal that was opened.
func (j *Journal) writeIdentity(ctx context.Context, s *store) error {
	epoch, err := meta(ctx, s.conn, "epoch")
	if err != nil {
		return err
	}
	m := identityFile{Journal: epoch, Made: j.opts.Clock.Now()}
	if before, err := readIdentity(identityPath(j.dir)); err == nil && before != nil {
		m.Made = before.Made
	}
	err = m.write(identityPath(j.dir))
	if errors.Is(errnoKind(err), ErrReadOnly) { // the journal itself can be written
		j.opts.Log.Warn("a journal that gets lost here will not be missed", "file", identityPath(j.dir), "error", err)
		return nil
	}
	if err == nil {
		j.identity.Store(&m)
	}
	return err
}

// markClosed records that no data will be only in the write-ahead log. It is called before the
// log is emptied, so that a kill in between does not look like a loss.
func (j *Journal) markClosed() {
	m := j.identity.Load()
	if m == nil || j.Health() != nil {
		return
	}
	closed := *m
	closed.Closed = true
	if err := closed.write(identityPath(j.dir)); err != nil {
		j.opts.Log.Warn("not noted that the journal was closed", "file", identityPath(j.dir), "error", err)
	}
}
