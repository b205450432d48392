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

// markPath is the file that says which journal is kept in a folder. It lies beside the
// folder, so that a folder that is gone is missed too.
func markPath(dir string) string { return dir + ".id" }

// mark says that there is a journal, and which: without it a journal that was deleted or
// emptied would be begun anew, and the cooldowns, approvals and acts that it knew of
// would be forgotten without a word. It is written once the journal is on the disk.
type mark struct {
	// Journal is the epoch in its table meta.
	Journal string    `json:"journal"`
	Made    time.Time `json:"made"`
	// Closed says that the last owner closed it, or was about to: nothing is in its log alone.
	Closed bool `json:"closed"`
}

// readMark returns nil where there is no mark: no journal was made here yet, or only by
// a Scanflow that wrote none.
func readMark(path string) (*mark, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &mark{}
	if err := json.Unmarshal(raw, m); err != nil || m.Journal == "" {
		return nil, &FaultError{filepath.Join(strings.TrimSuffix(path, ".id"), fileName), ErrLost, fmt.Errorf("%s does not say which journal is kept here", path)}
	}
	return m, nil
}

func (m *mark) write(path string) (err error) {
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

// verify holds the file against the mark, before anything is written. What is wrong with
// a file that can't be read is left to inspect.
func (m *mark) verify(ctx context.Context, path string) error {
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

// known verifies the file of a journal that is to be opened.
func (j *Journal) known(ctx context.Context) error {
	m, err := readMark(markPath(j.dir))
	if err != nil || m == nil {
		return err
	}
	return m.verify(ctx, j.path)
}

// note writes the mark of the journal that was opened.
func (j *Journal) note(ctx context.Context, s *store) error {
	epoch, err := meta(ctx, s.conn, "epoch")
	if err != nil {
		return err
	}
	m := mark{Journal: epoch, Made: j.opts.Clock.Now()}
	if before, err := readMark(markPath(j.dir)); err == nil && before != nil {
		m.Made = before.Made
	}
	err = m.write(markPath(j.dir))
	if errors.Is(fileKind(err), ErrReadOnly) { // the journal itself can be written
		j.opts.Log.Warn("a journal that gets lost here will not be missed", "file", markPath(j.dir), "error", err)
		return nil
	}
	if err == nil {
		j.mark.Store(&m)
	}
	return err
}

// noteClosed says in the mark that soon nothing is in the log alone. It comes before the
// log is emptied: a kill in between must not look like a loss.
func (j *Journal) noteClosed() {
	m := j.mark.Load()
	if m == nil || j.Health() != nil {
		return
	}
	closed := *m
	closed.Closed = true
	if err := closed.write(markPath(j.dir)); err != nil {
		j.opts.Log.Warn("not noted that the journal was closed", "file", markPath(j.dir), "error", err)
	}
}
