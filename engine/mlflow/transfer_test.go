package mlflow_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine/mlflow"
)

// proxy is a server that keeps artifacts of run r at root, and answers a transfer by f.
func proxy(t *testing.T, root string, f http.HandlerFunc, options ...func(*mlflow.Options)) *mlflow.Client {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runs/get") {
			answer(200, `{"run": {"info": {"run_id": "r", "artifact_uri": "`+root+`"}}}`)(w, r)
			return
		}
		f(w, r)
	}, options...)
}

func TestAnUploadSaysItsLengthWhereItCan(t *testing.T) {
	var path, method atomic.Value
	var length, read atomic.Int64
	c := proxy(t, "mlflow-artifacts:/7/r/artifacts", func(w http.ResponseWriter, r *http.Request) {
		path.Store(r.URL.EscapedPath())
		method.Store(r.Method)
		length.Store(r.ContentLength)
		n, _ := io.Copy(io.Discard, r.Body)
		read.Store(n)
		answer(200, `{}`)(w, r)
	})
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, []byte("abcdef"), 0o600))
	open, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, open.Close()) }()
	_, err = open.Seek(2, io.SeekStart)
	require.NoError(t, err)
	for name, row := range map[string]struct {
		body         io.Reader
		length, read int64
	}{
		"bytes":              {bytes.NewReader([]byte("abc")), 3, 3},
		"text":               {strings.NewReader("abc"), 3, 3},
		"buffer":             {bytes.NewBufferString("abc"), 3, 3},
		"the rest of a file": {open, 4, 4},
		"nothing":            {strings.NewReader(""), 0, 0},
		"a stream":           {io.MultiReader(strings.NewReader("ab"), strings.NewReader("c")), -1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.UploadArtifact(soon(t), "r", "model/w 1%.gz", row.body))
			require.Equal(t, http.MethodPut, method.Load())
			require.Equal(t, "/api/2.0/mlflow-artifacts/artifacts/7/r/artifacts/model/w%201%25.gz", path.Load())
			require.Equal(t, row.length, length.Load())
			require.Equal(t, row.read, read.Load())
		})
	}
	require.ErrorContains(t, c.UploadArtifact(soon(t), "r", "x", iotest.ErrReader(errors.New("the disk is gone"))), "the disk is gone")
}

func TestAnArtifactStaysBelowItsRun(t *testing.T) {
	c := proxy(t, "mlflow-artifacts:/7/r/artifacts", func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL.Path) })
	for _, file := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "..", "a/"} {
		require.ErrorContains(t, c.UploadArtifact(soon(t), "r", file, strings.NewReader("x")), "must be a path below the run's", file)
		_, err := c.DownloadArtifact(soon(t), "r", file)
		require.ErrorContains(t, err, "must be a path below the run's", file)
	}
}

func TestArtifactsThatTheServerDoesNotPassOn(t *testing.T) {
	for _, root := range []string{"s3://key:s3cret@bucket/7/r", "file:///mlruns/7/r", "/mlruns/7/r", "mlflow-artifacts://elsewhere:5000/7/r", ""} {
		c := proxy(t, root, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL.Path) })
		_, err := c.DownloadArtifact(soon(t), "r", "x")
		require.ErrorContains(t, err, "which this server does not pass on", root)
		require.NotContains(t, err.Error(), "s3cret")
	}
}

func TestFaultsOfATransfer(t *testing.T) {
	root := "mlflow-artifacts:/7/r/artifacts"
	for name, row := range map[string]struct {
		answer  http.HandlerFunc
		says    string
		passing bool
	}{
		"no such file": {answer(404, `{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no file"}`), "no file", false},
		"down":         {answer(502, ``), "answered 502", true},
		"hangs":        {hang, "nothing moved for too long", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := proxy(t, root, row.answer, hurry)
			_, err := c.DownloadArtifact(soon(t), "r", "x")
			require.ErrorContains(t, err, row.says)
			require.Equal(t, row.passing, mlflow.Retryable(err))
			err = c.UploadArtifact(soon(t), "r", "x", strings.NewReader("abc"))
			require.ErrorContains(t, err, row.says)
			require.Equal(t, row.passing, mlflow.Retryable(err))
		})
	}

	c := proxy(t, root, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("first"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, hurry)
	body, err := c.DownloadArtifact(soon(t), "r", "x")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.Equal(t, "first", string(got))
	require.ErrorContains(t, err, "nothing moved for too long")
	require.True(t, mlflow.Retryable(err))
	require.NoError(t, body.Close())

	c = proxy(t, root, cutShort)
	body, err = c.DownloadArtifact(soon(t), "r", "x")
	require.NoError(t, err)
	_, err = io.ReadAll(body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "half a file is none")
	require.NoError(t, body.Close())
}

// The time of a request does not bound a transfer that moves.
func TestASlowTransferThatMovesIsNotCutOff(t *testing.T) {
	c := proxy(t, "mlflow-artifacts:/7/r/artifacts", func(w http.ResponseWriter, r *http.Request) {
		for range 40 {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}, hurry)
	body, err := c.DownloadArtifact(soon(t), "r", "x")
	require.NoError(t, err)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Len(t, got, 40)
	require.NoError(t, body.Close())
}
