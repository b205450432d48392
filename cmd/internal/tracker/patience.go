package tracker

import (
	"io"
	"net/http"
	"time"
)

// stall bounds the time until a client sends or receives its next bytes. A large file may take
// any time as long as it makes progress.
const stall = 30 * time.Second

// patientBody is a request's body with a deadline for each read.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
}

// Read fails if no bytes arrive before the deadline. A connection without deadlines (a test's
// recorder) is read without one.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.stall))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF { // the server goes on listening for the client's going away
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// patientWriter is a response writer with a deadline for each write.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

// Write fails if the client receives nothing before the deadline.
func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.stall))
	return w.ResponseWriter.Write(p)
}

// patiently serves a request with both, and then resets the connection's deadlines.
func patiently(w http.ResponseWriter, r *http.Request, stall time.Duration, serve func(http.ResponseWriter, *http.Request)) {
	control := http.NewResponseController(w)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &patientBody{r.Body, control, stall}
	}
	serve(&patientWriter{w, control, stall}, r)
	_ = control.SetWriteDeadline(time.Time{})
}
