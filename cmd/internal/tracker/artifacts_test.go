package tracker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const files = "/api/2.0/mlflow-artifacts/artifacts"

func (c *client) put(path, body string) int {
	c.t.Helper()
	status, _ := c.raw(http.MethodPut, files+path, strings.NewReader(body))
	return status
}

func TestArtifactProxy(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	require.Equal(t, http.StatusOK, c.put("/1/abc/artifacts/model/weights.bin", "12345"))
	require.Equal(t, http.StatusOK, c.put("/1/abc/artifacts/read me:v1.txt", ""))
	require.Equal(t, http.StatusOK, c.put("/1/abc/artifacts/model/weights.bin", "123456"), "a file is replaced")

	status, body := c.raw(http.MethodGet, files+"/1/abc/artifacts/model/weights.bin", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "123456", body)
	status, body = c.raw(http.MethodGet, "/ajax-api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts/read%20me:v1.txt", nil)
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, body)

	list := func(query string) any {
		status, answer := c.do(http.MethodGet, files+query, nil)
		require.Equal(t, http.StatusOK, status)
		return answer["files"]
	}
	require.Equal(t, any(listOf(object{"path": "1", "is_dir": true})), list(""))
	require.Equal(t, any(listOf(object{"path": "model", "is_dir": true}, object{"path": "read me:v1.txt", "is_dir": false, "file_size": 0.0})), list("?path=1/abc/artifacts"))
	require.Equal(t, any(listOf(object{"path": "weights.bin", "is_dir": false, "file_size": 6.0})), list("/?path=1/abc/artifacts/model/"))
	require.Nil(t, list("?path=1/none"))
	require.Nil(t, list("?path=1/abc/artifacts/model/weights.bin"))

	status, answer := c.do(http.MethodGet, files+"/1/abc/none", nil)
	require.Equal(t, http.StatusNotFound, status)
	require.Equal(t, "RESOURCE_DOES_NOT_EXIST", answer["error_code"])
	status, _ = c.do(http.MethodGet, files+"/1/abc", nil)
	require.Equal(t, http.StatusNotFound, status, "a folder is no file")

	status, _ = c.do(http.MethodDelete, files+"/1/abc/artifacts/model", nil)
	require.Equal(t, http.StatusOK, status, "a folder goes with all it has")
	require.Equal(t, any(listOf(object{"path": "read me:v1.txt", "is_dir": false, "file_size": 0.0})), list("?path=1/abc/artifacts"))
	status, _ = c.do(http.MethodDelete, files+"/1/abc/artifacts/model", nil)
	require.Equal(t, http.StatusNotFound, status)
	status, _ = c.do(http.MethodPost, files+"/1/x", "{}")
	require.Equal(t, http.StatusNotFound, status)
}

// TestNoBrowserShowsAnArtifact checks the headers that keep browsers from showing an artifact.
func TestNoBrowserShowsAnArtifact(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	require.Equal(t, http.StatusOK, c.put("/x/page.html", "<script>alert(1)</script>"))
	res, err := http.Get(c.base + files + "/x/page.html")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	require.Equal(t, `attachment; filename=page.html`, res.Header.Get("Content-Disposition"))
}

// TestPathsThatLeaveTheFolder sends raw paths, which a client would clean.
func TestPathsThatLeaveTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, _ := start(t, func(o *Options) { o.Dir = filepath.Join(dir, "data") })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "data", "artifacts", "link")))
	before := tree(t, dir)
	for _, path := range []string{
		"../secret", "../../secret", "a/../../../secret", "..", "a/..", "%2e%2e/secret", "%2e%2e%2fsecret", "..%2fsecret", "a/%2e%2e/b",
		"/etc/passwd", "//etc/passwd", "..\\secret", "a%5c..%5csecret", "link/secret", ".incoming/1", "./.incoming/x",
		"a%00b", "a%0ab", "a#b%23", strings.Repeat("x", 256), strings.Repeat("x/", 1500),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			status, body := c.exact(method, files+"/"+path)
			require.NotEqual(t, http.StatusOK, status, "%s %s: %s", method, path, body)
			require.Less(t, status, 500, "%s %s: %s", method, path, body)
			require.NotContains(t, body, "secret\"")
		}
		if !strings.Contains(path, "%") {
			status, body := c.do(http.MethodGet, files+"?path="+strings.ReplaceAll(path, "#", "%23"), nil)
			require.NotContains(t, fmt.Sprint(body), "secret:")
			require.NotEqual(t, http.StatusInternalServerError, status, path)
		}
	}
	require.Equal(t, before, tree(t, dir))
	for _, path := range []string{"/link", "?path=link"} {
		status, body := c.exact(http.MethodGet, files+path)
		require.Equal(t, http.StatusBadRequest, status, body)
	}
}

// exact sends a path without cleaning it.
func (c *client) exact(method, path string) (int, string) {
	c.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	require.NoError(c.t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", method, strings.ReplaceAll(path, "#", "%23"))
	require.NoError(c.t, err)
	raw, err := io.ReadAll(conn)
	require.NoError(c.t, err)
	var status int
	_, err = fmt.Sscanf(string(raw), "HTTP/1.1 %d", &status)
	require.NoError(c.t, err, string(raw))
	return status, string(raw)
}

// tree returns all files of a folder with their sizes, except the database's.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	require.NoError(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err == nil && !strings.Contains(name, fileName) {
			out = append(out, fmt.Sprint(name, " ", info.Mode(), " ", info.Size()))
		}
		return err
	}))
	return out
}

func TestFileAndFolderOfOneName(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	require.Equal(t, http.StatusOK, c.put("/a/b", "x"))
	require.Equal(t, http.StatusBadRequest, c.put("/a/b/c", "x"), "below a file")
	require.Equal(t, http.StatusBadRequest, c.put("/a", "x"), "over a folder")
	require.Equal(t, http.StatusBadRequest, c.put("/", "x"))
	status, body := c.raw(http.MethodGet, files+"/a/b", nil)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "x", body)
}

func TestUploadsThatFailLeaveNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, _ := start(t, func(o *Options) { o.Dir, o.MaxArtifactBytes = dir, 1000 })
	require.Equal(t, http.StatusOK, c.put("/just", strings.Repeat("x", 1000)))
	require.Equal(t, http.StatusBadRequest, c.put("/over", strings.Repeat("x", 1001)))

	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "PUT %s/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nonly this", files)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	raw, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "200 OK")
	require.NoError(t, conn.Close())

	left, err := os.ReadDir(filepath.Join(dir, "artifacts", incoming))
	require.NoError(t, err)
	require.Empty(t, left)
	_, answer := c.do(http.MethodGet, files, nil)
	require.Equal(t, any(listOf(object{"path": "just", "is_dir": false, "file_size": 1000.0})), answer["files"])
}

// TestUploadsToOneName uploads to one name concurrently while others read it: a reader always
// gets a complete file.
func TestUploadsToOneName(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	const size = 100_000
	file := func(n int) string { return strings.Repeat(fmt.Sprint(n), size) }
	require.Equal(t, http.StatusOK, c.put("/f", file(9)))
	once := func(n int) error {
		r, err := http.NewRequest(http.MethodPut, c.base+files+"/f", strings.NewReader(file(n)))
		if err != nil {
			return err
		}
		put, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		got, err := http.Get(c.base + files + "/f")
		if err != nil {
			return errors.Join(err, put.Body.Close())
		}
		body, err := io.ReadAll(got.Body)
		if err == nil && (put.StatusCode != http.StatusOK || len(body) != size || strings.Count(string(body), string(body[:1])) != size) {
			err = fmt.Errorf("status %d, and a file of %d bytes that is of nobody", put.StatusCode, len(body))
		}
		return errors.Join(err, put.Body.Close(), got.Body.Close())
	}
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for range 10 {
				if err := once(n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestArtifactsThatLieElsewhere(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	e := at(t, c.post("/experiments/create", object{"name": "s3", "artifact_location": "s3://bucket/folder"}), "experiment_id").(string)
	run := c.post("/runs/create", object{"experiment_id": e})
	id := at(t, run, "run", "info", "run_id").(string)
	require.Equal(t, "s3://bucket/folder/"+id+"/artifacts", at(t, run, "run", "info", "artifact_uri"))
	status, answer := c.do(http.MethodGet, api+"/artifacts/list?run_id="+id, nil)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer["message"], "s3://bucket/folder/")
	for _, bad := range []string{"runs:/x", "../x", "mlflow-artifacts:/a/../../b", "/tmp/x", "s3://b/k#x"} {
		status, _ := c.do(http.MethodPost, api+"/experiments/create", object{"name": bad, "artifact_location": bad})
		require.Equal(t, http.StatusBadRequest, status, bad)
	}
}

// TestArtifactsLast: files survive a restart, which deletes uploads that a crash left.
func TestArtifactsLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := openArtifacts(dir, 100)
	require.NoError(t, err)
	require.NoError(t, a.put("a/b", bytes.NewReader([]byte("x"))))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "artifacts", incoming, "9"), []byte("half"), 0o600))
	require.NoError(t, a.close())
	a, err = openArtifacts(dir, 100)
	require.NoError(t, err)
	f, err := a.open("a/b")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	left, err := os.ReadDir(filepath.Join(dir, "artifacts", incoming))
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, a.close())
}
