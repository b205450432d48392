package cloudevents_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
)

// arrays is a JSON array of n values, itself included.
func arrays(n int) string { return "[" + strings.Repeat("[],", n-2) + "[]]" }

func TestManyValuesAreRefusedByNumber(t *testing.T) {
	wide := cloudevents.Limits{Bytes: 4 << 20, Events: 10}
	most := engine.MaxEventValues
	for name, c := range map[string]struct {
		request *http.Request
		want    string // "" is taken
	}{
		"as many as may be":           {request(object(`,"data":`+arrays(most-5)), "Content-Type", structured), ""},
		"one more":                    {request(object(`,"data":`+arrays(most-4)), "Content-Type", structured), "too large: the event has more than 100000 JSON values"},
		"as many as may be, as bytes": {request(arrays(most), attributes("Content-Type", "application/json")...), ""},
		"one more, as bytes":          {request(arrays(most+1), attributes("Content-Type", "application/json")...), "too large: the data has more than 100000 JSON values"},
		"one of a batch":              {request("["+object("")+","+object(`,"data":`+arrays(most))+"]", "Content-Type", batched), "too large: event 2 has more than 100000 JSON values"},
		"all of a batch":              {request("["+object(`,"data":`+arrays(90_000))+","+object(`,"data":`+arrays(90_000))+","+object(`,"data":`+arrays(90_000))+"]", "Content-Type", batched), "too large: the batch has more than 250000 JSON values"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := cloudevents.Read(c.request, wide, now)
			if c.want == "" {
				require.NoError(t, err)
				require.Len(t, events, 1)
				return
			}
			require.ErrorIs(t, err, cloudevents.ErrTooLarge)
			require.EqualError(t, err, c.want)
		})
	}
}

func TestWhatBreaksARuleIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		request *http.Request
		want    string
	}{
		"a number":           {request(object(`,"data":{"runs":[1,2e100000]}`), "Content-Type", structured), "data.runs[1]: has the number 2e100000, which is out of range"},
		"a long one":         {request(object(`,"data":`+strings.Repeat("1", 2000)), "Content-Type", structured), "data: has a number of 2000 characters, " + strings.Repeat("1", 60) + "...; at most 1000 are read"},
		"a small one":        {request("[-1e-999]", attributes("Content-Type", "application/json")...), "data[0]: has the number -1e-999, which is too close to 0"},
		"a member twice":     {request(object(`,"data":{"a":{"role":1,"role":2}}`), "Content-Type", structured), `data.a: has the member "role" twice; keep one`},
		"one of a batch":     {request("["+object("")+","+object(`,"data":[1e999]`)+"]", "Content-Type", batched), "event 2: data[0]: has the number 1e999, which is out of range"},
		"twice in a batch":   {request("["+object(`,"id":"2"`)+"]", "Content-Type", batched), `event 1: has the member "id" twice; keep one`},
		"deep in a batch":    {request("["+object(`,"data":`+strings.Repeat("[", 70)+strings.Repeat("]", 70))+"]", "Content-Type", batched), "event 1: data: is nested more than 64 deep"},
		"an escaped name":    {request(object(`,"\u0069d":"2"`), "Content-Type", structured), `the event: has the member "id" twice; keep one`},
		"a deep attribute":   {request(object(`,"subject":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)), "Content-Type", structured), "subject: is nested more than 64 deep"},
		"text of terminals":  {request(object(`,"data":{"\u001b[31m":1e999}`), "Content-Type", structured), `data["\x1b[31m"]: has the number 1e999, which is out of range`},
		"a long media type":  {request(object(`,"datacontenttype":"`+strings.Repeat("x", 2000)+`/json"`), "Content-Type", structured), "datacontenttype: has 2005 bytes; at most 1024 are read"},
		"a body cut in data": {request(object(`,"data":[1`)[:60], "Content-Type", structured), "the body is not JSON: it is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cloudevents.Read(c.request, limits, now)
			require.Equal(t, []string{c.want}, lines(t, err))
		})
	}
}

// A body is held as it comes, whatever its length is said to be.
func TestABodyIsHeldAsItComes(t *testing.T) {
	no := errors.New("no room")
	for name, c := range map[string]struct {
		said int64 // the Content-Length
		body string
		room int64
		err  error
	}{
		"all at once":          {100, strings.Repeat("x", 100), 101, nil},
		"said, and never sent": {1 << 20, "", 20_000, nil},
		"without a length":     {-1, strings.Repeat("x", 50_000), 131_072, nil},
		"beyond the room":      {-1, strings.Repeat("x", 50_000), 40_000, no},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.body)
			r.ContentLength = c.said
			held := int64(0)
			body, err := cloudevents.ReadBody(r, cloudevents.Limits{Bytes: 2 << 20, Hold: func(n int64) error {
				require.Positive(t, n)
				if held+n > c.room {
					return fmt.Errorf("hold %d: %w", n, no)
				}
				held += n
				return nil
			}})
			require.ErrorIs(t, err, c.err)
			if c.err == nil {
				require.Equal(t, c.body, string(body))
				require.GreaterOrEqual(t, held, int64(len(c.body)))
			}
		})
	}
}
