package tracker

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowServer has short deadlines for clients, and reports how each request ended.
func slowServer(t *testing.T, serve func(http.ResponseWriter, *http.Request) error) (net.Conn, chan error) {
	t.Helper()
	ended := make(chan error, 2)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patiently(w, r, 50*time.Millisecond, func(w http.ResponseWriter, r *http.Request) { ended <- serve(w, r) })
	}))
	t.Cleanup(web.Close)
	conn, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, ended
}

func endOf(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		require.Fail(t, "it waits for ever")
		return nil
	}
}

func TestClientThatSendsNoMore(t *testing.T) {
	t.Parallel()
	conn, ended := slowServer(t, func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	})
	_, err := fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nonly this")
	require.NoError(t, err)
	require.ErrorContains(t, endOf(t, ended), "timeout")
}

func TestClientThatTakesNoMore(t *testing.T) {
	t.Parallel()
	conn, ended := slowServer(t, func(w http.ResponseWriter, _ *http.Request) error {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	_, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	require.ErrorContains(t, endOf(t, ended), "timeout")
}

// deadlines is a response writer that records its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = append(d.read, t)
	return nil
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write = append(d.write, t)
	return nil
}

// TestDeadlinesAreTakenBack: the connection serves another request after this one.
func TestDeadlinesAreTakenBack(t *testing.T) {
	t.Parallel()
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPut, "/", strings.NewReader("hello"))
	patiently(w, r, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		require.NoError(t, err)
	})
	require.Equal(t, "hello", w.Body.String())
	for _, set := range [][]time.Time{w.read, w.write} {
		require.Greater(t, len(set), 1)
		require.False(t, set[0].IsZero())
		require.True(t, set[len(set)-1].IsZero())
	}
}
