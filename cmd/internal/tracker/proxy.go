package tracker

import (
	"context"
	"database/sql"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// serveArtifact is the artifact proxy below its path: PUT, GET and DELETE of a file,
// and a list where no file is named.
func (t *Tracker) serveArtifact(w http.ResponseWriter, r *http.Request, given string) error {
	name, err := artifactPath(given)
	if err != nil {
		return err
	}
	switch {
	case r.Method == http.MethodGet && name == ".":
		folder, err := artifactPath(r.URL.Query().Get("path"))
		if err != nil {
			return err
		}
		files, err := t.artifacts.list(folder)
		if err != nil {
			return err
		}
		reply(w, http.StatusOK, filesAnswer{Files: files})
		return nil
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return t.download(w, r, name)
	case r.Method == http.MethodPut:
		err = t.artifacts.put(name, r.Body)
	case r.Method == http.MethodDelete:
		err = t.artifacts.remove(name)
	default:
		return &apiError{noEndpoint, r.Method + " is not for artifacts: it takes GET, PUT and DELETE"}
	}
	if err == nil {
		reply(w, http.StatusOK, empty{})
	}
	return err
}

// download sends a file with headers that keep browsers from showing it as a page.
func (t *Tracker) download(w http.ResponseWriter, r *http.Request, name string) error {
	f, err := t.artifacts.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(name)}))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

type listArtifactsRequest struct {
	Run  string `json:"run_id" alias:"run_uuid" required:"true"`
	Path string `json:"path"`
}

type filesAnswer struct {
	Root  string     `json:"root_uri,omitempty"`
	Files []fileInfo `json:"files,omitempty"`
}

// listArtifacts lists a folder of a run; its paths are relative to the run.
func (t *Tracker) listArtifacts(ctx context.Context, q *listArtifactsRequest) (any, error) {
	below, err := artifactPath(q.Path)
	if err != nil {
		return nil, err
	}
	var answer filesAnswer
	err = t.store.view(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT artifact_uri FROM runs WHERE id = ?`, q.Run).Scan(&answer.Root)
		if errors.Is(err, sql.ErrNoRows) {
			return missing("Run with id=%s not found", shorten(q.Run))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(answer.Root)
	if err != nil || u.Scheme != artifactScheme {
		return nil, invalid("the artifacts of run %s lie at %s, where this tracker does not look: list them there", q.Run, answer.Root)
	}
	folder, err := artifactPath(strings.TrimLeft(path.Join(u.Path, below), "/"))
	if err != nil {
		return nil, err
	}
	answer.Files, err = t.artifacts.list(folder)
	for i := range answer.Files {
		answer.Files[i].Path = path.Join(below, answer.Files[i].Path)
	}
	return answer, err
}
