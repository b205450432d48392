package ledger

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
)

// view is all that a state answers, and nothing of how it came to it.
type view struct {
	Open      map[string][]engine.Intent
	Memory    map[string]engine.Recollection
	Inbox     map[string][]engine.Event
	Out, Dead []string
	Approvals []engine.Approval
}

func viewOf(t *testing.T, s *state) view {
	t.Helper()
	v := view{map[string][]engine.Intent{}, map[string]engine.Recollection{}, map[string][]engine.Event{}, nil, nil, s.approvalsSince("", time.Time{})}
	agents := map[string]bool{}
	for _, e := range s.acts {
		agents[e.Agent] = true
	}
	for k := range s.notes {
		agents[k.agent] = true
	}
	for k := range s.queues.messages {
		agents[k.Agent] = true
	}
	for a := range agents {
		memory, err := s.remember(a, time.Time{})
		require.NoError(t, err, "an agent could never start again")
		v.Open[a], v.Memory[a] = s.open(a), memory
		for _, k := range s.queues.inbox(a, -1) {
			e, err := k.event()
			require.NoError(t, err, "an inbox could never be read")
			v.Inbox[a] = append(v.Inbox[a], e)
		}
	}
	for _, d := range s.queues.deliveries(-1) {
		v.Out = append(v.Out, d.ID)
	}
	for _, l := range s.queues.list("", -1) {
		v.Dead = append(v.Dead, fmt.Sprintf("%+v", l))
	}
	slices.Sort(v.Out)
	slices.Sort(v.Dead)
	return v
}

// hostileRecords are records that this program never writes.
var hostileRecords = []string{
	``, `null`, `[]`, `{}`, `{"a":null,"c":null,"e":null}`, `{"a":[{}]}`, `{"p":[{}]}`,
	`{"a":[{"i":"x","a":"n/a","at":1,"w":{"n":1e100000}}]}`, `{"a":[{"i":"x","a":"n/a","at":-9223372036854775808,"e":9223372036854775807,"o":"done","oa":true}]}`,
	`{"n":[{"a":"n/a","s":"s","v":1e100000,"at":1}]}`, `{"n":[{"a":"n/a","s":"s","v":null,"at":1}]}`, `{"n":[{"a":"n/a","s":"s","v":"\ud800","at":1}]}`,
	`{"h":[{"a":"n/a","s":"s","i":"e","at":1,"f":"w"}]}`, `{"h":[{"a":"n/a","s":"s","i":"e","at":1,"f":"d","of":1}]}`, `{"h":[{"a":"n/a","s":"s","i":"e","at":1,"f":"?"}]}`,
	`{"e":[{"a":"n/a","n":1}]}`, `{"e":[{"a":"n/a","e":{"id":"e","source":"s","data":1e100000},"n":1}]}`, `{"e":[null]}`, `{"e":[{"a":"n/a","e":{"id":"e","source":"s"},"n":9223372036854775807},{"a":"n/b"}]}`,
	`{"e":[{"a":"n/a","e":{"id":"e","source":"s"},"n":1}],"h":[{"a":"n/a","s":"s","i":"e","at":1}],"r":[{"a":"n/a","e":{"id":"e","source":"s"},"n":1}]}`,
	`{"e":[{"a":"n/a","u":"https://a","e":{"id":"e","source":"s","data":{"a":[1,{}]}},"n":1}],"h":[{"a":"n/a","u":"https://a","s":"s","i":"e","at":1,"f":"d","of":1}],"rs":[{"a":"n/a","u":"https://a","s":"s","i":"e","n":2}]}`,
	`{"e":[{"a":"n/a","e":{"id":"e","source":"s"},"n":1}],"up":[{"a":"n/a","s":"s","i":"e","n":1}]}`,
	`{"p":[{"id":"q","agent":"n/a","state":"waiting","n":1}],"pw":[{"i":"q","of":1,"w":{"id":"other","agent":"n/a","state":"used","n":9}}]}`,
	`{"p":[{"id":"q","state":"denied","asked":"0000-01-01T00:00:00Z","expires":"9999-12-31T23:59:59Z","ended":"9999-12-31T23:59:59Z"}]}`,
	`{"a":` + strings.Repeat(`[`, 20000) + `}`, `{"n":[{"a":"n/a","v":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}]}`,
}

// FuzzRecord reads any bytes from a cluster as a record. A record that is accepted can be
// queried, and does not change when it is compacted, which a leader does by itself.
func FuzzRecord(f *testing.F) {
	for _, raw := range hostileRecords {
		f.Add([]byte(raw))
	}
	b := &batch{
		Acts: []act{actOf(intent("a", 0)), actOf(intent("b", 1))}, Notes: []note{{agent, target{Name: "x"}, "s", []byte(`{"a":1}`), 1}},
		Events:      eventsOf([]engine.Envelope{{Event: asked("e"), Agents: []string{agent, executor}, To: to("https://a")}}, stamp{1, 1}),
		Conclusions: []conclusion{{Identity: "a", Status: engine.Done, Ended: 1}}, Approvals: []approval{{question("q", waiting), 1}},
	}
	_, raw, err := encode(b)
	require.NoError(f, err)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		record, err := compress(raw)
		require.NoError(t, err)
		b, err := unpack(record)
		if err != nil {
			require.ErrorContains(t, err, "not a record")
			return
		}
		s := newState()
		undo := s.inverse(b, "why", day)
		s.apply(b)
		want := viewOf(t, s)
		records, err := packItems(s.items(), 1<<10)
		require.NoError(t, err)
		again := newState()
		for _, record := range records {
			b, err := unpack(record)
			require.NoError(t, err, "what was compacted can't be read")
			again.apply(b)
		}
		require.True(t, reflect.DeepEqual(want, viewOf(t, again)), "compaction changed something")

		_, back, err := pack(undo)
		require.NoError(t, err)
		s.apply(back)
		viewOf(t, s)
		s.prune(day, time.Hour, time.Hour)
		viewOf(t, s)
		mine := newState()
		mine.mergePeer(s, "other", func(engine.TargetID) bool { return true })
		viewOf(t, mine)
	})
}

// FuzzText reads any text as a record, as one is that was damaged, or cut.
func FuzzText(f *testing.F) {
	record, _, err := encode(&batch{Acts: []act{actOf(intent("a", 0))}})
	require.NoError(f, err)
	for _, text := range []string{"", "=", "H4sI", record, record[:len(record)/2], record + record, record + "\n", strings.ToLower(record)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := unpack(text)
		if err != nil {
			require.Nil(t, b)
			require.ErrorContains(t, err, "not a record")
			return
		}
		_, back, err := pack(b)
		require.NoError(t, err)
		_, again, err := pack(back)
		require.NoError(t, err)
		require.True(t, reflect.DeepEqual(back, again), "it reads as something else once it is written again")
	})
}

// FuzzObject reads any custom resource as a part of a log: it is refused by name, or
// writes back as it was read.
func FuzzObject(f *testing.F) {
	for _, raw := range []string{
		`{}`, `{"spec":null}`, `{"spec":[]}`, `{"metadata":{"name":"x"},"spec":{"term":"1"}}`, `{"metadata":{"name":"x"},"spec":{"term":1e100000}}`,
		`{"metadata":{"name":"x","labels":{"a":"b"}},"spec":{"term":1,"writer":"w","seq":9223372036854775807,"records":["H4sI",""],"segments":["a","a"],"bases":-1}}`,
		`{"metadata":{"name":"x"},"spec":{"records":[1]}}`, `{"metadata":{"name":"x"},"spec":{"records":[null]}}`, `{"metadata":[],"spec":{"bases":99999999999999999999}}`,
		`{"metadata":{"name":1,"labels":{"a":1}},"spec":{"sealed":"yes"}}`, `{"spec":{"segments":["../../x"],"unknown":{"a":[]}}}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := &unstructured.Unstructured{}
		if json.Unmarshal(raw, &u.Object) != nil || u.Object == nil {
			return
		}
		o, err := decodeObject(u)
		if err != nil {
			require.ErrorContains(t, err, "ledger object")
			return
		}
		require.GreaterOrEqual(t, o.size(), objectOverhead)
		w, err := encodeObject(o, o.spec)
		require.NoError(t, err)
		again, err := decodeObject(w)
		require.NoError(t, err)
		require.True(t, slices.Equal(o.spec.Records, again.spec.Records) && slices.Equal(o.spec.Segments, again.spec.Segments))
		o.spec.Records, o.spec.Segments, again.spec.Records, again.spec.Segments = nil, nil, nil, nil
		require.Equal(t, o.spec, again.spec)
		require.True(t, maps.Equal(o.labels, again.labels))
	})
}
