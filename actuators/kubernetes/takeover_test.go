package kubernetes

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

const containers = `{"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:name": {}, "f:image": {}}}, "f:tolerations": {}}}}}`

func managed(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: "Update", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
}

func TestWritersOfAField(t *testing.T) {
	o := &object{Unstructured: &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"template": map[string]any{"spec": map[string]any{
			"containers":  []any{map[string]any{"name": "log", "image": "l"}, map[string]any{"name": "main", "image": "m"}},
			"tolerations": []any{map[string]any{"key": "a"}},
		}},
	}}}}
	o.SetManagedFields([]metav1.ManagedFieldsEntry{managed("helm", containers), managed("broken", `{"q:bad": {}}`), {Manager: "none"}})
	pod := []any{"spec", "template", "spec"}
	for name, row := range map[string]struct {
		path []any
		owns bool
	}{
		"itself":               {[]any{"spec", "replicas"}, true},
		"what is below":        {[]any{"spec"}, true},
		"another":              {[]any{"spec", "paused"}, false},
		"an item's field":      {append(pod, "containers", 1, "image"), true},
		"another of the item":  {append(pod, "containers", 1, "command"), false},
		"another item":         {append(pod, "containers", 0, "image"), false},
		"no such item":         {append(pod, "containers", 7, "image"), false},
		"in a list as a whole": {append(pod, "tolerations", 0, "key"), true},
	} {
		require.Equal(t, row.owns, len(managersAt(o, row.path)) == 1, name)
	}
}

func TestMayTake(t *testing.T) {
	theirs := after.Add(time.Minute)
	other := clusterview.FieldManager{Manager: "kubectl", Operation: "Update", Time: theirs}
	timeless := clusterview.FieldManager{Manager: "kubectl", Operation: "Update", Subresource: "scale"}
	ours := clusterview.FieldManager{Manager: "scanflow-scale", Operation: "Apply"}
	for name, row := range map[string]struct {
		writers []clusterview.FieldManager
		written time.Time
		handed  string
		from    string
		refused bool
	}{
		"nobody's":                               {},
		"nobody's, once ours":                    {written: after},
		"the author's, once":                     {writers: []clusterview.FieldManager{other}, from: "kubectl (Update, 2026-01-02T03:05:05Z)"},
		"ours":                                   {writers: []clusterview.FieldManager{ours}, written: after},
		"ours and theirs":                        {writers: []clusterview.FieldManager{other, ours}, written: after},
		"written after us":                       {writers: []clusterview.FieldManager{other}, written: after, refused: true},
		"handed back after that":                 {writers: []clusterview.FieldManager{other}, written: after, handed: "2026-01-02T03:05:05Z", from: "kubectl (Update, 2026-01-02T03:05:05Z)"},
		"handed back before that":                {writers: []clusterview.FieldManager{other}, written: after, handed: "2026-01-02T03:05:04Z", refused: true},
		"handed back at no time":                 {writers: []clusterview.FieldManager{other}, written: after, handed: "yes", refused: true},
		"when is not known, handed back after":   {writers: []clusterview.FieldManager{timeless}, written: after, handed: "2026-01-02T03:04:06Z", from: "kubectl (Update, scale)"},
		"when is not known, handed back earlier": {writers: []clusterview.FieldManager{timeless}, written: after, handed: "2026-01-02T03:04:05Z", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := engine.Proposal{Written: row.written, Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}}
			c := &Cluster{Clock: engine.NewManualClock(time.Date(2026, 1, 2, 3, 6, 0, 0, time.UTC))}
			from, err := c.mayTakeOver("replicas", row.writers, p, map[string]string{TakeOverAnnotation: row.handed})
			require.Equal(t, row.refused, err != nil, "%v", err)
			require.Equal(t, row.from, from)
		})
	}
}

// A value that is no time, has no zone or lies in the future hands nothing over, and the
// refusal says what the value is.
func TestATakeOverThatSaysNothing(t *testing.T) {
	writer := []clusterview.FieldManager{{Manager: "kubectl", Operation: "Update", Time: time.Date(2026, 1, 2, 3, 5, 5, 0, time.UTC)}}
	clock := engine.NewManualClock(time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC))
	c := &Cluster{Clock: clock}
	p := engine.Proposal{Written: after, Target: engine.Target{Kind: "Deployment", Namespace: "ns", Name: "web"}}
	const fix = "to hand it back: kubectl annotate deployment -n ns web scanflow.dev/take-over=$(date -u +%FT%TZ) --overwrite"
	for value, problem := range map[string]string{
		"2026-01-02T03:05:05Z":         "",
		"2026-01-02T04:05:05+01:00":    "",
		"2026-01-02T03:05:05.5Z":       "",
		"2026-01-02T04:01:00Z":         "", // a minute ahead
		"yes":                          "is no time (RFC 3339)",
		"true":                         "is no time (RFC 3339)",
		"always":                       "is no time (RFC 3339)",
		"1767323105":                   "is no time (RFC 3339)",
		"2026-01-02":                   "is no time (RFC 3339)",
		"2026-01-02 03:05:05Z":         "is no time (RFC 3339)",
		"2026-01-02T03:05:05 Z":        "is no time (RFC 3339)",
		" 2026-01-02T03:05:05Z":        "is no time (RFC 3339)",
		"2026-13-02T03:05:05Z":         "is no time (RFC 3339)",
		"Fri Jan  2 03:05:05 UTC 2026": "is no time (RFC 3339)",
		"$(date -u +%FT%TZ)":           "is no time (RFC 3339)",
		"2026-01-02T03:05:05":          "has no time zone",
		"2026-01-02T04:01:01Z":         "is in the future (it is 2026-01-02T04:00:00Z here)",
		"2026-01-02T05:05:05Z":         "is in the future (it is 2026-01-02T04:00:00Z here)",
		"9999-12-31T23:59:59Z":         "is in the future (it is 2026-01-02T04:00:00Z here)",
		"2026-01-02T03:05:05-12:00":    "is in the future (it is 2026-01-02T04:00:00Z here)",
	} {
		from, err := c.mayTakeOver("replicas", writer, p, map[string]string{TakeOverAnnotation: value})
		if problem == "" {
			require.NoError(t, err, value)
			require.Equal(t, "kubectl (Update, 2026-01-02T03:05:05Z)", from)
			continue
		}
		require.EqualError(t, err, "replicas belongs to kubectl (Update, 2026-01-02T03:05:05Z), who wrote it after Scanflow did at 2026-01-02T03:04:05Z; the annotation scanflow.dev/take-over is "+strconv.Quote(value)+", which "+problem+"; "+fix)
	}

	// Once its time has come, it hands over what was written before it.
	clock.Set(time.Date(2026, 1, 2, 5, 5, 5, 0, time.UTC))
	_, err := c.mayTakeOver("replicas", writer, p, map[string]string{TakeOverAnnotation: "2026-01-02T05:05:05Z"})
	require.NoError(t, err)
	writer[0].Time = time.Date(2026, 1, 2, 5, 5, 6, 0, time.UTC)
	_, err = c.mayTakeOver("replicas", writer, p, map[string]string{TakeOverAnnotation: "2026-01-02T05:05:05Z"})
	require.Error(t, err, "and nothing that was written after it")
}
