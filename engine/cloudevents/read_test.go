package cloudevents_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	cesdk "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/cloudevents"
	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

var (
	now    = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	limits = cloudevents.Limits{Bytes: 4096, Events: 5}
)

const (
	structured = "application/cloudevents+json"
	batched    = "application/cloudevents-batch+json"
)

// request is a POST with headers given as name, value, ...
func request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/events", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func attributes(more ...string) []string {
	return append([]string{"ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-specversion", "1.0"}, more...)
}

func object(more string) string {
	return `{"id":"1","source":"/s","type":"t","specversion":"1.0"` + more + `}`
}

// decoded is events with their data as Go values, which nobody makes of it before it is
// wanted.
func decoded(events []engine.Event) []engine.Event {
	out := slices.Clone(events)
	for i := range out {
		raw, is := out[i].Data.(json.RawMessage)
		if !is {
			continue
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			panic(err)
		}
		out[i].Data = v
	}
	return out
}

func TestReadUnderstandsEveryMode(t *testing.T) {
	plain := engine.Event{ID: "1", Source: "/s", Type: "t", Time: now}
	with := func(change func(*engine.Event)) []engine.Event {
		e := plain
		change(&e)
		return []engine.Event{e}
	}
	at := time.Date(2018, 4, 5, 17, 31, 0, 500, time.UTC)
	full := func(e *engine.Event) {
		e.Subject, e.Time, e.Hops, e.Sender, e.Data = "ns/digits", at, 3, "ns/agent", map[string]any{"a": 1.5}
	}
	data := func(v any) func(*engine.Event) { return func(e *engine.Event) { e.Data = v } }
	for name, c := range map[string]struct {
		request *http.Request
		want    []engine.Event
	}{
		"structured": {request(object(`,"subject":"ns/digits","time":"2018-04-05T19:31:00.0000005+02:00","scanflowhops":3,"scanflowsender":"ns/agent","other":true,"data":{"a":1.5}`), "Content-Type", "Application/CloudEvents+JSON; charset=UTF-8"), with(full)},
		"binary": {request(`{"a":1.5}`, attributes("Content-Type", "application/json", "ce-subject", "ns%2Fdigits", "ce-time", "2018-04-05T17:31:00.0000005Z",
			"ce-scanflowhops", "3", "ce-scanflowsender", "ns/agent", "ce-other", "true")...), with(full)},
		"batched":                                {request("["+object("")+", "+object(`,"data":[]`)+"]", "Content-Type", batched), append(with(func(*engine.Event) {}), with(data([]any{}))...)},
		"an empty batch":                         {request(" [ ] ", "Content-Type", batched), []engine.Event{}},
		"null attributes":                        {request(object(`,"subject":null,"time":null,"scanflowhops":null`), "Content-Type", structured), with(func(*engine.Event) {})},
		"hops as text":                           {request(object(`,"scanflowhops":"2"`), "Content-Type", structured), with(func(e *engine.Event) { e.Hops = 2 })},
		"null data":                              {request(object(`,"data":null`), "Content-Type", structured), with(func(*engine.Event) {})},
		"a JSON string is not JSON again":        {request(object(`,"datacontenttype":"application/json","data":"{}"`), "Content-Type", structured), with(data("{}"))},
		"data of a JSON format":                  {request(object(`,"datacontenttype":"application/vnd.x+json; charset=utf-8","data":[1]`), "Content-Type", structured), with(data([]any{1.0}))},
		"text":                                   {request(object(`,"datacontenttype":"text/plain","data":"{}"`), "Content-Type", structured), with(data("{}"))},
		"JSON in Base64":                         {request(object(`,"datacontenttype":"application/json","data_base64":"eyJhIjoxfQ=="`), "Content-Type", structured), with(data(map[string]any{"a": 1.0}))},
		"text in Base64":                         {request(object(`,"datacontenttype":"text/xml","data_base64":"PGEvPg=="`), "Content-Type", structured), with(data("<a/>"))},
		"binary without data":                    {request("", attributes()...), with(func(*engine.Event) {})},
		"binary with no data in a format":        {request("", attributes("Content-Type", "application/avro")...), with(func(*engine.Event) {})},
		"binary with text":                       {request("{}", attributes("Content-Type", "text/plain; charset=utf-8")...), with(data("{}"))},
		"binary with XML":                        {request("<a/>", attributes("Content-Type", "application/soap+xml")...), with(data("<a/>"))},
		"percent-encoded":                        {request("", attributes("ce-subject", "Euro%20%E2%82%AC%20%f0%9f%98%80%")...), with(func(e *engine.Event) { e.Subject = "Euro \u20ac \U0001F600%" })},
		"quoted, as senders of old":              {request("", attributes("ce-subject", `"a \"b\" \\ %41"`)...), with(func(e *engine.Event) { e.Subject = `a "b" \ A` })},
		"UTF-8 as it is":                         {request("", attributes("ce-subject", "caf\u00e9")...), with(func(e *engine.Event) { e.Subject = "caf\u00e9" })},
		"nothing compressed, said in so many":    {request(object(""), "Content-Type", structured, "Content-Encoding", "identity"), with(func(*engine.Event) {})},
		"as large as may be":                     {request(object(`,"data":"`+strings.Repeat("x", 4096-len(object(`,"data":""`)))+`"`), "Content-Type", structured), with(data(strings.Repeat("x", 4096-len(object(`,"data":""`)))))},
		"as many as may be":                      {request("["+strings.Repeat(object("")+",", 4)+object("")+"]", "Content-Type", batched), []engine.Event{plain, plain, plain, plain, plain}},
		"an extension that is not looked at too": {request(object(`,"traceparent":"00-1-2-01"`), "Content-Type", structured), with(func(*engine.Event) {})},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudevents.Read(c.request, limits, now)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c.want, decoded(got)))
		})
	}
}

func TestReadNamesEveryMistake(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for name, c := range map[string]struct {
		request *http.Request
		want    []string
	}{
		"nothing at all": {request(`{}`, "Content-Type", structured), []string{
			"specversion: is missing; write 1.0", "id: is missing", "source: is missing", "type: is missing"}},
		"everything": {request(`{"specversion":"0.3","id":"","source":":","type":5,"subject":" ","time":"yesterday","datacontenttype":";","scanflowhops":-1,"data":1,"data_base64":""}`, "Content-Type", structured), []string{
			"type: must be text, not \"5\"", `specversion: "0.3" is not read; write 1.0`, "id: is empty", "type: is missing", "subject: is empty",
			`time: "yesterday" is not a time of RFC 3339; write it like 2026-03-01T03:00:00Z`, `scanflowhops: "-1" is not a whole number of 0 or more`,
			"source: is not a URI reference", `datacontenttype: ";" is not a media type`, "data: is there beside data_base64; keep one"}},
		"names in capitals": {request(`{"ID":"1","Source":"/s","type":"t","specversion":"1.0","my_own":1}`, "Content-Type", structured), []string{
			`"ID": is no attribute: they have lower-case letters and digits only; write id`, `"Source": is no attribute: they have lower-case letters and digits only; write source`,
			`"my_own": is no attribute: they have lower-case letters and digits only`, "id: is missing", "source: is missing"}},
		"one twice":              {request(object(`,"id":"2"`), "Content-Type", structured), []string{`the event: has the member "id" twice; keep one`}},
		"an object for one":      {request(object(`,"subject":{}`), "Content-Type", structured), []string{"subject: must be text, a whole number, true or false"}},
		"half a character":       {request(object(`,"subject":"\udead"`), "Content-Type", structured), []string{"subject: holds a character that no attribute may have"}},
		"a line break":           {request(object(`,"subject":"a\nb"`), "Content-Type", structured), []string{"subject: holds a character that no attribute may have"}},
		"too long":               {request(`{"id":"`+strings.Repeat("x", 1025)+`","source":"/s","type":"t","specversion":"1.0"}`, "Content-Type", structured), []string{"id: has 1025 bytes; at most 1024 are read"}},
		"long ago":               {request(object(`,"time":"0001-01-01T00:00:00Z"`), "Content-Type", structured), []string{`time: "0001-01-01T00:00:00Z" is out of range`}},
		"hops by halves":         {request(object(`,"scanflowhops":1.5`), "Content-Type", structured), []string{`scanflowhops: "1.5" is not a whole number of 0 or more`}},
		"too many hops to count": {request(object(`,"scanflowhops":4294967296`), "Content-Type", structured), []string{`scanflowhops: "4294967296" is not a whole number of 0 or more`}},
		"data of another type":   {request(object(`,"datacontenttype":"application/avro","data":"x"`), "Content-Type", structured), []string{`datacontenttype: data of the type "application/avro" is not read; send JSON or text`}},
		"text that is a number":  {request(object(`,"datacontenttype":"text/plain","data":1`), "Content-Type", structured), []string{`data: must be text, as datacontenttype is "text/plain"`}},
		"Base64 that is none":    {request(object(`,"data_base64":"?"`), "Content-Type", structured), []string{"data_base64: is not Base64"}},
		"Base64 of no JSON":      {request(object(`,"data_base64":"eyI="`), "Content-Type", structured), []string{"data: is not JSON that can be read: it is cut short"}},
		"Base64 of no text":      {request(object(`,"datacontenttype":"text/plain","data_base64":"/w=="`), "Content-Type", structured), []string{"data_base64: is not UTF-8"}},
		"nested":                 {request(object(`,"data":`+deep), "Content-Type", structured), []string{"data: is nested more than 64 deep"}},
		"a number beyond all":    {request(object(`,"data":1e999`), "Content-Type", structured), []string{"data: has the number 1e999, which is out of range"}},
		"cut short":              {request(`{"id":`, "Content-Type", structured), []string{"the body is not JSON: it is cut short"}},
		"no JSON":                {request(`id=1`, "Content-Type", structured), []string{"the body is not JSON: it has 'i' at byte 1, where a value belongs"}},
		"not UTF-8":              {request("{\"id\":\"\xff\"}", "Content-Type", structured), []string{"the body is not UTF-8"}},
		"a list in this mode":    {request("["+object("")+"]", "Content-Type", structured), []string{"is not a JSON object"}},
		"more after it":          {request(object("")+"x", "Content-Type", structured), []string{"more follows after the event"}},

		"no event":              {request(`{"a":1}`, "Content-Type", "application/json"), []string{"is no CloudEvent: the Content-Type is not application/cloudevents+json, and there are no headers ce-id, ce-source, ce-type and ce-specversion"}},
		"headers missing":       {request("", "ce-id", "1"), []string{"specversion: is missing; write 1.0", "source: is missing", "type: is missing"}},
		"a header twice":        {request("", attributes("ce-subject", "a", "ce-subject", "b")...), []string{"subject: is there twice; keep one"}},
		"the type in a header":  {request("", attributes("ce-datacontenttype", "text/plain")...), []string{"ce-datacontenttype: is not a header; the Content-Type says it"}},
		"an overlong encoding":  {request("", attributes("ce-subject", "%C0%A0")...), []string{"subject: is not UTF-8"}},
		"a name of a header":    {request("", attributes("ce-my_own", "1")...), []string{`"my_own": is no attribute: they have lower-case letters and digits only`}},
		"a body of no JSON":     {request("{", attributes("Content-Type", "application/json")...), []string{"data: is not JSON that can be read: it is cut short"}},
		"a body of two values":  {request("1 2", attributes("Content-Type", "application/json")...), []string{"data: is not one JSON value: more follows after it"}},
		"a body of no UTF-8":    {request("\"\xff\"", attributes("Content-Type", "application/json")...), []string{"data: is not UTF-8"}},
		"a text of no UTF-8":    {request("\xff", attributes("Content-Type", "text/plain")...), []string{"the body: is not UTF-8"}},
		"two of a batch":        {request(`[{"id":"1","source":"/s","specversion":"1.0"},`+object("")+`,{"source":"/s","type":"t","specversion":"1.0"},3]`, "Content-Type", batched), []string{"event 1: type: is missing", "event 3: id: is missing", "event 4: is not a JSON object"}},
		"no batch":              {request(object(""), "Content-Type", batched), []string{"the body is not a JSON array of events"}},
		"a batch cut short":     {request("["+object(""), "Content-Type", batched), []string{"the body is cut short: the array has no end"}},
		"a batch cut within":    {request(`[{"id":`, "Content-Type", batched), []string{"event 1: is not JSON: it is cut short"}},
		"more after a batch":    {request("[]{}", "Content-Type", batched), []string{"more follows after the array"}},
		"a batch not in UTF-8":  {request("[\"\xff\"]", "Content-Type", batched), []string{"the body is not UTF-8"}},
		"a batch without comma": {request("["+object("")+object("")+"]", "Content-Type", batched), []string{"the body is not JSON: it has '{' at byte 57, where a comma or ] belongs"}},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := cloudevents.Read(c.request, limits, now)
			require.Equal(t, c.want, lines(t, err))
			require.Nil(t, events)
		})
	}
}

func lines(t *testing.T, err error) []string {
	t.Helper()
	var mistakes mistake.Mistakes
	require.ErrorAs(t, err, &mistakes)
	return mistakes.Lines()
}

func TestReadCountsMistakesBeyondTheFirst(t *testing.T) {
	_, err := cloudevents.Read(request("["+strings.Repeat("{},", 19)+"{}]", "Content-Type", batched), cloudevents.Limits{Bytes: 1e6, Events: 100}, now)
	mistakes := lines(t, err)
	require.Len(t, mistakes, 51)
	require.Equal(t, "30 more mistakes are not shown", mistakes[50])
}

func TestReadRefusesByNameAndSize(t *testing.T) {
	endless := request("", "Content-Type", structured)
	endless.Body, endless.ContentLength = io.NopCloser(zeros{}), -1
	announced := request("", "Content-Type", structured)
	announced.ContentLength = 1 << 40
	broken := request("", "Content-Type", structured)
	broken.Body, broken.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("{"), failing{})), 10
	for name, c := range map[string]struct {
		request *http.Request
		is      error
		want    string
	}{
		"another format":       {request("x", "Content-Type", "application/cloudevents+avro"), cloudevents.ErrMediaType, `events in the format "application/cloudevents+avro" are not read`},
		"another batch format": {request("x", "Content-Type", "application/cloudevents-batch+xml"), cloudevents.ErrMediaType, "application/cloudevents-batch+xml"},
		"binary data":          {request("x", attributes("Content-Type", "application/octet-stream")...), cloudevents.ErrMediaType, `data of the type "application/octet-stream" is not read; send application/json, or text`},
		"a form, as by curl":   {request("x", attributes("Content-Type", "application/x-www-form-urlencoded")...), cloudevents.ErrMediaType, `"application/x-www-form-urlencoded"`},
		"no type":              {request("x", attributes()...), cloudevents.ErrMediaType, "the body has no Content-Type; send application/json"},
		"no type that is one":  {request("x", attributes("Content-Type", ";")...), cloudevents.ErrMediaType, `the Content-Type ";" can't be read`},
		"another charset":      {request("x", attributes("Content-Type", "text/plain; charset=latin1")...), cloudevents.ErrMediaType, `the charset "latin1" is not read; send UTF-8`},
		"compressed":           {request("x", "Content-Type", structured, "Content-Encoding", "gzip"), cloudevents.ErrMediaType, `Content-Encoding "gzip" is not read`},
		"a byte too large":     {request(strings.Repeat(" ", 4097), "Content-Type", structured), cloudevents.ErrTooLarge, "the body has more than 4096 bytes"},
		"announced as huge":    {announced, cloudevents.ErrTooLarge, "more than 4096 bytes"},
		"without end":          {endless, cloudevents.ErrTooLarge, "more than 4096 bytes"},
		"one event too many":   {request("["+strings.Repeat(object("")+",", 5)+object("")+"]", "Content-Type", batched), cloudevents.ErrTooLarge, "the batch has more than 5 events"},
		"broken off":           {broken, io.ErrClosedPipe, "read the body"},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := cloudevents.Read(c.request, limits, now)
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.want)
			require.Nil(t, events)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// The SDK's own client sends in its two modes, and as a batch.
func TestReadUnderstandsTheSDK(t *testing.T) {
	var got []engine.Event
	var problem error
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, problem = cloudevents.Read(r, cloudevents.Limits{Bytes: 1 << 20, Events: 100}, now)
	}))
	defer srv.Close()
	made := func(id string, contentType string, data any) cesdk.Event {
		e := cesdk.NewEvent()
		e.SetID(id)
		e.SetSource("https://example.com/a?b=c")
		e.SetType("com.example.done")
		e.SetSubject("caf\u00e9 1")
		e.SetTime(now.Add(time.Hour))
		e.SetExtension("scanflowhops", 7)
		require.NoError(t, e.SetData(contentType, data))
		return e
	}
	want := func(id string, data any) engine.Event {
		return engine.Event{ID: id, Source: "https://example.com/a?b=c", Type: "com.example.done", Subject: "caf\u00e9 1", Time: now.Add(time.Hour), Hops: 7, Data: data}
	}
	client, err := cesdk.NewClientHTTP()
	require.NoError(t, err)
	to := cesdk.ContextWithTarget(context.Background(), srv.URL)
	for name, c := range map[string]struct {
		event cesdk.Event
		want  engine.Event
	}{
		"JSON":          {made("1", cesdk.ApplicationJSON, map[string]any{"a": []int{1}}), want("1", map[string]any{"a": []any{1.0}})},
		"JSON in bytes": {made("2", cesdk.ApplicationJSON, []byte(`{"a":1}`)), want("2", map[string]any{"a": 1.0})},
		"text":          {made("3", cesdk.TextPlain, "hello"), want("3", "hello")},
	} {
		for mode, ctx := range map[string]context.Context{"binary": cesdk.WithEncodingBinary(to), "structured": cesdk.WithEncodingStructured(to)} {
			t.Run(name+" "+mode, func(t *testing.T) {
				require.True(t, cesdk.IsACK(client.Send(ctx, c.event)))
				require.NoError(t, problem)
				require.Empty(t, cmp.Diff([]engine.Event{c.want}, decoded(got)))
			})
		}
	}
	t.Run("batch", func(t *testing.T) {
		r, err := cehttp.NewHTTPRequestFromEvents(context.Background(), srv.URL, []cesdk.Event{made("1", cesdk.ApplicationJSON, 1), made("2", cesdk.ApplicationJSON, "x")})
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.NoError(t, problem)
		require.Empty(t, cmp.Diff([]engine.Event{want("1", 1.0), want("2", "x")}, decoded(got)))
	})
}
