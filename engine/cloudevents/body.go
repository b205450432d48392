package cloudevents

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// firstBytes is the size of the first buffer of a body.
const firstBytes = 16 << 10

// ReadBody reads a body. A compressed one, or one beyond the limit, is an error.
func ReadBody(r *http.Request, limits Limits) ([]byte, error) {
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("%w: a body with Content-Encoding %s is not read; send it as it is", ErrMediaType, quote(coding))
	}
	most := limits.Bytes
	tooLarge := fmt.Errorf("%w: the body has more than %d bytes", ErrTooLarge, most)
	if r.ContentLength > most {
		return nil, tooLarge
	}
	if r.ContentLength >= 0 {
		most = r.ContentLength
	}
	var body []byte
	for {
		if len(body) == cap(body) {
			// One byte more than allowed, to see the end. The buffer grows with what has
			// arrived, whatever the Content-Length says: at most twice that is held.
			room := min(max(2*int64(cap(body)), firstBytes), most+1)
			if limits.Hold != nil {
				if err := limits.Hold(room - int64(cap(body))); err != nil {
					return nil, err
				}
			}
			body = append(make([]byte, 0, room), body...)
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limits.Bytes:
			return nil, tooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
}
