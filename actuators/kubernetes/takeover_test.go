package kubernetes

import (
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
			from, err := mayTakeOver("replicas", row.writers, p, map[string]string{TakeOverAnnotation: row.handed})
			require.Equal(t, row.refused, err != nil, "%v", err)
			require.Equal(t, row.from, from)
		})
	}
}
